#include "balans/kernel/moments.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "mpi_check.h"

enum { M = 37, D = 150 };

static float x[M * D];

static void fill(void)
{
    for (uint32_t i = 0; i < M * D; i++) {
        uint64_t r = bal_rng_u64(7, i, 0, 0, 0);
        x[i] = (float)((double)r * 0x1p-64 * 6 - 2);
    }
}

START_TEST(extremes_include_every_row)
{
    float lo[D], hi[D];

    for (int f = 0; f < D; f++) {
        lo[f] = INFINITY;
        hi[f] = -INFINITY;
    }
    bal_tile_extremes(x, M, D, lo, hi);
    for (int f = 0; f < D; f++) {
        float low = INFINITY, high = -INFINITY;
        for (int i = 0; i < M; i++) {
            low = fminf(low, x[i * D + f]);
            high = fmaxf(high, x[i * D + f]);
        }
        all_assert(lo[f] == low && hi[f] == high);
    }
}
END_TEST

START_TEST(extremes_keep_what_they_had)
{
    float lo[1] = {-9}, hi[1] = {9}, one[2] = {1, NAN};

    bal_tile_extremes(one, 2, 1, lo, hi);
    all_assert(lo[0] == -9.0f && hi[0] == 9.0f);
}
END_TEST

START_TEST(sums_are_chains_over_the_rows)
{
    double sum[D], square[D], mean[D];

    for (int f = 0; f < D; f++)
        mean[f] = 0.25 * f;
    bal_tile_sums(x, M, D, sum);
    bal_tile_squares(x, M, D, mean, square);
    for (int f = 0; f < D; f++) {
        double s = 0, q = 0;
        for (int i = 0; i < M; i++) {
            double apart = (double)x[i * D + f] - mean[f];
            s += (double)x[i * D + f];
            q += apart * apart;
        }
        all_assert(sum[f] == s);
        all_assert(fabs(square[f] - q) <= 1e-14 * q);
    }
}
END_TEST

START_TEST(a_value_that_is_not_finite_shows_in_the_sum)
{
    float bad[4] = {1, 2, INFINITY, 3}, nan[4] = {1, 2, 3, NAN};
    double sum[2];

    bal_tile_sums(bad, 2, 2, sum);
    all_assert(!isfinite(sum[0]) && isfinite(sum[1]));
    bal_tile_sums(nan, 2, 2, sum);
    all_assert(isfinite(sum[0]) && !isfinite(sum[1]));
}
END_TEST

START_TEST(standardising_by_hand)
{
    float in[6] = {1, 5, 100, 3, 5, -100};
    double mean[3] = {2, 5, 0}, divisor[3] = {1, INFINITY, 10};
    double centre[3] = {0.5, 0, 1}, unit[3] = {1, 1, 0.25}, sum[3];
    bal_standard s = {3, mean, divisor, centre, 2};
    double *out = NULL;

    all_assert(!bal_failed(bal_alloc(&out, BAL_TILE * 3, "a test")));
    memset(out, 1, BAL_TILE * 3 * sizeof *out);
    bal_tile_standardise(in, 2, &s, out);
    all_assert(out[0] == -1.5 && out[1] == 0 && out[2] == 1);
    all_assert(out[3] == 0.5 && out[4] == 0 && out[5] == -3);
    for (int i = 6; i < BAL_TILE * 3; i++)
        all_assert(out[i] == 0);
    memset(out, 1, BAL_TILE * 3 * sizeof *out);
    bal_tile_clip(in, 2, &s, unit, out);
    all_assert(out[0] == -1 && out[1] == 0 && out[2] == 0.5);
    all_assert(out[3] == 1 && out[4] == 0 && out[5] == -0.5);
    for (int i = 6; i < BAL_TILE * 3; i++)
        all_assert(out[i] == 0);
    bal_tile_clipped_sums(in, 1, &s, sum);
    all_assert(sum[0] == -1 && sum[1] == 0 && sum[2] == 2);
    bal_free(&out);
}
END_TEST

START_TEST(an_infinite_clip_clips_nothing)
{
    float in[1] = {3e38f};
    double zero = 0, one = 1, out[BAL_TILE];
    bal_standard s = {1, &zero, &one, &zero, INFINITY};

    bal_tile_standardise(in, 1, &s, out);
    all_assert(out[0] == (double)3e38f);
}
END_TEST

static void check_block(const double *xs, int i, int ni, int j, int nj)
{
    static double out[BAL_GRAM * BAL_GRAM];

    bal_tile_gram(xs, D, i, ni, j, nj, out);
    for (int r = 0; r < ni; r++)
        for (int c = i == j ? r : 0; c < nj; c++) {
            double sum = 0;
            for (int k = 0; k < BAL_TILE; k++)
                sum += xs[k * D + i + r] * xs[k * D + j + c];
            all_assert(fabs(out[r * nj + c] - sum) < 1e-11);
        }
}

START_TEST(blocks_of_the_gram_matrix)
{
    double *xs = NULL;

    all_assert(!bal_failed(bal_alloc(&xs, BAL_TILE * D, "a test")));
    for (int i = 0; i < M * D; i++)
        xs[i] = (double)x[i];
    check_block(xs, 0, BAL_GRAM, 0, BAL_GRAM);
    check_block(xs, 0, BAL_GRAM, BAL_GRAM, D - BAL_GRAM);
    check_block(xs, BAL_GRAM, D - BAL_GRAM, BAL_GRAM, D - BAL_GRAM);
    bal_free(&xs);
}
END_TEST

START_TEST(a_block_has_the_same_bits_whoever_computes_it)
{
    static double a[BAL_GRAM * BAL_GRAM], b[BAL_GRAM * BAL_GRAM];
    double *one = NULL, *two = NULL;

    bal_blas_one_thread();
    all_assert(!bal_failed(bal_alloc(&one, BAL_TILE * D, "a test")));
    all_assert(!bal_failed(bal_alloc(&two, BAL_TILE * D + 1, "a test")));
    for (int i = 0; i < M * D; i++)
        one[i] = two[i + 1] = (double)x[i];
    bal_tile_gram(one, D, 0, BAL_GRAM, BAL_GRAM, D - BAL_GRAM, a);
    bal_tile_gram(two + 1, D, 0, BAL_GRAM, BAL_GRAM, D - BAL_GRAM, b);
    all_assert(memcmp(a, b, sizeof a) == 0);
    bal_free(&one);
    bal_free(&two);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("moments");
    TCase *tc = tcase_create("all");

    fill();
    tcase_add_test(tc, extremes_include_every_row);
    tcase_add_test(tc, extremes_keep_what_they_had);
    tcase_add_test(tc, sums_are_chains_over_the_rows);
    tcase_add_test(tc, a_value_that_is_not_finite_shows_in_the_sum);
    tcase_add_test(tc, standardising_by_hand);
    tcase_add_test(tc, an_infinite_clip_clips_nothing);
    tcase_add_test(tc, blocks_of_the_gram_matrix);
    tcase_add_test(tc, a_block_has_the_same_bits_whoever_computes_it);
    suite_add_tcase(suite, tc);
    return mpi_check_run(suite, argc, argv);
}
