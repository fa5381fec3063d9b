#include "balans/linalg/eigh.h"

#include <math.h>
#include <string.h>

#include "balans/base/rng.h"
#include "mpi_check.h"
#include "reference_pca.h"

enum { N = 40, K = 7 };

static double a[N * N], copy[N * N], value[N], vector[N * N];
static double ref_value[N], ref_vector[N * N];

static double draw(uint32_t i)
{
    return (double)bal_rng_u64(11, i, 0, 0, 0) * 0x1p-63 - 1;
}

static void fill_random(void)
{
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = i; j < N; j++)
            a[i * N + j] = a[j * N + i] = draw(i * N + j);
    memcpy(copy, a, sizeof a);
}

START_TEST(two_by_two_by_hand)
{
    double m[4] = {2, 1, 77, 2}, l[1], v[2]; /* 77: never read */

    all_assert(!bal_failed(bal_eigh_largest(m, 2, 1, l, v)));
    all_assert(fabs(l[0] - 3) < 1e-14);
    all_assert(fabs(v[0] - v[1]) < 1e-14);
    all_assert(fabs(fabs(v[0]) - sqrt(0.5)) < 1e-14);
}
END_TEST

START_TEST(agrees_with_jacobi)
{
    fill_random();
    all_assert(!bal_failed(bal_eigh_largest(a, N, K, value, vector)));
    ref_eigh(copy, N, ref_value, ref_vector);
    for (int i = 0; i < K; i++)
        all_assert(fabs(value[i] - ref_value[i]) < 1e-12);
    all_assert(ref_orthogonality(vector, K, N) < 1e-12);
    all_assert(ref_subspace_gap(vector, ref_vector, K, N) < 1e-10);
    for (int i = 0; i < K; i++)
        all_assert(ref_subspace_gap(vector + i * N, ref_vector + i * N, 1, N) <
                   1e-10);
}
END_TEST

START_TEST(all_of_them)
{
    fill_random();
    all_assert(!bal_failed(bal_eigh_largest(a, N, N, value, vector)));
    all_assert(ref_orthogonality(vector, N, N) < 1e-12);
    for (int i = 1; i < N; i++)
        all_assert(value[i] <= value[i - 1]);
}
END_TEST

START_TEST(nothing_but_zeros)
{
    memset(a, 0, sizeof a);
    all_assert(!bal_failed(bal_eigh_largest(a, N, K, value, vector)));
    for (int i = 0; i < K; i++)
        all_assert(value[i] == 0);
    all_assert(ref_orthogonality(vector, K, N) < 1e-14);
}
END_TEST

START_TEST(rank_one_leaves_zeros_behind_it)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i * N + j] = (i + 1.0) * (j + 1.0);
    all_assert(!bal_failed(bal_eigh_largest(a, N, K, value, vector)));
    all_assert(fabs(value[0] - N * (N + 1) * (2 * N + 1) / 6.0) < 1e-8);
    for (int i = 1; i < K; i++)
        all_assert(fabs(value[i]) < 1e-8);
    all_assert(ref_orthogonality(vector, K, N) < 1e-12);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("eigh");
    TCase *tc = tcase_create("all");

    tcase_add_test(tc, two_by_two_by_hand);
    tcase_add_test(tc, agrees_with_jacobi);
    tcase_add_test(tc, all_of_them);
    tcase_add_test(tc, nothing_but_zeros);
    tcase_add_test(tc, rank_one_leaves_zeros_behind_it);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
