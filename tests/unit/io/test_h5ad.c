/* Reading, with files that HDF5 alone has written: sparse matrices with entries
 * out of order and given twice, values that cannot be used, files that cannot
 * be opened.  test_h5ad_encodings.c has the encodings that Python writes. */
#define _POSIX_C_SOURCE 200809L
#include "balans/io/h5ad.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "h5ad_files.h"
#include "mpi_check.h"

enum { N = 7, D = 4 };

static bal_comm comm;

static bool error_has(const char *part)
{
    return strstr(bal_error_get()->text, part) != NULL;
}

static void filled(double *x)
{
    for (int i = 0; i < N * D; i++)
        x[i] = i % 5 - 2;
}

/* Calls `add` with a new file on rank 0, then opens it on all. */
static bal_h5ad *make(const char *name, void (*add)(hid_t file))
{
    bal_h5ad *f = NULL;

    if (comm.rank == 0) {
        hid_t file = files_create(name, N, D);
        add(file);
        H5Fclose(file);
    }
    MPI_Barrier(comm.mpi);
    bal_error_clear();
    bal_verdict st = bal_h5ad_open(&comm, files_path(name), &f);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    return f;
}

static void open_matrix(bal_h5ad *f, const char *name, bal_storage how)
{
    bal_matrix_info info = {0};
    bal_verdict st = bal_h5ad_matrix_open(f, name, &info);

    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert(info.storage == how && info.n == N && info.d == D);
}

/* Loads the open matrix and reads each rank's slab; [N, D], the rest as is. */
static bal_verdict read_slab(bal_h5ad *f, float *rows)
{
    bal_gidx first = bal_slab_first(N, comm.rank, comm.size);
    bal_size m = bal_slab_first(N, comm.rank + 1, comm.size) - first;

    bal_verdict st = bal_h5ad_matrix_load(f);
    if (bal_failed(st))
        return st;
    return bal_agree(&comm, bal_h5ad_read_rows(f, first, m, rows + first * D));
}

static bool slab_is(const float *rows, const double *want)
{
    bal_gidx first = bal_slab_first(N, comm.rank, comm.size) * D;
    bal_gidx end = bal_slab_first(N, comm.rank + 1, comm.size) * D;

    for (bal_gidx i = first; i < end; i++)
        if (rows[i] != (float)want[i])
            return false;
    return true;
}

static void check_matrix(bal_h5ad *f, const char *name, bal_storage how,
                         const double *want)
{
    float rows[N * D];

    open_matrix(f, name, how);
    bal_verdict st = read_slab(f, rows);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert_msg(slab_is(rows, want), "%s", name);
}

static void refuse_matrix(bal_h5ad *f, const char *name, const char *part)
{
    bal_matrix_info info;
    bal_verdict st = bal_h5ad_matrix_open(f, name, &info);

    all_assert(st.code == BAL_EINPUT);
    all_assert_msg(error_has(part), "%s", bal_error_get()->text);
    bal_error_clear();
}

static void refuse_rows(bal_h5ad *f, const char *name, bal_storage how,
                        const char *part)
{
    float rows[N * D];

    open_matrix(f, name, how);
    all_assert(read_slab(f, rows).code == BAL_EINPUT);
    all_assert_msg(error_has(part), "%s", bal_error_get()->text);
    bal_error_clear();
}

static void finish(bal_h5ad *f)
{
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}

/* ---- Dense ---- */

