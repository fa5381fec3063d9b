/* All metrics together, on data whose scores are known. */
#include "balans/metric/scores.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "balans/metric/knn.h"

#include "metric_fixture.h"
#include "mpi_check.h"

static const bal_score_params usual = {
    .kind = BAL_COSINE, .sample = 0, .seed = 0, .threads = 2};

static bal_scores *score(void)
{
    bal_scores *s = NULL;

    set = metric_set(&c, p);
    if (bal_failed(bal_scores_create(&c, set, NULL, &usual, &s)))
        abort();
    return s;
}

static bool is(const bal_scores *s, bal_score k, double want, double within)
{
    return fabs(s->value[k] - want) <= within && s->why[k] == NULL;
}

/* -1 .. 1, different for every entry. */
static double noise(int i, int f)
{
    return (double)bal_shuffled((uint32_t)(i * 64 + f + 1)) / 2147483648.0 - 1;
}

/* Labels far apart; in each, batches alike or apart. */
static void make(int n, double apart)
{
    p = metric_points_random(n, 12, 2, 3, 0, 8);
    for (int i = 0; i < n; i++) {
        p->label[i] = i % 3;
        p->batch[i] = i / 3 % 2;
        for (int f = 0; f < 12; f++) {
            double x = 0.05 * noise(i, f);
            if (f == p->label[i])
                x += 1;
            if (f == 6 + p->label[i] * 2 + p->batch[i])
                x += apart;
            p->x[12 * i + f] = (float)x;
        }
    }
}

START_TEST(batches_mixed)
{
    make(900, 0);
    bal_scores *s = score();
    all_assert(is(s, BAL_SCORE_CONNECTIVITY, 1, 0));
    all_assert_msg(is(s, BAL_SCORE_KBET, 0.95, 0.05), "%g",
                   s->value[BAL_SCORE_KBET]);
    all_assert(is(s, BAL_SCORE_LISI_BATCH, 0.95, 0.05));
    all_assert(is(s, BAL_SCORE_SILHOUETTE_BATCH, 0.98, 0.03));
    all_assert(is(s, BAL_SCORE_LISI_LABEL, 1, 1e-9));
    all_assert(is(s, BAL_SCORE_SILHOUETTE_LABEL, 1, 0.1));
    all_assert(is(s, BAL_SCORE_MAP, 1, 1e-12));
    bal_scores_destroy(&s);
}
END_TEST

START_TEST(batches_apart)
{
    make(900, 1);
    bal_scores *s = score();
    all_assert_msg(is(s, BAL_SCORE_KBET, 0, 0), "%g", s->value[BAL_SCORE_KBET]);
    all_assert(is(s, BAL_SCORE_LISI_BATCH, 0, 1e-9));
    all_assert(is(s, BAL_SCORE_CONNECTIVITY, 0.5, 1e-9));
    all_assert(is(s, BAL_SCORE_SILHOUETTE_BATCH, 0.05, 0.05));
    double avg = (s->value[0] + s->value[1] + s->value[2] + s->value[3]) / 4;
    all_assert(is(s, BAL_SCORE_AVG_BATCH, avg, 1e-12));
    double label = (s->value[4] + s->value[5] + s->value[6] + s->value[7]) / 4;
    all_assert(is(s, BAL_SCORE_AVG_LABEL, label, 1e-12));
    all_assert(is(s, BAL_SCORE_AVG_ALL, (avg + label) / 2, 1e-12));
    all_assert(is(s, BAL_SCORE_SCIB, 0.4 * avg + 0.6 * label, 1e-12));
    bal_scores_destroy(&s);
}
END_TEST

START_TEST(all_points_equal)
{
    make(600, 0);
    for (int i = 0; i < 600 * 12; i++)
        p->x[i] = 3;
    bal_scores *s = score();
    int wrong = 0;
    for (int k = 0; k < BAL_SCORE_MAP_CONTROL; k++)
        wrong += !isfinite(s->value[k]);
    all_assert(wrong == 0);
    all_assert(is(s, BAL_SCORE_SILHOUETTE_BATCH, 1, 0));
    all_assert(is(s, BAL_SCORE_SILHOUETTE_LABEL, 0.5, 0));
    all_assert(is(s, BAL_SCORE_LISI_BATCH, 1, 0.1));
    all_assert(is(s, BAL_SCORE_LISI_LABEL, 0, 0.1));
    bal_scores_destroy(&s);
}
END_TEST

static bool undefined(const bal_scores *s, bal_score k)
{
    return isnan(s->value[k]) && s->why[k] != NULL;
}

START_TEST(what_is_not_defined_says_why)
{
    make(60, 0);
    for (int i = 0; i < 60; i++)
        p->batch[i] = 0;
    bal_scores *s = score();
    all_assert(undefined(s, BAL_SCORE_KBET) &&
               undefined(s, BAL_SCORE_LISI_BATCH) &&
               undefined(s, BAL_SCORE_SILHOUETTE_BATCH) &&
               undefined(s, BAL_SCORE_MAP));
    all_assert(is(s, BAL_SCORE_AVG_BATCH, 1, 0)); /* connectivity alone */
    bal_scores_destroy(&s);
    bal_set_destroy(&set);
    p->labels = 60;
    for (int i = 0; i < 60; i++)
        p->label[i] = i;
    s = score();
    for (int k = 0; k < BAL_SCORE_MAP_CONTROL; k++)
        all_assert(undefined(s, (bal_score)k));
    bal_scores_destroy(&s);
}
END_TEST

START_TEST(fewer_points_than_ranks)
{
    for (int n = 1; n <= 5; n++) {
        make(n, 0);
        bal_scores *s = score();
        for (int k = 0; k < BAL_SCORE_MAP_CONTROL; k++)
            all_assert(isfinite(s->value[k]) || s->why[k] != NULL);
        bal_scores_destroy(&s);
        bal_set_destroy(&set);
        metric_points_destroy(&p);
    }
}
END_TEST

START_TEST(a_sample_is_of_the_size_asked_for)
{
    bal_score_params par = usual;
    bal_scores *s = NULL;

    make(300, 0);
    set = metric_set(&c, p);
    par.sample = 100;
    all_assert(!bal_failed(bal_scores_create(&c, set, NULL, &par, &s)));
    all_assert(s->points == 300 && s->graph_points == 100 &&
               s->silhouette_points == 300);
    bal_scores_destroy(&s);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_size held = bal_mem_held();

    make(200, 0);
    bal_scores *s = score();
    bal_scores_destroy(&s);
    bal_set_destroy(&set);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/scores");
    TCase *tcase = tcase_create("scores");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, batches_mixed);
    tcase_add_test(tcase, batches_apart);
    tcase_add_test(tcase, all_points_equal);
    tcase_add_test(tcase, what_is_not_defined_says_why);
    tcase_add_test(tcase, fewer_points_than_ranks);
    tcase_add_test(tcase, a_sample_is_of_the_size_asked_for);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
