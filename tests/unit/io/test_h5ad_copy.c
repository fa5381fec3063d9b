/* Whole files through the reader and the writer, and then through anndata
 * (tests/cli/check_anndata.py): real ones, and those of make_h5ad.py. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/h5ad.h"
#include "balans/io/h5ad_out.h"
#include "balans/par/layout.h"
#include "h5ad_files.h"
#include "mpi_check.h"

enum { MARKS = 2 };

static bal_comm comm;
static bool have_files;

/* Writes the rows of this rank as they were read, and simple things else. */
static bal_verdict fill(bal_h5ad_out *o, const bal_matrix_info *info,
                        float *rows)
{
    bal_gidx first = bal_slab_first(info->n, comm.rank, comm.size);
    bal_size m = bal_slab_first(info->n, comm.rank + 1, comm.size) - first;
    bal_size here = comm.rank == 0 ? 1 : 0;
    static const int64_t mark[] = {0, 1}, pointer[] = {0, 1, 2};
    static const float one[] = {1, 1};
    bal_verdict st;

    BAL_TRY(bal_h5ad_out_write(o, info->name, first, m, rows));
    for (bal_size i = 0; i < m; i++)
        rows[i] = 0.5F;
    BAL_TRY(bal_h5ad_out_write(o, "obs/balans_coverage", first, m, rows));
    BAL_TRY(
        bal_h5ad_out_write(o, "uns/balans/landmarks", 0, MARKS * here, mark));
    BAL_TRY(bal_h5ad_out_write(o, "uns/balans/affinity/data", 0, MARKS * here,
                               one));
    BAL_TRY(bal_h5ad_out_write(o, "uns/balans/affinity/indices", 0,
                               MARKS * here, mark));
    BAL_TRY(bal_h5ad_out_write(o, "uns/balans/affinity/indptr", 0, 3 * here,
                               pointer));
done:
    return st;
}

static bal_verdict create(bal_h5ad *f, const bal_matrix_info *info,
                          bal_h5ad_out **o)
{
    bal_array array[] = {
        {info->name, BAL_F32, info->n, info->d, true, false},
        {"obs/balans_coverage", BAL_F32, info->n, 0, false, false},
        {"uns/balans/landmarks", BAL_I64, MARKS, 0, false, false},
    };
    bal_csr_array csr = {"uns/balans/affinity", MARKS, info->n, MARKS};
    json_t *uns = json_pack("{s:s}", "version", "1");
    static const char *const column[] = {"balans_coverage"};
    bal_out_source source = {.input = f,
                             .replace = info->name,
                             .keep_as = "layers/original",
                             .column = column,
                             .columns = 1};
    bal_out_plan plan = {.array = array,
                         .arrays = 3,
                         .csr = &csr,
                         .csrs = 1,
                         .uns = uns};

    bal_verdict st =
        bal_h5ad_out_begin(&comm, files_path("out.h5ad"), &source, true, o);
    if (!bal_failed(st))
        st = bal_h5ad_out_create(*o, &plan);
    json_decref(uns);
    return st;
}

static bal_verdict copy(const char *path, const char *matrix)
{
    json_t *late = json_pack("{s:i}", "ranks", 1);
    bal_h5ad *f = NULL;
    bal_h5ad_out *o = NULL;
    bal_matrix_info info;
    float *rows = NULL;
    bal_verdict st;

    BAL_TRY(bal_h5ad_open(&comm, path, &f));
    BAL_TRY(bal_h5ad_matrix_open(f, matrix, &info));
    BAL_TRY(bal_h5ad_matrix_load(f));
    bal_gidx first = bal_slab_first(info.n, comm.rank, comm.size);
    bal_size m = bal_slab_first(info.n, comm.rank + 1, comm.size) - first;
    (void)bal_alloc(&rows, m * info.d, "rows");
    all_assert(!bal_failed(bal_h5ad_read_rows(f, first, m, rows)));
    BAL_TRY(create(f, &info, &o));
    BAL_TRY(fill(o, &info, rows));
    BAL_TRY(bal_h5ad_out_finish(&o, late));
done:
    bal_h5ad_out_discard(&o);
    bal_h5ad_close(&f);
    bal_free(&rows);
    json_decref(late);
    return st;
}

static void check_copy(const char *path, const char *matrix, bool by_python)
{
    char command[2048], kept[512];

    snprintf(kept, sizeof kept, "%s", path);
    bal_error_clear();
    bal_verdict st = copy(kept, matrix);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert(bal_mem_held() == 0);
    if (!by_python)
        return;
    snprintf(command, sizeof command,
             "/usr/bin/python3 '%s' '%s' '%s' --matrix %s --affinity "
             "--original > '%s' 2>&1 || { cat '%s'; false; }",
             files_source("tests/cli/check_anndata.py"), kept,
             files_path("out.h5ad"), matrix, files_path("log"),
             files_path("log"));
    all_assert_msg(files_run(&comm, command), "%s", kept);
}

