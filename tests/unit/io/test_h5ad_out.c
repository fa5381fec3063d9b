/* Files written: what is copied, replaced and added, and what is left behind
 * when something fails. */
#define _POSIX_C_SOURCE 200809L
#include "balans/io/h5ad_out.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/io/h5.h"
#include "balans/par/layout.h"
#include "h5ad_files.h"
#include "mpi_check.h"

enum { N = 11, D = 3, MARKS = 2 };

static bal_comm comm;

static bool error_has(const char *part)
{
    return strstr(bal_error_get()->text, part) != NULL;
}

/* What the tests write where X was. */
static float corrected(bal_gidx i, bal_size j)
{
    return (float)(i * 10 + j) + 0.5F;
}

static double original(bal_gidx i, bal_size j)
{
    return (double)(i - 2 * j);
}

/* An input with a matrix, a categorical and traces of an earlier run. */
static void write_input(const char *name, bool earlier)
{
    static const char *const batch[] = {"p", "q"};
    static const char *const column[] = {"batch", "balans_coverage"};
    static const int code[N] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
    double x[N * D], y[N] = {0};
    hsize_t extent[2] = {N, D};

    for (bal_gidx i = 0; i < N; i++)
        for (bal_size j = 0; j < D; j++)
            x[i * D + j] = original(i, j);
    hid_t f = files_create(name, N, D);
    files_numbers(f, "X", H5T_IEEE_F64LE, x, 2, extent, 2);
    files_numbers(f, "layers/other", H5T_STD_I16LE, x, 2, extent, 0);
    files_categorical(f, "obs/batch", batch, 2, code, N);
    files_columns(f, column, earlier ? 2 : 1);
    files_group(f, "uns", "dict");
    files_numbers(f, "uns/mine", H5T_STD_I64LE, y, 1, extent, 0);
    if (earlier) {
        files_group(f, "uns/balans", "dict");
        files_numbers(f, "uns/balans/landmarks", H5T_STD_I64LE, y, 1, extent,
                      0);
        files_numbers(f, "uns/balans/old", H5T_STD_I64LE, y, 1, extent, 0);
        files_numbers(f, "obs/balans_coverage", H5T_IEEE_F64LE, y, 1, extent,
                      0);
        files_numbers(f, "obsm/X_balans", H5T_IEEE_F64LE, x, 2, extent, 0);
    }
    H5Lcreate_soft("/uns/mine", f, "uns/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", f, "uns/dangling", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
}

static bal_h5ad *open_input(const char *name, bool earlier)
{
    bal_h5ad *f = NULL;

    if (comm.rank == 0)
        write_input(name, earlier);
    MPI_Barrier(comm.mpi);
    bal_error_clear();
    bal_verdict st = bal_h5ad_open(&comm, files_path(name), &f);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    return f;
}

static const bal_array arrays[] = {
    {"X", BAL_F32, N, D, false, false},
    {"obs/balans_coverage", BAL_F32, N, 0, false, false},
    {"obsm/X_balans", BAL_F32, N, 2, true, false},
    {"uns/balans/landmarks", BAL_I64, MARKS, 0, false, false},
};
static const bal_csr_array csrs[] = {{"uns/balans/affinity", MARKS, N, N}};

static json_t *make_uns(void)
{
    return json_pack("{s:s, s:i, s:f, s:b, s:[i, i], s:[], s:{s:s}}",
                     "version", "0.1 \xc3\xa4", "seed", 7, "clip", 10.0,
                     "flag", 1, "few", 1, 2, "none", "parameters",
                     "scale", "standard");
}

static bal_out_source make_source(bal_h5ad *input)
{
    static const char *const drop[] = {"obsm/X_balans"};
    static const char *const column[] = {"balans_coverage"};

    return (bal_out_source){.input = input,
                            .replace = "X",
                            .keep_as = "layers/original",
                            .drop = drop,
                            .drops = 1,
                            .column = column,
                            .columns = 1};
}

static bal_out_plan make_plan(json_t *uns)
{
    return (bal_out_plan){.array = arrays,
                          .arrays = sizeof arrays / sizeof *arrays,
                          .csr = csrs,
                          .csrs = 1,
                          .uns = uns};
}

/* Rank r of s writes its slab of rows; entries of A are one for each row. */
static bal_verdict write_rows(bal_h5ad_out *o, const char *array, bal_size d,
                              bool backwards)
{
    int r = backwards ? comm.size - 1 - comm.rank : comm.rank;
    bal_gidx first = bal_slab_first(N, r, comm.size);
    bal_size m = bal_slab_first(N, r + 1, comm.size) - first;
    float value[N * D];

    for (bal_size i = 0; i < m; i++)
        for (bal_size j = 0; j < d; j++)
            value[i * d + j] = corrected(first + i, j);
    return bal_h5ad_out_write(o, array, first, m, value);
}

static bal_verdict write_small(bal_h5ad_out *o)
{
    static const int64_t mark[MARKS] = {4, 9}, pointer[] = {0, 5, N};
    int64_t index[N];
    bal_verdict st;
    bool here = comm.rank == comm.size - 1;

    for (int64_t i = 0; i < N; i++)
        index[i] = i < 5 ? i : i - 5;
    BAL_TRY(bal_h5ad_out_write(o, "uns/balans/landmarks", 0, here ? MARKS : 0,
                               mark));
    BAL_TRY(bal_h5ad_out_write(o, "uns/balans/affinity/indices", 0,
                               here ? N : 0, index));
    BAL_TRY(bal_h5ad_out_write(o, "uns/balans/affinity/indptr", 0,
                               here ? MARKS + 1 : 0, pointer));
done:
    return st;
}

static bal_verdict write_all(bal_h5ad_out *o)
{
    bal_verdict st;

    BAL_TRY(write_rows(o, "X", D, false));
    BAL_TRY(write_rows(o, "obs/balans_coverage", 1, true));
    BAL_TRY(write_rows(o, "obsm/X_balans", 2, false));
    BAL_TRY(write_rows(o, "uns/balans/affinity/data", 1, false));
    BAL_TRY(write_small(o));
done:
    return st;
}

static bal_verdict produce_with(bal_out_source source, json_t *uns,
                                bool force, const char *path)
{
    json_t *late = json_pack("{s:i}", "ranks", comm.size);
    bal_out_plan plan = make_plan(uns);
    bal_h5ad_out *o = NULL;
    bal_verdict st;

    BAL_TRY(bal_h5ad_out_begin(&comm, path, &source, force, &o));
    BAL_TRY(bal_h5ad_out_create(o, &plan));
    BAL_TRY(write_all(o));
    BAL_TRY(bal_h5ad_out_finish(&o, comm.rank == 0 ? late : NULL));
done:
    bal_h5ad_out_discard(&o);
    json_decref(late);
    return st;
}

static bal_verdict produce(const char *input, bool earlier, const char *output)
{
    bal_h5ad *f = open_input(input, earlier);
    json_t *uns = make_uns();
    bal_verdict st =
        produce_with(make_source(f), uns, false, files_path(output));

    json_decref(uns);
    bal_h5ad_close(&f);
    return st;
}

static bool is_there(const char *name)
{
    return access(files_path(name), F_OK) == 0;
}

/* A file in the making, of any run. */
static bool has_partial(const char *name)
{
    char pattern[600];
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s*.partial", files_path(name));
    bool has = glob(pattern, 0, NULL, &found) == 0;
    if (has)
        globfree(&found);
    return has;
}

/* ---- Looking at the result, on rank 0 ---- */

static bool same_values(hid_t f, const char *path, bal_size count,
                        const double *want)
{
    double got[64] = {0};
    hid_t d = bal_h5_find(f, path);
    bal_size dims[2];
    bool same = bal_h5_dims(d, dims) >= 0 && dims[0] * dims[1] == count;

    if (same)
        H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, got);
    for (bal_size i = 0; i < count && same; i++)
        same = got[i] == want[i];
    bal_h5_close(&d);
    return same;
}

