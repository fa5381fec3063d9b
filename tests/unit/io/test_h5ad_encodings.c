/* Files written by Python (tests/support/make_h5ad.py), one for each encoding
 * of the format.  All hold the same matrix and the same batches.  What reading
 * must do whether or not Python is there, test_h5ad.c tests. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/h5ad.h"
#include "balans/par/layout.h"
#include "h5ad_files.h"
#include "mpi_check.h"

enum { N = 13, D = 5 };

static bal_comm comm;
static bool have_files;

static float expected(bal_gidx i, bal_size j)
{
    return (float)((7 * i + 3 * j) % 11);
}

static const char *path_of(const char *name)
{
    char file[64];

    snprintf(file, sizeof file, "%s.h5ad", name);
    return files_path(file);
}

static bool error_has(const char *part)
{
    return strstr(bal_error_get()->text, part) != NULL;
}

/* Reads the slab in two panels and compares. */
static bool rows_are_right(bal_h5ad *f)
{
    bal_gidx first = bal_slab_first(N, comm.rank, comm.size);
    bal_size m = bal_slab_first(N, comm.rank + 1, comm.size) - first;
    float rows[N * D];
    bool right = true;

    for (int half = 0; half < 2; half++) {
        bal_gidx from = first + (half == 0 ? 0 : m / 2);
        bal_size count = half == 0 ? m / 2 : m - m / 2;
        if (bal_failed(bal_h5ad_read_rows(f, from, count, rows)))
            return false;
        for (bal_size i = 0; i < count * D; i++)
            right = right && rows[i] == expected(from + i / D, i % D);
    }
    return right;
}

static void check_matrix(const char *file, const char *matrix, bal_storage how)
{
    bal_h5ad *f = NULL;
    bal_matrix_info info = {0};

    bal_error_clear();
    bal_verdict st = bal_h5ad_open(&comm, path_of(file), &f);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    st = bal_h5ad_matrix_open(f, matrix, &info);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    st = bal_h5ad_matrix_load(f);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert(bal_h5ad_rows(f) == N && info.n == N && info.d == D);
    all_assert(info.storage == how);
    bool right = rows_are_right(f);
    all_assert_msg(right, "%s %s: %s", file, matrix, bal_error_get()->text);
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}

static void check_labels(const char *file, const char *column,
                         const char *const name[3])
{
    bal_h5ad *f = NULL;
    bal_labels *l = NULL;

    bal_error_clear();
    bal_verdict st = bal_h5ad_open(&comm, path_of(file), &f);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    st = bal_h5ad_labels(f, column, "batch", &l);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    all_assert_msg(l->count == 3 && l->n == N, "%s", column);
    bool right = true;
    for (bal_size i = 0; i < l->m; i++)
        right = right &&
                strcmp(l->name[l->code[i]], name[5 * (l->first + i) % 3]) == 0;
    all_assert_msg(right, "%s", column);
    all_assert(l->size[0] == 5 && l->size[1] == 4 && l->size[2] == 4);
    bal_labels_destroy(&l);
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}

static void refuse_labels(const char *file, const char *column,
                          const char *part)
{
    bal_h5ad *f = NULL;
    bal_labels *l = NULL;

    bal_error_clear();
    all_assert(!bal_failed(bal_h5ad_open(&comm, path_of(file), &f)));
    bal_verdict st = bal_h5ad_labels(f, column, "batch", &l);
    all_assert(st.code == BAL_EINPUT && l == NULL);
    all_assert_msg(error_has(part), "%s", bal_error_get()->text);
    bal_error_clear();
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}

static void refuse_matrix(const char *file, const char *matrix,
                          const char *part)
{
    bal_h5ad *f = NULL;
    bal_matrix_info info;

    bal_error_clear();
    all_assert(!bal_failed(bal_h5ad_open(&comm, path_of(file), &f)));
    bal_verdict st = bal_h5ad_matrix_open(f, matrix, &info);
    all_assert(st.code == BAL_EINPUT);
    all_assert_msg(error_has(part), "%s", bal_error_get()->text);
    bal_error_clear();
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0);
}

