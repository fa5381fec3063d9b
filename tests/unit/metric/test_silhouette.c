/* Silhouettes against mean distances taken one by one. */
#include "balans/metric/silhouette.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"

#include "metric_fixture.h"
#include "mpi_check.h"

static int everybody[4000];

/* How many of this rank's silhouettes differ from those by definition. */
static int count_wrong(bal_space_kind kind, bal_silhouette_kind which)
{
    double *distance = metric_distances(p, kind), *got = NULL;
    double *want = calloc((size_t)p->n, sizeof *want);
    bal_set *of = NULL;
    int wrong = 0;

    for (int i = 0; i < p->n; i++)
        want[i] = NAN;
    if (which == BAL_SILHOUETTE_LABEL)
        metric_silhouettes(distance, p->n, p->label, everybody, 0, want);
    for (int l = 0; l < p->labels && which == BAL_SILHOUETTE_BATCH; l++)
        metric_silhouettes(distance, p->n, p->batch, p->label, l, want);
    bal_verdict v = bal_silhouette(&c, set, kind, which, 0, 2, &got, &of);
    wrong += bal_failed(v) || of != set;
    for (bal_size i = 0; i < set->m && !bal_failed(v); i++)
        if (!isnan(got[i]))
            wrong += !(fabs(got[i] - want[set->first[c.rank] + i]) < 1e-5);
    bal_free(&got);
    free(distance);
    free(want);
    return wrong;
}

START_TEST(agrees_with_the_definition)
{
    const int n[] = {40, 333, 1100, 900}, d[] = {3, 40, 5, 2};
    const int labels[] = {3, 7, 600, 2};

    p = metric_points_random(n[_i], d[_i], 3, labels[_i], 0.7, (unsigned)_i);
    set = metric_set(&c, p);
    int wrong = count_wrong(BAL_COSINE, BAL_SILHOUETTE_LABEL);
    wrong += count_wrong(BAL_COSINE, BAL_SILHOUETTE_BATCH);
    if (p->n < 1000)
        wrong += count_wrong(BAL_EUCLIDEAN, BAL_SILHOUETTE_LABEL) +
                 count_wrong(BAL_EUCLIDEAN, BAL_SILHOUETTE_BATCH);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

static double lowest, highest;
static int64_t defined;

static void measure(bal_space_kind kind, bal_silhouette_kind which)
{
    double *s = NULL;
    bal_set *of = NULL;

    defined = 0;
    lowest = 2;
    highest = -2;
    (void)bal_silhouette(&c, set, kind, which, 3, 1, &s, &of);
    for (bal_size i = 0; i < of->m; i++)
        if (!isnan(s[i])) {
            defined++;
            lowest = fmin(lowest, s[i]);
            highest = fmax(highest, s[i]);
        }
    bal_free(&s);
    if (of != set)
        bal_set_destroy(&of);
    bal_comm_sum_i64(&c, &defined, 1);
}

START_TEST(of_equal_points_is_zero)
{
    p = metric_points_random(200, 30, 2, 3, 0, 1);
    for (int i = 0; i < 200 * 30; i++)
        p->x[i] = (float)(0.1 + i % 30);
    set = metric_set(&c, p);
    for (int kind = 0; kind < 2; kind++)
        for (int which = 0; which < 2; which++) {
            measure((bal_space_kind)kind, (bal_silhouette_kind)which);
            all_assert(defined == 200 && !(lowest < 0) && !(highest > 0));
        }
}
END_TEST

START_TEST(of_clusters_apart_is_one)
{
    p = metric_points_random(100, 2, 2, 2, 0, 1);
    for (int i = 0; i < 100; i++) {
        p->x[2 * i] = p->label[i] == 0 ? 1 : 0;
        p->x[2 * i + 1] = p->label[i] == 0 ? 0 : 1;
    }
    set = metric_set(&c, p);
    measure(BAL_COSINE, BAL_SILHOUETTE_LABEL);
    all_assert(defined == 100 && lowest > 1 - 1e-9);
    measure(BAL_EUCLIDEAN, BAL_SILHOUETTE_LABEL);
    all_assert(defined == 100 && lowest > 1 - 1e-9);
}
END_TEST

START_TEST(is_undefined_where_nothing_can_be_compared)
{
    p = metric_points_random(30, 2, 2, 1, 0, 1);
    set = metric_set(&c, p);
    measure(BAL_COSINE, BAL_SILHOUETTE_LABEL);
    all_assert(defined == 0);
    bal_set_destroy(&set);
    for (int i = 0; i < 30; i++)
        p->label[i] = i;
    p->labels = 30;
    set = metric_set(&c, p);
    measure(BAL_COSINE, BAL_SILHOUETTE_LABEL);
    all_assert(defined == 0);
    measure(BAL_COSINE, BAL_SILHOUETTE_BATCH);
    all_assert(defined == 0);
}
END_TEST

START_TEST(of_a_single_point_is_zero)
{
    double *s = NULL;
    bal_set *of = NULL;
    int wrong = 0;

    p = metric_points_random(50, 3, 2, 4, 0, 1);
    for (int i = 0; i < 50; i++)
        p->label[i] = i == 17 ? 3 : i % 3;
    set = metric_set(&c, p);
    (void)bal_silhouette(&c, set, BAL_COSINE, BAL_SILHOUETTE_LABEL, 0, 1, &s,
                         &of);
    for (bal_size i = 0; i < set->m; i++) {
        bool zero = !(s[i] > 0) && !(s[i] < 0);
        wrong += isnan(s[i]) || (set->first[c.rank] + i == 17) != zero;
    }
    bal_free(&s);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(samples_where_it_must)
{
    double *s = NULL;
    bal_set *of = NULL;

    p = metric_points_random(BAL_SILHOUETTE_SAMPLE + 100, 1, 2, 2, 0, 1);
    set = metric_set(&c, p);
    (void)bal_silhouette(&c, set, BAL_EUCLIDEAN, BAL_SILHOUETTE_LABEL, 5, 2, &s,
                         &of);
    all_assert(of != set && of->n == BAL_SILHOUETTE_SAMPLE);
    bal_free(&s);
    bal_set_destroy(&of);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/silhouette");
    TCase *tcase = tcase_create("silhouette");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, agrees_with_the_definition, 0, 4);
    tcase_add_test(tcase, of_equal_points_is_zero);
    tcase_add_test(tcase, of_clusters_apart_is_one);
    tcase_add_test(tcase, is_undefined_where_nothing_can_be_compared);
    tcase_add_test(tcase, of_a_single_point_is_zero);
    tcase_add_test(tcase, samples_where_it_must);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