static bool is_encoded(hid_t f, const char *path, const char *type,
                       const char *version)
{
    char got[64];
    hid_t o = bal_h5_find(f, path);
    bool same = bal_h5_get_text(o, "encoding-type", got, sizeof got) &&
                strcmp(got, type) == 0 &&
                bal_h5_get_text(o, "encoding-version", got, sizeof got) &&
                strcmp(got, version) == 0;

    bal_h5_close(&o);
    return same;
}

static bool has_corrected(hid_t f, const char *path, bal_size d)
{
    double want[N * D];

    for (bal_gidx i = 0; i < N; i++)
        for (bal_size j = 0; j < d; j++)
            want[i * d + j] = corrected(i, j);
    return same_values(f, path, N * d, want);
}

static bool has_original(hid_t f, const char *path)
{
    double want[N * D];

    for (bal_gidx i = 0; i < N; i++)
        for (bal_size j = 0; j < D; j++)
            want[i * D + j] = original(i, j);
    return same_values(f, path, N * D, want);
}

static bool arrays_are_right(hid_t f)
{
    int64_t shape[2] = {0, 0};
    hid_t a = bal_h5_find(f, "uns/balans/affinity");
    bool right = bal_h5_get_ints(a, "shape", shape, 2) && shape[0] == MARKS &&
                 shape[1] == N;

    bal_h5_close(&a);
    return right && has_corrected(f, "X", D) &&
           has_original(f, "layers/other") &&
           has_original(f, "layers/original") &&
           has_corrected(f, "obs/balans_coverage", 1) &&
           has_corrected(f, "obsm/X_balans", 2) &&
           has_corrected(f, "uns/balans/affinity/data", 1) &&
           same_values(f, "uns/balans/affinity/indptr", 3,
                       (double[]){0, 5, N}) &&
           same_values(f, "uns/balans/landmarks", MARKS, (double[]){4, 9}) &&
           is_encoded(f, "X", "array", "0.2.0") &&
           is_encoded(f, "uns/balans/affinity", "csr_matrix", "0.1.0");
}

