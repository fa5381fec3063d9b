/* Where a file may be written, new files, and more columns than an old group
 * can list. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/mem.h"
#include "balans/io/h5.h"
#include "balans/io/h5ad_out.h"
#include "balans/par/layout.h"
#include "files_fixture.h"
#include "mpi_check.h"

enum { N = 11, D = 3 };

static void refuse_path(const char *path, const char *input, bool force,
                        const char *part)
{
    bal_error_clear();
    bal_verdict st = bal_h5ad_out_check(&comm, path, input, force);
    all_assert(st.code == BAL_EIO || st.code == BAL_EUSAGE);
    all_assert_msg(error_has(part), "%s", bal_error_get()->text);
    bal_error_clear();
}

START_TEST(paths_that_cannot_be_written)
{
    char input[512];

    snprintf(input, sizeof input, "%s", files_path("in.h5ad"));
    if (comm.rank == 0) {
        H5Fclose(files_create("in.h5ad", N, D));
        (void)!symlink(input, files_path("link.h5ad"));
        (void)!link(input, files_path("copy.h5ad"));
    }
    MPI_Barrier(comm.mpi);
    refuse_path(input, input, true, "the input and the output are one");
    refuse_path(files_path("link.h5ad"), input, true, "are one file");
    refuse_path(files_path("copy.h5ad"), input, true, "are one file");
    refuse_path(files_path("none/x.h5ad"), input, false, "no folder");
    refuse_path(files_path("."), input, true, "folder");
    refuse_path(files_path("x/"), input, true, "folder");
    all_assert(!bal_failed(
        bal_h5ad_out_check(&comm, files_path("y.h5ad"), input, false)));
}
END_TEST

/* The last rank writes the first slab, and so on. */
static bal_verdict write_rows(bal_h5ad_out *o, const char *array, bal_size d)
{
    int r = comm.size - 1 - comm.rank;
    bal_gidx first = bal_slab_first(N, r, comm.size);
    bal_size m = bal_slab_first(N, r + 1, comm.size) - first;
    float value[N * D];

    for (bal_size i = 0; i < m * d; i++)
        value[i] = (float)(first * d + i);
    return bal_h5ad_out_write(o, array, first, m, value);
}

START_TEST(a_new_file)
{
    static const bal_array array[] = {
        {"X", BAL_F32, N, D, false, false},
        {"obs/balans_coverage", BAL_F32, N, 0, false, false},
    };
    bal_out_plan plan = {.array = array, .arrays = 2};
    bal_h5ad_out *o = NULL;
    bal_h5ad *f = NULL;
    bal_matrix_info info;

    bal_error_clear();
    bal_verdict st =
        bal_h5ad_out_begin(&comm, files_path("new.h5ad"), NULL, false, &o);
    if (!bal_failed(st))
        st = bal_h5ad_out_create(o, &plan);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert(!bal_failed(write_rows(o, "X", D)));
    all_assert(!bal_failed(write_rows(o, "obs/balans_coverage", 1)));
    all_assert(!bal_failed(bal_h5ad_out_finish(&o, NULL)) && o == NULL);
    all_assert(!bal_failed(bal_h5ad_open(&comm, files_path("new.h5ad"), &f)));
    all_assert(!bal_failed(bal_h5ad_matrix_open(f, "X", &info)));
    all_assert(!bal_failed(bal_h5ad_matrix_load(f)));
    all_assert(info.n == N && info.d == D && bal_h5ad_rows(f) == N);
    float rows[N * D];
    bool right = !bal_failed(bal_h5ad_read_rows(f, 0, N, rows));
    for (int i = 0; i < N * D; i++)
        right = right && rows[i] == (float)i;
    all_assert(right);
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}
END_TEST

/* As many columns as a group of an old library can list, and one more. */
START_TEST(one_column_too_many)
{
    enum { MANY = 4080 };
    static const char *name[MANY];
    bal_h5ad *f = NULL;
    bal_h5_list order = {0};

    for (int i = 0; i < MANY; i++)
        name[i] = "c";
    if (comm.rank == 0) {
        hid_t file = files_create("many.h5ad", N, D);
        files_columns(file, name, MANY);
        files_numbers(file, "obs/c", H5T_STD_I8LE, (double[N]){0}, 1,
                      (hsize_t[]){N}, 0);
        H5Fclose(file);
    }
    MPI_Barrier(comm.mpi);
    bal_error_clear();
    all_assert(!bal_failed(bal_h5ad_open(&comm, files_path("many.h5ad"), &f)));
    bal_array array[64];
    char path[64][24];
    for (int i = 0; i < 64; i++) {
        snprintf(path[i], sizeof path[i], "obs/new%d", i);
        array[i] = (bal_array){path[i], BAL_I8, N, 0, false, false};
    }
    const char *column[64];
    for (int i = 0; i < 64; i++)
        column[i] = path[i] + 4;
    bal_out_source source = {.input = f, .column = column, .columns = 64};
    bal_out_plan plan = {.array = array, .arrays = 64};
    bal_h5ad_out *o = NULL;
    bal_verdict st = bal_h5ad_out_begin(&comm, files_path("more.h5ad"), &source,
                                        false, &o);
    if (!bal_failed(st))
        st = bal_h5ad_out_create(o, &plan);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert(!bal_failed(bal_h5ad_out_finish(&o, NULL)));
    bal_h5ad_close(&f);
    hid_t file = H5I_INVALID_HID;
    (void)bal_h5_open(files_path("more.h5ad"), BAL_H5_READ, NULL, &file);
    hid_t obs = bal_h5_find(file, "obs");
    (void)bal_h5_get_list(obs, "column-order", &order);
    all_assert(order.count == MANY + 64);
    bal_h5_list_free(&order);
    bal_h5_close(&obs);
    bal_h5_close(&file);
    all_assert(bal_mem_held() == 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("h5ad_out_edges");
    TCase *t = tcase_create("files");

    tcase_add_unchecked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 0);
    tcase_add_test(t, paths_that_cannot_be_written);
    tcase_add_test(t, a_new_file);
    tcase_add_test(t, one_column_too_many);
    suite_add_tcase(s, t);
    return mpi_check_run(s, argc, argv);
}