static void check_labels(const char *path, const char *column, bal_size count,
                         const char *first)
{
    bal_h5ad *f = NULL;
    bal_labels *l = NULL;

    bal_error_clear();
    all_assert(!bal_failed(bal_h5ad_open(&comm, path, &f)));
    bal_verdict st = bal_h5ad_labels(f, column, "label", &l);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert_msg(l->count == count, "%lld", (long long)l->count);
    all_assert_msg(strcmp(l->name[0], first) == 0, "%s", l->name[0]);
    bal_labels_destroy(&l);
    bal_h5ad_close(&f);
}

START_TEST(varchamp)
{
    const char *path = files_real(&comm, "varchamp_b20_21.h5ad");
    bal_h5ad *f = NULL;
    bal_matrix_info info;

    if (path == NULL)
        return;
    check_copy(path, "X", have_files);
    path = files_real(&comm, "varchamp_b20_21.h5ad");
    all_assert(!bal_failed(bal_h5ad_open(&comm, path, &f)));
    all_assert(!bal_failed(bal_h5ad_matrix_open(f, "X", &info)));
    all_assert(info.n == 2240 && info.d == 240 && info.chunked);
    bal_h5ad_close(&f);
    bal_labels *l = NULL;
    all_assert(!bal_failed(bal_h5ad_open(&comm, path, &f)));
    all_assert(!bal_failed(bal_h5ad_labels(f, "batch", "batch", &l)));
    all_assert(l->count == 2 && l->size[0] == 1120 && l->size[1] == 1120);
    bal_labels_destroy(&l);
    all_assert(!bal_failed(bal_h5ad_labels(f, "label", "label", &l)));
    all_assert(l->count == 259);
    bal_labels_destroy(&l);
    bal_h5ad_close(&f);
}
END_TEST

START_TEST(cmqtl)
{
    const char *path = files_real(&comm, "cmqtl_crispri.h5ad");

    if (path != NULL)
        check_copy(path, "X", have_files);
}
END_TEST

/* Trap 8: everything of anndata 0.7. */
START_TEST(anndata_0_7)
{
    const char *path = files_real(&comm, "anndata-v0.7.0.h5ad");

    if (path == NULL)
        return;
    check_copy(path, "X", have_files);
    path = files_real(&comm, "anndata-v0.7.0.h5ad");
    check_copy(path, "layers/array", have_files);
    path = files_real(&comm, "anndata-v0.7.0.h5ad");
    check_labels(path, "obs_cat", 22, "B");
}
END_TEST

START_TEST(every_encoding)
{
    static const char *const name[] = {
        "lzf.h5ad",       "csc_i8.h5ad",       "no_columns.h5ad",
        "reference.h5ad", "4200_columns.h5ad",
    };

    if (!have_files && comm.rank == 0)
        printf("every_encoding: skipped: no python3 with h5py and anndata\n");
    for (size_t i = 0; have_files && i < sizeof name / sizeof *name; i++)
        check_copy(files_path(name[i]), "X", true);
    if (have_files) {
        check_copy(files_path("layers.h5ad"), "layers/csc", true);
        check_copy(files_path("gzip.h5ad"), "X", false);
        check_copy(files_path("named_index.h5ad"), "X", false);
        check_copy(files_path("no_x.h5ad"), "layers/only", true);
        /* Older versions of anndata do not read these themselves. */
        check_copy(files_path("nullable_strings.h5ad"), "X", false);
        check_copy(files_path("slash.h5ad"), "X", false);
    }
}
END_TEST

static void set_up(void)
{
    char command[2048];

    bal_comm_init(&comm, MPI_COMM_WORLD);
    files_begin(&comm);
    snprintf(command, sizeof command,
             "/usr/bin/python3 -W ignore '%s' '%s' > '%s' 2>&1",
             files_source("tests/support/make_h5ad.py"), files_path("."),
             files_path("log"));
    have_files = files_run(&comm, command);
}

static void tear_down(void)
{
    files_end(&comm);
    bal_comm_finish(&comm);
}

int main(int argc, char **argv)
{
    Suite *s = suite_create("h5ad_copy");
    TCase *t = tcase_create("files");

    tcase_add_unchecked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 0);
    tcase_add_test(t, varchamp);
    tcase_add_test(t, cmqtl);
    tcase_add_test(t, anndata_0_7);
    tcase_add_test(t, every_encoding);
    suite_add_tcase(s, t);
    return mpi_check_run(s, argc, argv);
}
