#include "../../../src/linalg/scalapack.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/kernel/moments.h"
#include "mpi_check.h"
#include "reference_pca.h"

enum { N = 150, K = 6 };

static bal_comm comm;
static bal_grid grid;
static double matrix[N * N], copy[N * N], value[N], vector[N * N];
static double ref_value[N], ref_vector[N * N];

static void fill_random(void)
{
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = i; j < N; j++) {
            uint64_t r = bal_rng_u64(2, i, j, 0, 0);
            matrix[i * N + j] = matrix[j * N + i] = (double)r * 0x1p-63 - 1;
        }
}

/* Of rank 3, its features repeated. */
static void fill_deficient(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            matrix[i * N + j] = i % 3 == j % 3 ? 1 + i % 3 : 0;
}

/* Sets the upper triangle; the rest must not be read. */
static void spread_out(bal_spread *a, int n)
{
    for (int c = 0; c < a->columns_here; c++)
        for (int r = 0; r < a->rows_here; r++) {
            int64_t i = bal_grid_global(r, grid.row, grid.rows);
            int64_t j = bal_grid_global(c, grid.column, grid.columns);
            a->at[(bal_size)c * a->ld + r] = i <= j ? matrix[i * n + j] : 1e300;
        }
}

/* Columns 0 .. k-1 of a to rows of `out` on every rank. */
static void collect(const bal_spread *a, int k, double *out)
{
    int n = a->rows;

    memset(out, 0, (size_t)k * (size_t)n * sizeof *out);
    for (int c = 0; c < a->columns_here; c++)
        for (int r = 0; r < a->rows_here; r++) {
            int64_t i = bal_grid_global(r, grid.row, grid.rows);
            int64_t j = bal_grid_global(c, grid.column, grid.columns);
            if (j < k)
                out[j * n + i] = a->at[(bal_size)c * a->ld + r];
        }
    MPI_Allreduce(MPI_IN_PLACE, out, k * n, MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
}

static void solve(int n, int k)
{
    bal_spread a, v;

    all_assert(!bal_failed(bal_spread_init(&a, grid, n, n, "a test")));
    all_assert(!bal_failed(bal_spread_init(&v, grid, n, n, "a test")));
    spread_out(&a, n);
    bal_verdict st = bal_grid_eigh_largest(&comm, &a, k, value, &v);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    collect(&v, k, vector);
    bal_spread_finish(&a);
    bal_spread_finish(&v);
}

START_TEST(every_entry_has_one_owner)
{
    bal_spread a;
    int64_t held;

    all_assert(!bal_failed(bal_spread_init(&a, grid, N, 2 * N, "a test")));
    held = (int64_t)a.rows_here * a.columns_here;
    all_assert(held <= bal_grid_share(N, 2 * N, comm.size));
    for (int r = 0; r < a.rows_here; r++) {
        int64_t i = bal_grid_global(r, grid.row, grid.rows);
        if (i >= N || bal_grid_owner(i, grid.rows) != grid.row ||
            bal_grid_index(i, grid.rows) != r)
            held = -1000000;
    }
    bal_comm_sum_i64(&comm, &held, 1);
    all_assert(held == 2 * N * N);
    bal_spread_finish(&a);
}
END_TEST

START_TEST(grid_is_as_square_as_can_be)
{
    all_assert(grid.rows * grid.columns <= comm.size);
    all_assert(grid.rows <= grid.columns);
    all_assert(grid.rows * (grid.columns + 1) > comm.size);
    all_assert((grid.row < 0) == (comm.rank >= grid.rows * grid.columns));
}
END_TEST

static void check(int n, int k)
{
    memcpy(copy, matrix, sizeof copy);
    ref_eigh(copy, n, ref_value, ref_vector);
    solve(n, k);
    for (int i = 0; i < k; i++) {
        double off = value[i] - ref_value[k - 1 - i];
        all_assert_msg(fabs(off) < 1e-10, "value %d is off by %g", i, off);
    }
    all_assert(ref_orthogonality(vector, k, n) < 1e-11);
    all_assert(ref_subspace_gap(vector, ref_vector, k, n) < 1e-9);
}

START_TEST(sums_over_ranks_have_a_fixed_order)
{
    bal_blacs b = bal_blacs_open(&comm, grid);
    int repeatable = 1;

    if (grid.row >= 0) {
        repeatable = 0;
        Cblacs_get(b.context, BAL_BLACS_REPEATABLE, &repeatable);
    }
    bal_blacs_close(b, grid);
    all_assert(repeatable == 1);
}
END_TEST

START_TEST(equal_runs_give_equal_bits)
{
    static double first[N * N];

    fill_random();
    solve(N, K);
    memcpy(first, vector, sizeof first);
    for (int i = 0; i < 2; i++) {
        solve(N, K);
        all_assert(memcmp(first, vector, (size_t)N * K * sizeof *first) == 0);
    }
}
END_TEST

START_TEST(leading_vectors_agree_with_jacobi)
{
    fill_random();
    check(N, K);
}
END_TEST

START_TEST(all_vectors_agree_with_jacobi)
{
    fill_random();
    check(N, N);
}
END_TEST

START_TEST(a_deficient_matrix_is_no_trouble)
{
    fill_deficient();
    check(N, 3);
    solve(N, K);
    for (int i = 0; i < K - 3; i++)
        all_assert(fabs(value[i]) < 1e-10);
    all_assert(ref_orthogonality(vector, K, N) < 1e-11);
}
END_TEST

START_TEST(nothing_but_zeros)
{
    memset(matrix, 0, sizeof matrix);
    solve(N, K);
    all_assert(value[0] == 0 && value[K - 1] == 0);
    all_assert(ref_orthogonality(vector, K, N) < 1e-12);
}
END_TEST

START_TEST(fewer_rows_than_ranks)
{
    matrix[0] = 2;
    matrix[1] = 1;
    matrix[2] = 1;
    matrix[3] = 2;
    solve(2, 1);
    all_assert(fabs(value[0] - 3) < 1e-12);
    all_assert(fabs(vector[0] - vector[1]) < 1e-12);
}
END_TEST

static void start(void)
{
    bal_blas_one_thread();
    bal_comm_init(&comm, MPI_COMM_WORLD);
    grid = bal_grid_of(comm.rank, comm.size);
}

static void end(void)
{
    bal_comm_finish(&comm);
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("grid");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, start, end);
    tcase_add_test(tc, every_entry_has_one_owner);
    tcase_add_test(tc, grid_is_as_square_as_can_be);
    tcase_add_test(tc, sums_over_ranks_have_a_fixed_order);
    tcase_add_test(tc, equal_runs_give_equal_bits);
    tcase_add_test(tc, leading_vectors_agree_with_jacobi);
    tcase_add_test(tc, all_vectors_agree_with_jacobi);
    tcase_add_test(tc, a_deficient_matrix_is_no_trouble);
    tcase_add_test(tc, nothing_but_zeros);
    tcase_add_test(tc, fewer_rows_than_ranks);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
