/* What holds of the corrections whatever the data, and where they end. */
#include "balans/algo/correct.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "correction.h"
#include "mpi_check.h"

/* Sets every profile by a rule. */
static void fill(float (*value)(int64_t j, int64_t f))
{
    for (int64_t j = 0; j < data->n; j++)
        for (int64_t f = 0; f < data->d; f++)
            data->x[j * data->d + f] = value(j, f);
    points_destroy(&p);
    p = points_create(&c, data);
}

static float equal(int64_t j, int64_t f)
{
    (void)j;
    return f == 0 ? 0.1f : 1e6f / (float)(3 * f);
}

static float wild(int64_t j, int64_t f)
{
    return f == 0   ? (j % 3 == 0 ? FLT_MAX : -FLT_MAX)
           : f == 1 ? 1e-38f * (float)(j % 5)
           : f == 2 ? (j == 0 ? 1e6f : 0.001f)
                    : -5;
}

START_TEST(returns_equal_profiles_unchanged)
{
    prepare(&shapes[_i], false);
    fill(equal);
    for (int f = 0; f < FORMS; f++) {
        float *got = correct(&c, p, (form)f, simply);
        int wrong = 0;
        for (int64_t i = 0; i < p->x->m * data->d; i++)
            wrong += got[i] != equal(0, i % data->d);
        free(got);
        all_assert_msg(wrong == 0, "form %d: %d", f, wrong);
    }
}
END_TEST

static int count_outside(const float *got, int64_t f)
{
    float low = INFINITY, high = -INFINITY;
    int outside = 0;

    for (int64_t j = 0; j < data->n; j++) {
        low = fminf(low, data->x[j * data->d + f]);
        high = fmaxf(high, data->x[j * data->d + f]);
    }
    for (int64_t i = 0; i < p->x->m; i++) {
        float x = got[i * data->d + f];
        outside += !(x >= low && x <= high);
    }
    return outside;
}

START_TEST(smooth_stays_in_the_range_of_every_feature)
{
    prepare(&shapes[_i], false);
    for (int turn = 0; turn < 4; turn++) {
        float *got = correct(&c, p, turn % 2 == 0 ? SMOOTH : BLEND, simply);
        int outside = 0;
        for (int64_t f = 0; f < data->d; f++)
            outside += count_outside(got, f);
        free(got);
        all_assert_msg(outside == 0, "turn %d: %d outside", turn, outside);
        if (turn == 1)
            fill(wild);
    }
}
END_TEST

/* The third feature alone would leave float32. */
static float edge(int64_t j, int64_t f)
{
    return f != 2 ? (float)(j % 7) : j % 2 == 0 ? FLT_MAX : -FLT_MAX;
}

START_TEST(names_a_feature_that_leaves_float32)
{
    for (int f = RESIDUAL; f < FORMS; f++) {
        prepare(&shapes[0], false);
        fill(edge);
        bal_blocks *x = p->x;
        bal_verdict st = run(&c, p, (form)f, &simply, x, NULL);
        all_assert_msg(st.code == BAL_ENUMERIC, "form %d: code %d", f,
                       (int)st.code);
        all_assert_msg(strstr(bal_error_get()->text, "feature 2") != NULL, "%s",
                       bal_error_get()->text);
        bal_error_clear();
    }
}
END_TEST

START_TEST(measures_how_far_points_move)
{
    for (int f = 0; f < FORMS; f++) {
        prepare(&shapes[1], false);
        bal_blocks *x = p->x;
        double *move2 = ref_new(x->m + 1, (int64_t)sizeof *move2);
        float *before = malloc((size_t)(x->m * x->d + 1) * sizeof *before);
        way w = {.memory = one_panel((form)f), .threads = 2};
        int wrong = 0;
        memcpy(before, x->at, (size_t)(x->m * x->d) * sizeof *before);
        bal_verdict st = run(&c, p, (form)f, &w, x, move2);
        all_assert(!bal_failed(st));
        for (bal_size j = 0; j < x->m; j++) {
            double sum = 0;
            for (bal_size i = j * x->d; i < (j + 1) * x->d; i++) {
                double step = (double)x->at[i] - (double)before[i];
                sum += step * step;
            }
            wrong += move2[j] != sum;
        }
        free(before);
        free(move2);
        all_assert_msg(wrong == 0, "form %d: %d", f, wrong);
    }
}
END_TEST

START_TEST(says_what_does_not_fit)
{
    const way w = {.memory = 1000, .threads = 1};

    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    bal_verdict st = run(&c, p, TRUSTED, &w, p->x, NULL);
    all_assert(st.code == BAL_EUSAGE);
    all_assert_msg(strstr(bal_error_get()->text, "--memory-per-rank") != NULL,
                   "%s", bal_error_get()->text);
    bal_error_clear();
    all_assert(bal_mem_held() == held);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    free(correct(&c, p, TRUSTED, (way){false, true, plenty, 2}));
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/correct_limits");
    TCase *tcase = tcase_create("correct");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, returns_equal_profiles_unchanged, 0, SHAPES);
    tcase_add_loop_test(tcase, smooth_stays_in_the_range_of_every_feature, 0,
                        SHAPES);
    tcase_add_test(tcase, names_a_feature_that_leaves_float32);
    tcase_add_test(tcase, measures_how_far_points_move);
    tcase_add_test(tcase, says_what_does_not_fit);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
