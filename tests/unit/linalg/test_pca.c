#include "balans/linalg/pca.h"

#include <math.h>
#include <string.h>

#include "balans/base/rng.h"
#include "balans/kernel/moments.h"
#include "mpi_check.h"
#include "reference_pca.h"

enum { D = 300, P = 5 };

static bal_comm comm;
static double matrix[D * D], components[D * P], variance[P];

/* A symmetric matrix with eigenvalues 2^-k of known eigenvectors: products of
 * reflections applied to a diagonal matrix. */
static void fill(bal_size d)
{
    double v[D], norm = 0;

    for (bal_size i = 0; i < d; i++) {
        v[i] = (double)bal_rng_u64(1, (uint32_t)i, 0, 0, 0) * 0x1p-63 - 1;
        norm += v[i] * v[i];
    }
    for (bal_size i = 0; i < d; i++)
        for (bal_size j = 0; j < d; j++) {
            double sum = 0;
            for (bal_size k = 0; k < d; k++) {
                double a = (double)(i == k) - 2 * v[i] * v[k] / norm;
                double b = (double)(j == k) - 2 * v[j] * v[k] / norm;
                sum += a * b * ldexp(1, -(int)k);
            }
            matrix[i * d + j] = sum;
        }
}

static bal_verdict solve(bal_size d, bal_size p, bool spread)
{
    static double block[BAL_GRAM * BAL_GRAM];
    bal_pca *s = NULL;
    bal_verdict st = bal_pca_create(&comm, d, p, spread, &s);

    all_assert(!bal_failed(st));
    for (bal_size q = 0; q < bal_pair_count(d); q++) {
        bal_pair pair = bal_pair_at(d, q);
        for (int i = 0; i < pair.ni; i++)
            for (int j = 0; j < pair.nj; j++) {
                bool read = pair.i != pair.j || j >= i;
                double here = matrix[(pair.i + i) * d + pair.j + j];
                block[i * pair.nj + j] = read ? here : 1e300;
            }
        bal_pca_put(s, pair, block);
    }
    st = bal_pca_solve(&comm, s, components, variance);
    bal_pca_destroy(&s);
    return st;
}

START_TEST(pairs_cover_the_upper_triangle_once)
{
    static const bal_size sizes[] = {1, 127, 128, 129, 256, 300};

    for (int t = 0; t < 6; t++) {
        bal_size d = sizes[t], entries = 0;
        for (bal_size q = 0; q < bal_pair_count(d); q++) {
            bal_pair pair = bal_pair_at(d, q);
            all_assert(pair.i <= pair.j && pair.j + pair.nj <= d);
            all_assert(pair.ni >= 1 && pair.ni <= BAL_GRAM);
            entries += pair.i == pair.j ? (bal_size)pair.ni * (pair.ni + 1) / 2
                                        : (bal_size)pair.ni * pair.nj;
        }
        all_assert(entries == d * (d + 1) / 2);
    }
}
END_TEST

START_TEST(known_components_are_found)
{
    fill(D);
    all_assert(!bal_failed(solve(D, P, _i != 0)));
    for (int c = 0; c < P; c++) {
        double worst = 0, norm = 0;
        all_assert(fabs(variance[c] - ldexp(1, -c)) < 1e-12);
        for (int i = 0; i < D; i++) {
            double image = 0;
            for (int j = 0; j < D; j++)
                image += matrix[i * D + j] * components[j * P + c];
            worst =
                fmax(worst, fabs(image - variance[c] * components[i * P + c]));
            norm += components[i * P + c] * components[i * P + c];
        }
        all_assert(worst < 1e-12 && fabs(norm - 1) < 1e-12);
    }
}
END_TEST

START_TEST(largest_loading_is_positive)
{
    fill(D);
    all_assert(!bal_failed(solve(D, P, _i != 0)));
    for (int c = 0; c < P; c++) {
        double top = 0;
        for (int i = 0; i < D; i++)
            if (fabs(components[i * P + c]) > fabs(top))
                top = components[i * P + c];
        all_assert(top > 0);
    }
}
END_TEST

START_TEST(one_feature)
{
    matrix[0] = 4;
    all_assert(!bal_failed(solve(1, 1, _i != 0)));
    all_assert(components[0] == 1 && variance[0] == 4);
}
END_TEST

START_TEST(variances_are_not_negative)
{
    memset(matrix, 0, sizeof matrix);
    matrix[0] = 1; /* and the rest, by rounding, a little below 0 */
    for (int i = 1; i < 9; i++)
        matrix[i * 9 + i] = -1e-18;
    all_assert(!bal_failed(solve(9, P, _i != 0)));
    all_assert(variance[0] == 1);
    for (int c = 1; c < P; c++)
        all_assert(variance[c] == 0);
}
END_TEST

START_TEST(every_rank_has_the_same_components)
{
    static double first[D * P];

    fill(D);
    all_assert(!bal_failed(solve(D, P, _i != 0)));
    memcpy(first, components, sizeof first);
    bal_comm_bcast(&comm, first, (bal_size)sizeof first, 0);
    all_assert(memcmp(first, components, sizeof first) == 0);
}
END_TEST

static void start(void)
{
    bal_comm_init(&comm, MPI_COMM_WORLD);
    bal_blas_one_thread();
}

static void end(void)
{
    bal_comm_finish(&comm);
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("pca");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, start, end);
    tcase_add_test(tc, pairs_cover_the_upper_triangle_once);
    tcase_add_loop_test(tc, known_components_are_found, 0, 2);
    tcase_add_loop_test(tc, largest_loading_is_positive, 0, 2);
    tcase_add_loop_test(tc, one_feature, 0, 2);
    tcase_add_loop_test(tc, variances_are_not_negative, 0, 2);
    tcase_add_loop_test(tc, every_rank_has_the_same_components, 0, 2);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