/* Starts a test; false, with a word, where the files could not be made. */
static bool ready(const char *test)
{
    if (!have_files && comm.rank == 0)
        printf("%s: skipped: no python3 with h5py and anndata\n", test);
    return have_files;
}

START_TEST(dense_of_any_type)
{
    static const char *const type[] = {"f2", "f4", "f8", "i1", "u1", "i2",
                                       "u2", "i4", "u4", "i8", "u8"};
    char name[32];

    if (!ready("dense_of_any_type"))
        return;
    for (size_t i = 0; i < sizeof type / sizeof *type; i++) {
        snprintf(name, sizeof name, "dense_%s", type[i]);
        check_matrix(name, "X", BAL_DENSE);
    }
}
END_TEST

START_TEST(dense_with_filters)
{
    if (!ready("dense_with_filters"))
        return;
    check_matrix("gzip", "X", BAL_DENSE);
    check_matrix("lzf", "X", BAL_DENSE);
    check_matrix("chunks", "X", BAL_DENSE);
}
END_TEST

START_TEST(sparse_of_any_type)
{
    static const char *const type[] = {"f4",       "f8",       "i4",      "i8",
                                       "i8_index", "u4_index", "u8_index"};
    char name[32];

    if (!ready("sparse_of_any_type"))
        return;
    for (size_t i = 0; i < sizeof type / sizeof *type; i++) {
        snprintf(name, sizeof name, "csr_%s", type[i]);
        check_matrix(name, "X", BAL_CSR);
        snprintf(name, sizeof name, "csc_%s", type[i]);
        check_matrix(name, "X", BAL_CSC);
    }
    check_matrix("csr_gzip", "X", BAL_CSR);
}
END_TEST

START_TEST(layers_and_obsm)
{
    if (!ready("layers_and_obsm"))
        return;
    check_matrix("layers", "layers/dense", BAL_DENSE);
    check_matrix("layers", "layers/csc", BAL_CSC);
    check_matrix("layers", "obsm/dense", BAL_DENSE);
    check_matrix("layers", "obsm/csr", BAL_CSR);
    refuse_matrix("layers", "obsm/frame", "data frame");
    refuse_matrix("layers", "layers/none",
                  "X, layers/csc, layers/dense, obsm/csr");
    refuse_matrix("layers", "obs/real", "not found");
}
END_TEST

START_TEST(x_may_be_absent)
{
    if (!ready("x_may_be_absent"))
        return;
    check_matrix("no_x", "layers/only", BAL_DENSE);
    refuse_matrix("no_x", "X", "which has: layers/only");
}
END_TEST

START_TEST(names_of_matrices)
{
    bal_h5ad *f = NULL;
    char **name = NULL;
    bal_size count = 0;

    if (!ready("names_of_matrices"))
        return;
    all_assert(!bal_failed(bal_h5ad_open(&comm, path_of("layers"), &f)));
    all_assert(!bal_failed(bal_h5ad_matrices(f, &name, &count)));
    all_assert(count == 5 && strcmp(name[0], "X") == 0);
    all_assert(strcmp(name[1], "layers/csc") == 0);
    all_assert(strcmp(name[4], "obsm/dense") == 0);
    bal_h5ad_names_free(&name, count);
    bal_h5ad_close(&f);
    all_assert(bal_mem_held() == 0 && bal_error_get()->code == BAL_OK);
}
END_TEST

static const char *const text[3] = {"b0", "b1", "b2"};
static const char *const number[3] = {"0", "1", "2"};

START_TEST(columns)
{
    if (!ready("columns"))
        return;
    check_labels("dense_f4", "cat", text);
    check_labels("dense_f4", "ordered", text);
    check_labels("dense_f4", "text", text);
    check_labels("dense_f4", "fixed", text);
    check_labels("dense_f4", "intcat", number);
    check_labels("dense_f4", "floatcat", number);
    check_labels("dense_f4", "int", number);
    check_labels("dense_f4", "uint8", number);
    check_labels("dense_f4", "maybe", number);
    check_labels("gzip", "text", text);
    check_labels("lzf", "cat", text);
}
END_TEST

