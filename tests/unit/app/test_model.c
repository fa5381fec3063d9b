/* The sample that a model keeps of a batch. */
#include "../../../src/app/model.h"

#include <math.h>
#include <stdlib.h>

#include "mpi_check.h"

START_TEST(draws_each_point_once)
{
    static const bal_size sizes[] = {1, 2, 499, 500, 501, 700, 100000};
    bal_gidx out[BAL_MODEL_SAMPLE], again[BAL_MODEL_SAMPLE];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        bal_size n = sizes[s], count = bal_model_sampled(n);
        bal_model_draw(5, 2, n, out);
        bal_model_draw(5, 2, n, again);
        ck_assert_int_eq(count, n < 500 ? n : 500);
        for (bal_size i = 0; i < count; i++) {
            ck_assert(out[i] >= 0 && out[i] < n && out[i] == again[i]);
            ck_assert(i == 0 || out[i] > out[i - 1]);
        }
    }
}
END_TEST

/* Of 1,000 points each is drawn in half of 400 draws, give or take; the bound
 * is six standard deviations. */
START_TEST(draws_all_points_alike)
{
    enum { N = 1000, DRAWS = 400 };
    static int drawn[N];
    bal_gidx out[BAL_MODEL_SAMPLE];

    for (int seed = 0; seed < DRAWS; seed++) {
        bal_model_draw((uint64_t)seed, 1, N, out);
        for (int i = 0; i < BAL_MODEL_SAMPLE; i++)
            drawn[out[i]]++;
    }
    for (int i = 0; i < N; i++)
        ck_assert_msg(abs(drawn[i] - DRAWS / 2) < 6 * sqrt(DRAWS) / 2,
                      "%d was drawn %d times", i, drawn[i]);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("app/model");
    TCase *tcase = tcase_create("model");

    tcase_add_test(tcase, draws_each_point_once);
    tcase_add_test(tcase, draws_all_points_alike);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