static void add_dense(hid_t file)
{
    double x[N * D];
    const hsize_t extent[2] = {N, D};
    hid_t flag = H5Tenum_create(H5T_STD_I8LE);

    filled(x);
    files_numbers(file, "X", H5T_IEEE_F64BE, x, 2, extent, 0);
    files_numbers(file, "layers/chunked", H5T_IEEE_F32LE, x, 2, extent, 3);
    files_numbers(file, "obsm/int", H5T_STD_I16LE, x, 2, extent, 0);
    H5Tenum_insert(flag, "FALSE", &(signed char){0});
    H5Tenum_insert(flag, "TRUE", &(signed char){1});
    hid_t space = H5Screate_simple(2, extent, NULL);
    hid_t d = H5Dcreate2(file, "obsm/bool", flag, space, H5P_DEFAULT,
                         H5P_DEFAULT, H5P_DEFAULT);
    signed char value[N * D] = {0, 1, 1, 0, 1};
    H5Dwrite(d, flag, H5S_ALL, H5S_ALL, H5P_DEFAULT, value);
    H5Dclose(d);
    H5Sclose(space);
    H5Tclose(flag);
}

START_TEST(dense)
{
    double x[N * D], flags[N * D] = {0, 1, 1, 0, 1};
    bal_h5ad *f = make("dense.h5ad", add_dense);

    filled(x);
    check_matrix(f, "X", BAL_DENSE, x);
    check_matrix(f, "layers/chunked", BAL_DENSE, x);
    check_matrix(f, "obsm/int", BAL_DENSE, x);
    check_matrix(f, "obsm/bool", BAL_DENSE, flags);
    finish(f);
}
END_TEST

/* ---- Sparse ---- */

/* Row 1 has column 2 twice and its columns descend; rows 2 and 6 are empty. */
static const double csr_data[] = {1, 5, 0.25, 0.5, 2, 7, 8, 9, 3};
static const double csr_indices[] = {3, 3, 2, 2, 0, 1, 1, 2, 0};
static const double csr_indptr[] = {0, 1, 5, 5, 6, 8, 9, 9};
static const double csr_dense[N * D] = {
    0, 0, 0, 1, 2, 0, 0.75, 5, 0, 0, 0, 0, 0, 7,
    0, 0, 0, 8, 9, 0, 3,    0, 0, 0, 0, 0, 0, 0,
};

/* The same by columns; column 2 has row 1 twice, and row 4 before it. */
static const double csc_data[] = {2, 3, 8, 7, 9, 0.25, 0.5, 1, 5};
static const double csc_indices[] = {1, 5, 4, 3, 4, 1, 1, 0, 1};
static const double csc_indptr[] = {0, 2, 4, 7, 9};

static void add_sparse(hid_t file)
{
    const int64_t shape[2] = {N, D};
    const double nothing[N + 1] = {0};
    double bad_indices[9], bad_indptr[N + 1], far[5];

    files_sparse(file, "X", "csr_matrix", shape, csr_data, csr_indices,
                 csr_indptr, 9, N + 1);
    files_sparse(file, "layers/csc", "csc_matrix", shape, csc_data, csc_indices,
                 csc_indptr, 9, D + 1);
    files_sparse(file, "layers/none_r", "csr_matrix", shape, nothing, nothing,
                 nothing, 0, N + 1);
    files_sparse(file, "layers/none_c", "csc_matrix", shape, nothing, nothing,
                 nothing, 0, D + 1);
    memcpy(bad_indices, csr_indices, sizeof bad_indices);
    bad_indices[6] = D;
    files_sparse(file, "obsm/wide", "csr_matrix", shape, csr_data, bad_indices,
                 csr_indptr, 9, N + 1);
    memcpy(bad_indptr, csr_indptr, sizeof bad_indptr);
    bad_indptr[2] = 0;
    files_sparse(file, "obsm/order", "csr_matrix", shape, csr_data, csr_indices,
                 bad_indptr, 9, N + 1);
    memcpy(bad_indices, csc_indices, sizeof bad_indices);
    bad_indices[8] = -1;
    files_sparse(file, "obsm/tall", "csc_matrix", shape, csc_data, bad_indices,
                 csc_indptr, 9, D + 1);
    memcpy(far, csc_indptr, sizeof far);
    far[4] = 10;
    files_sparse(file, "obsm/far", "csc_matrix", shape, csc_data, csc_indices,
                 far, 9, D + 1);
    files_sparse(file, "obsm/short", "csr_matrix", shape, csr_data, csr_indices,
                 csr_indptr, 9, N);
}