START_TEST(missing_values)
{
    if (!ready("missing_values"))
        return;
    refuse_labels("dense_f4", "hole", "row 4 has no value");
    refuse_labels("dense_f4", "catna", "row 6 has no value");
    refuse_labels("nullable_strings", "holes", "row 3 has no value");
}
END_TEST

START_TEST(columns_that_name_no_groups)
{
    if (!ready("columns_that_name_no_groups"))
        return;
    refuse_labels("dense_f4", "real", "holds 0.5, which is no whole");
    refuse_labels("dense_f4", "Batch", "batch column 'Batch' not found in '");
    refuse_labels("dense_f4", "Batch", "'; obs has: cat, ordered, intcat");
    refuse_labels("dense_f4", "/X", "not found");
    refuse_labels("dense_f4", "", "not found");
}
END_TEST

/* Trap 1: the index, and columns, as nullable-string-array groups. */
START_TEST(index_may_be_a_group)
{
    if (!ready("index_may_be_a_group"))
        return;
    check_matrix("nullable_strings", "X", BAL_DENSE);
    check_labels("nullable_strings", "text", text);
}
END_TEST

/* Trap 2: an empty column-order is an array of float64. */
START_TEST(no_columns)
{
    if (!ready("no_columns"))
        return;
    check_matrix("no_columns", "X", BAL_DENSE);
    refuse_labels("no_columns", "batch", "obs has: none");
}
END_TEST

/* Trap 3: the index has a name of its own. */
START_TEST(named_index)
{
    if (!ready("named_index"))
        return;
    check_matrix("named_index", "X", BAL_DENSE);
    check_labels("named_index", "text", text);
    refuse_labels("named_index", "well ", "not found");
}
END_TEST

/* Trap 5, and links. */
START_TEST(slashes_and_links)
{
    if (!ready("slashes_and_links"))
        return;
    check_matrix("slash", "X", BAL_DENSE);
    check_matrix("slash", "layers/by/name", BAL_DENSE);
    check_labels("slash", "plate/id", number);
    refuse_labels("slash", "plate", "not a column");
    refuse_matrix("slash", "layers/by", "neither an array nor");
}
END_TEST

/* Trap 7: attributes beyond 64 KiB. */
START_TEST(many_columns)
{
    if (!ready("many_columns"))
        return;
    check_labels("4200_columns", "c4000", number);
    refuse_labels("4200_columns", "none", ", ...");
}
END_TEST

/* Trap 8: categoricals by reference. */
START_TEST(reference)
{
    if (!ready("reference"))
        return;
    check_labels("reference", "cat", text);
}
END_TEST

/* Trap 9: data frames as compound datasets. */
START_TEST(compound)
{
    bal_h5ad *f = NULL;

    if (!ready("compound"))
        return;
    bal_error_clear();
    bal_verdict st = bal_h5ad_open(&comm, path_of("compound"), &f);
    all_assert(st.code == BAL_EINPUT && f == NULL);
    all_assert_msg(error_has("before 0.7"), "%s", bal_error_get()->text);
    bal_error_clear();
    all_assert(bal_mem_held() == 0);
}
END_TEST

static void set_up(void)
{
    char command[1200];

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

static Suite *suite(void)
{
    Suite *s = suite_create("h5ad");
    TCase *t = tcase_create("python");

    tcase_add_unchecked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 0);
    tcase_add_test(t, dense_of_any_type);
    tcase_add_test(t, dense_with_filters);
    tcase_add_test(t, sparse_of_any_type);
    tcase_add_test(t, layers_and_obsm);
    tcase_add_test(t, x_may_be_absent);
    tcase_add_test(t, names_of_matrices);
    tcase_add_test(t, columns);
    tcase_add_test(t, missing_values);
    tcase_add_test(t, columns_that_name_no_groups);
    tcase_add_test(t, index_may_be_a_group);
    tcase_add_test(t, no_columns);
    tcase_add_test(t, named_index);
    tcase_add_test(t, slashes_and_links);
    tcase_add_test(t, many_columns);
    tcase_add_test(t, reference);
    tcase_add_test(t, compound);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    return mpi_check_run(suite(), argc, argv);
}