static bool record_is_right(hid_t f)
{
    return same_values(f, "uns/balans/seed", 1, (double[]){7}) &&
           same_values(f, "uns/balans/few", 2, (double[]){1, 2}) &&
           same_values(f, "uns/balans/none", 0, NULL) &&
           same_values(f, "uns/balans/run/ranks", 1, &(double){comm.size}) &&
           is_encoded(f, "uns/balans", "dict", "0.1.0") &&
           is_encoded(f, "uns/balans/version", "string", "0.2.0") &&
           is_encoded(f, "uns/balans/parameters/scale", "string", "0.2.0") &&
           is_encoded(f, "uns/balans/flag", "numeric-scalar", "0.2.0") &&
           is_encoded(f, "varp", "dict", "0.1.0");
}

static bool columns_are_right(hid_t f)
{
    bal_h5_list order = {0};
    hid_t obs = bal_h5_find(f, "obs");
    bool right = !bal_failed(bal_h5_get_list(obs, "column-order", &order)) &&
                 order.count == 2 && strcmp(order.item[0], "batch") == 0 &&
                 strcmp(order.item[1], "balans_coverage") == 0 &&
                 is_encoded(f, "obs", "dataframe", "0.2.0") &&
                 bal_h5_has(f, "obs/_index") &&
                 bal_h5_has(f, "obs/batch/codes");

    bal_h5_list_free(&order);
    bal_h5_close(&obs);
    return right;
}

static void check_output(const char *name)
{
    bool right = true;

    if (comm.rank == 0) {
        hid_t f = H5I_INVALID_HID;
        right =
            !bal_failed(bal_h5_open(files_path(name), BAL_H5_READ, NULL, &f));
        right = right && arrays_are_right(f) && record_is_right(f) &&
                columns_are_right(f) && bal_h5_has(f, "uns/mine") &&
                bal_h5_has(f, "uns/soft") && !bal_h5_has(f, "obs.balans") &&
                !bal_h5_has(f, "uns/balans/old") &&
                !bal_h5_has(f, "uns/dangling");
        bal_h5_close(&f);
    }
    all_assert(right);
}