START_TEST(sparse)
{
    const double nothing[N * D] = {0};
    bal_h5ad *f = make("sparse.h5ad", add_sparse);

    check_matrix(f, "X", BAL_CSR, csr_dense);
    check_matrix(f, "layers/csc", BAL_CSC, csr_dense);
    check_matrix(f, "layers/none_r", BAL_CSR, nothing);
    check_matrix(f, "layers/none_c", BAL_CSC, nothing);
    finish(f);
}
END_TEST

START_TEST(sparse_out_of_range)
{
    bal_h5ad *f = make("sparse2.h5ad", add_sparse);

    refuse_rows(f, "obsm/wide", BAL_CSR, "row 4 has an entry in column 4 of 4");
    refuse_rows(f, "obsm/order", BAL_CSR, "'indptr' is out of order");
    /* Only reading them tells. */
    refuse_rows(f, "obsm/tall", BAL_CSC, "entry 8 of its 'indices' is -1");
    refuse_rows(f, "obsm/far", BAL_CSC, "order or out of range");
    refuse_matrix(f, "obsm/short", "do not fit its shape");
    finish(f);
}
END_TEST

/* ---- Values and shapes that cannot be used ---- */

static void add_bad(hid_t file)
{
    double x[N * D], data[9];
    const hsize_t extent[2] = {N, D}, tall[2] = {N + 1, D}, flat[2] = {N, 0};
    const int64_t shape[2] = {N, D};
    static const char *const text[N] = {"a", "b", "c", "d", "e", "f", "g"};

    filled(x);
    x[4 * D + 3] = NAN;
    x[6 * D] = NAN;
    files_numbers(file, "X", H5T_IEEE_F32LE, x, 2, extent, 0);
    x[4 * D + 3] = -INFINITY;
    files_numbers(file, "layers/inf", H5T_IEEE_F64LE, x, 2, extent, 2);
    x[4 * D + 3] = 1e300;
    files_numbers(file, "layers/large", H5T_IEEE_F64LE, x, 2, extent, 0);
    files_numbers(file, "obsm/large", H5T_IEEE_F64LE, x, 2, extent, 0);
    files_numbers(file, "obsm/tall", H5T_IEEE_F64LE, (double[(N + 1) * D]){0},
                  2, tall, 0);
    files_numbers(file, "obsm/flat", H5T_IEEE_F64LE, x, 2, flat, 0);
    files_numbers(file, "obsm/vector", H5T_IEEE_F64LE, x, 1, extent, 0);
    files_texts(file, "obsm/text", text, N, false);
    memcpy(data, csr_data, sizeof data);
    data[5] = NAN;
    files_sparse(file, "layers/csr", "csr_matrix", shape, data, csr_indices,
                 csr_indptr, 9, N + 1);
}

START_TEST(not_finite)
{
    bal_h5ad *f = make("bad.h5ad", add_bad);

    refuse_rows(
        f, "X", BAL_DENSE,
        "matrix 'X': row 4, feature 3 ('feature3') is not finite (nan)");
    refuse_rows(f, "layers/inf", BAL_DENSE,
                "row 4, feature 3 ('feature3') is not finite (-inf)");
    refuse_rows(f, "layers/large", BAL_DENSE,
                "row 4, feature 3 ('feature3') is 1e+300, which float32");
    refuse_rows(f, "obsm/large", BAL_DENSE, "row 4, feature 3 is 1e+300");
    refuse_rows(f, "layers/csr", BAL_CSR,
                "row 3, feature 1 ('feature1') is not finite (nan)");
    finish(f);
}
END_TEST

