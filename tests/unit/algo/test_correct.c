/* The corrections against their dense formulas, and the same bytes on any
 * number of ranks and threads, streamed or not, in any amount of memory. */
#include "balans/algo/correct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "correction.h"
#include "mpi_check.h"

START_TEST(equals_the_dense_formula)
{
    for (int few = 0; few < 2; few++) {
        prepare(&shapes[_i], few == 1);
        for (int f = 0; f < FORMS; f++)
            for (int tiles = 0; tiles < 2; tiles++) {
                int wrong = compare(
                    (form)f,
                    (way){.tiles = tiles == 1, .memory = plenty, .threads = 1});
                all_assert_msg(wrong == 0, "form %d, few %d, tiles %d: %d", f,
                               few, tiles, wrong);
            }
    }
}
END_TEST

/* Points that no landmark covers move by their batch's shift, unless they are
 * to keep their values. */
START_TEST(moves_or_keeps_what_no_landmark_covers)
{
    const way w = {.memory = plenty, .threads = 2};

    prepare(&shapes[1], true);
    all_assert(sample->uncovered > 10);
    for (int f = 0; f < FORMS; f++) {
        int64_t moved = 0, wanted = f >= TRUSTED ? sample->uncovered : 0;
        keep = false;
        float *got = correct(&c, p, (form)f, w);
        int wrong = compare((form)f, w);
        for (int64_t j = 0; j < data->n; j++) {
            int64_t at = place_of(j, false);
            if (at >= 0 && !(sample->coverage[j] > 0))
                moved += memcmp(got + at * data->d, data->x + j * data->d,
                                (size_t)data->d * sizeof *got) != 0;
        }
        free(got);
        bal_comm_sum_i64(&c, &moved, 1);
        all_assert_msg(wrong == 0 && moved == wanted, "form %d: %d, %lld", f,
                       wrong, (long long)moved);
    }
}
END_TEST

static bool is_part_of(const float *mine, const float *all, bool tiles)
{
    int64_t first = tiles ? p->layout->rank_first[c.rank] : p->x->first;
    int64_t rows = tiles ? p->layout->m : p->x->m;
    int64_t d = tiles ? data->p : data->d;

    return memcmp(mine, all + first * d, (size_t)(rows * d) * sizeof *mine) ==
           0;
}

START_TEST(gives_the_same_bytes_everywhere)
{
    prepare(&shapes[_i], false);
    for (int turn = 0; turn < 2 * FORMS; turn++) {
        form f = (form)(turn / 2);
        bool tiles = turn % 2 == 1;
        const way ways[] = {
            {tiles, false, plenty, 1},
            {tiles, false, plenty, 2},
            {tiles, true, plenty, 1},
            {tiles, false, one_panel(f) + (c.rank << 16), 3},
            {tiles, true, one_panel(f), 2},
        };
        float *whole = correct(&self, alone, f, ways[0]);
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
            float *parts = correct(&c, p, f, ways[i]);
            bool same = is_part_of(parts, whole, tiles);
            free(parts);
            all_assert_msg(same, "form %d, tiles %d, way %d", f, tiles, (int)i);
        }
        free(whole);
    }
}
END_TEST

/* Two batches, one landmark that keeps three points: 2 and 4 of the first, 9 of
 * the second, with weights 1, 1/2, 1/2; a fourth point is not covered. */
START_TEST(corrects_a_case_done_by_hand)
{
    const shape s = {{3, 1}, 2, 1, 0};
    const float x[] = {2, 4, 100, 9};
    const double a[] = {1, 0.5, 0, 0.5};
    /* mu = (2 + 2 + 4.5) / 2; of the first batch (2 + 2) / 1.5. The second has
     * no landmark, so its coverage does not count and all is believed. */
    const double mu = 8.5 / 2, first = 4 / 1.5, step = mu - first;
    const double want[FORMS][4] = {
        {mu, mu, 100, mu},
        {1.5 + mu / 4, 3 + mu / 4, 100, 6.75 + mu / 4},
        {2 + step, 4 + step, 100, mu},
        {2 + step, 4 + step, 100 + step, mu},
        {2 + step, 4 + step, 100 + step, mu},
    };

    prepare(&s, false);
    memcpy(data->x, x, sizeof x);
    memcpy(sample->a, a, sizeof a);
    sample->m = 1;
    sample->landmark[0] = 0;
    points_destroy(&p);
    p = points_create(&c, data);
    for (int f = 0; f < FORMS; f++) {
        float *got = correct(&c, p, (form)f, simply);
        int wrong = count_wrong(got, want[f], data->x, 1, false);
        free(got);
        all_assert_msg(wrong == 0, "form %d: %d wrong", f, wrong);
        double *dense = expected((form)f, data->x, 1);
        for (int j = 0; j < 4; j++)
            wrong += !(fabs(dense[j] - want[f][j]) < 1e-12);
        free(dense);
        all_assert_msg(wrong == 0, "formula %d: %d wrong", f, wrong);
    }
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/correct");
    TCase *tcase = tcase_create("correct");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, corrects_a_case_done_by_hand);
    tcase_add_loop_test(tcase, equals_the_dense_formula, 0, SHAPES);
    tcase_add_test(tcase, moves_or_keeps_what_no_landmark_covers);
    tcase_add_loop_test(tcase, gives_the_same_bytes_everywhere, 0, SHAPES);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