START_TEST(writes_what_is_planned)
{
    bal_verdict st = produce("in.h5ad", false, "out.h5ad");

    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert(is_there("out.h5ad") && !has_partial("out.h5ad"));
    check_output("out.h5ad");
    all_assert(bal_mem_held() == 0);
}
END_TEST

START_TEST(replaces_an_earlier_run)
{
    bal_verdict st = produce("in2.h5ad", true, "out2.h5ad");

    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    check_output("out2.h5ad");
}
END_TEST

START_TEST(a_stale_partial_stays)
{
    if (comm.rank == 0)
        fclose(fopen(files_path("out3.h5ad.partial"), "w"));
    bal_verdict st = produce("in3.h5ad", false, "out3.h5ad");
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    check_output("out3.h5ad");
    all_assert(is_there("out3.h5ad.partial"));
}
END_TEST

START_TEST(does_not_overwrite)
{
    bal_h5ad *f = open_input("in4.h5ad", false);
    bal_out_source source = make_source(f);

    if (comm.rank == 0)
        fclose(fopen(files_path("out4.h5ad"), "w"));
    MPI_Barrier(comm.mpi);
    bal_verdict st = produce_with(source, NULL, false, files_path("out4.h5ad"));
    all_assert(st.code == BAL_EIO && error_has("--force"));
    all_assert(!has_partial("out4.h5ad"));
    bal_error_clear();
    st = produce_with(source, NULL, true, files_path("out4.h5ad"));
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    bal_h5ad_close(&f);
}
END_TEST

START_TEST(an_original_is_not_overwritten)
{
    bal_h5ad *f = open_input("in6.h5ad", false);
    bal_out_source source = make_source(f);

    source.keep_as = "layers/other";
    bal_verdict st =
        produce_with(source, NULL, false, files_path("out6.h5ad"));
    all_assert(st.code == BAL_EINPUT && error_has("--keep-original"));
    all_assert(!is_there("out6.h5ad") && !has_partial("out6.h5ad"));
    bal_error_clear();
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}
END_TEST

/* Failures in each step, on each rank, leave no file and no rank waiting. */
START_TEST(failures_leave_nothing)
{
    static const char *const point[] = {"begin", "create", "write", "finish"};
    bal_h5ad *f = open_input("in7.h5ad", false);
    bal_out_source source = make_source(f);
    char want[32];

    bal_fault_set_rank(comm.rank);
    for (int i = 0; i < 4 * comm.size; i++) {
        snprintf(want, sizeof want, "%s:%d", point[i % 4], i / 4);
        setenv("BAL_FAULT", want, 1);
        bal_verdict st =
            produce_with(source, NULL, false, files_path("out7.h5ad"));
        unsetenv("BAL_FAULT");
        all_assert(st.code == BAL_EIO && error_has(point[i % 4]));
        all_assert(!is_there("out7.h5ad") && !has_partial("out7.h5ad"));
        bal_error_clear();
    }
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}
END_TEST

static void set_up(void)
{
    bal_comm_init(&comm, MPI_COMM_WORLD);
    files_begin(&comm);
}

static void tear_down(void)
{
    files_end(&comm);
    bal_comm_finish(&comm);
}

static Suite *suite(void)
{
    Suite *s = suite_create("h5ad_out");
    TCase *t = tcase_create("files");

    tcase_add_unchecked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 0);
    tcase_add_test(t, writes_what_is_planned);
    tcase_add_test(t, replaces_an_earlier_run);
    tcase_add_test(t, a_stale_partial_stays);
    tcase_add_test(t, does_not_overwrite);
    tcase_add_test(t, an_original_is_not_overwritten);
    tcase_add_test(t, failures_leave_nothing);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    return mpi_check_run(suite(), argc, argv);
}