START_TEST(shapes)
{
    bal_h5ad *f = make("shapes.h5ad", add_bad);

    refuse_matrix(f, "obsm/tall", "it has 8 rows, but obs has 7");
    refuse_matrix(f, "obsm/flat", "it has no columns");
    refuse_matrix(f, "obsm/vector", "two dimensions");
    refuse_matrix(f, "obsm/text", "two dimensions");
    refuse_matrix(f, "layers/x", "matrix 'layers/x' not found in '");
    refuse_matrix(f, "layers/x", "X, layers/csr, layers/inf, layers/large");
    refuse_matrix(f, "uns/x", "not found");
    finish(f);
}
END_TEST

static void add_filter(hid_t file)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t extent[2] = {N, D};
    hid_t space = H5Screate_simple(2, extent, NULL);

    H5Pset_chunk(dcpl, 2, extent);
    H5Pset_filter(dcpl, 32015, H5Z_FLAG_OPTIONAL, 0, NULL);
    H5Dclose(H5Dcreate2(file, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, dcpl,
                        H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(dcpl);
}

START_TEST(filter_that_is_not_there)
{
    bal_h5ad *f = make("zstd.h5ad", add_filter);

    refuse_matrix(f, "X", "lacks the compression filter 'zstd' (32015)");
    finish(f);
}
END_TEST

/* ---- Columns ---- */

static void add_columns(hid_t file)
{
    static const char *const name[] = {"unused", "y", "x", ""};
    static const char *const text[N] = {"y", "x", "", "y", "x", "", "y"};
    static const char *const column[] = {"cat", "vlen", "fixed", "int"};
    static const int code[N] = {1, 2, 3, 1, 2, 3, 1};
    static const int hole[N] = {1, 2, 3, 1, -1, -1, 1};
    static const int wild[N] = {1, 2, 3, 1, 4, 3, 1};
    const double number[N] = {10, -9, 2, 10, -9, 2, 10};
    const hsize_t extent = N;

    files_categorical(file, "obs/cat", name, 4, code, N);
    files_categorical(file, "obs/hole", name, 4, hole, N);
    files_categorical(file, "obs/wild", name, 4, wild, N);
    files_texts(file, "obs/vlen", text, N, false);
    files_texts(file, "obs/fixed", text, N, true);
    files_numbers(file, "obs/int", H5T_STD_I16LE, number, 1, &extent, 0);
    files_numbers(file, "obs/real", H5T_IEEE_F32LE, number, 1, &extent, 0);
    files_columns(file, column, 4);
}

static void check_labels(bal_h5ad *f, const char *column,
                         const char *const want[3], const int code[3])
{
    bal_labels *l = NULL;
    bal_verdict st = bal_h5ad_labels(f, column, "batch", &l);
    bool right = true;

    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert(l->count == 3 && l->n == N);
    for (int i = 0; i < 3; i++)
        right = right && strcmp(l->name[i], want[i]) == 0;
    for (bal_size i = 0; i < l->m; i++)
        right = right && l->code[i] == code[(l->first + i) % 3];
    all_assert_msg(right, "%s", column);
    bal_labels_destroy(&l);
}

static void refuse_labels(bal_h5ad *f, const char *column, const char *part)
{
    bal_labels *l = NULL;
    bal_verdict st = bal_h5ad_labels(f, column, "batch", &l);

    all_assert(st.code == BAL_EINPUT && l == NULL);
    all_assert_msg(error_has(part), "%s", bal_error_get()->text);
    bal_error_clear();
}

START_TEST(columns)
{
    static const char *const text[] = {"", "x", "y"};
    static const char *const number[] = {"-9", "2", "10"};
    bal_h5ad *f = make("columns.h5ad", add_columns);

    check_labels(f, "cat", text, (int[]){2, 1, 0});
    check_labels(f, "vlen", text, (int[]){2, 1, 0});
    check_labels(f, "fixed", text, (int[]){2, 1, 0});
    check_labels(f, "int", number, (int[]){2, 0, 1});
    check_labels(f, "real", number, (int[]){2, 0, 1});
    refuse_labels(f, "hole", "batch column 'hole': row 4 has no value");
    refuse_labels(f, "wild", "row 4 has the code 4, but there are 4 cat");
    refuse_labels(f, "Cat", "batch column 'Cat' not found in '");
    refuse_labels(f, "Cat", "obs has: cat, vlen, fixed, int");
    refuse_labels(f, "cat/nothing", "not found");
    finish(f);
}
END_TEST

/* ---- Files that cannot be opened ---- */

static void refuse_file(const char *path, const char *part)
{
    bal_h5ad *f = NULL;

    bal_error_clear();
    bal_verdict st = bal_h5ad_open(&comm, path, &f);
    all_assert(st.code == BAL_EINPUT && f == NULL);
    all_assert_msg(error_has(part), "%s", bal_error_get()->text);
    bal_error_clear();
    all_assert(bal_mem_held() == 0);
}

static void add_nothing(hid_t file)
{
    (void)file;
}

START_TEST(files_that_are_none)
{
    bal_h5ad *f = make("whole.h5ad", add_dense);

    finish(f);
    f = make("no_var.h5ad", add_nothing);
    finish(f);
    if (comm.rank == 0) {
        hid_t file =
            H5Fopen(files_path("no_var.h5ad"), H5F_ACC_RDWR, H5P_DEFAULT);
        H5Ldelete(file, "var", H5P_DEFAULT);
        H5Fclose(file);
        FILE *text = fopen(files_path("text"), "w");
        fputs("well,batch\n", text);
        fclose(text);
        (void)!truncate(files_path("whole.h5ad"), 3000);
    }
    MPI_Barrier(comm.mpi);
    refuse_file(files_path("nothing.h5ad"), "there is no such file");
    refuse_file(files_path("."), "it is a folder");
    refuse_file(files_path("text"), "it is not an HDF5 file");
    refuse_file(files_path("whole.h5ad"), "truncated");
    refuse_file(files_path("no_var.h5ad"), "not an AnnData file");
}
END_TEST

/* A failure of any rank is everyone's, and nobody waits. */
START_TEST(failures_on_each_rank)
{
    char want[32];
    bal_h5ad *f = NULL;
    bal_labels *l = NULL;
    float rows[N * D];

    bal_fault_set_rank(comm.rank);
    for (int r = 0; r < comm.size; r++) {
        f = make("fault.h5ad", add_columns);
        snprintf(want, sizeof want, "batches:%d", r);
        setenv("BAL_FAULT", want, 1);
        all_assert(bal_h5ad_labels(f, "cat", "batch", &l).code == BAL_EIO);
        finish(f);
        f = make("fault.h5ad", add_dense);
        open_matrix(f, "X", BAL_DENSE);
        snprintf(want, sizeof want, "read:%d", r);
        setenv("BAL_FAULT", want, 1);
        all_assert(read_slab(f, rows).code == BAL_EIO);
        finish(f);
        snprintf(want, sizeof want, "open:%d", r);
        setenv("BAL_FAULT", want, 1);
        bal_error_clear();
        bal_verdict st = bal_h5ad_open(&comm, files_path("fault.h5ad"), &f);
        all_assert(st.code == BAL_EIO && f == NULL);
        unsetenv("BAL_FAULT");
    }
    bal_error_clear();
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

int main(int argc, char **argv)
{
    Suite *s = suite_create("h5ad");
    TCase *t = tcase_create("files");

    tcase_add_unchecked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 0);
    tcase_add_test(t, dense);
    tcase_add_test(t, sparse);
    tcase_add_test(t, sparse_out_of_range);
    tcase_add_test(t, not_finite);
    tcase_add_test(t, shapes);
    tcase_add_test(t, filter_that_is_not_there);
    tcase_add_test(t, columns);
    tcase_add_test(t, files_that_are_none);
    tcase_add_test(t, failures_on_each_rank);
    suite_add_tcase(s, t);
    return mpi_check_run(s, argc, argv);
}
