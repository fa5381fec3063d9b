/* Average precision against sorted distances. */
#include "balans/metric/retrieval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"

#include "metric_fixture.h"
#include "mpi_check.h"

START_TEST(agrees_with_the_definition)
{
    const int n[] = {2, 60, 300, 900, 520}, labels[] = {1, 5, 2, 3, 200};
    double ap[1000];
    int wrong = 0;

    p = metric_points_random(n[_i], 4, 3, labels[_i], 0.8, (unsigned)_i);
    set = metric_set(&c, p);
    double *distance = metric_distances(p, BAL_COSINE);
    all_assert(
        !bal_failed(bal_retrieval(&c, set, NULL, BAL_COSINE, 0, 2, ap, NULL)));
    for (bal_size i = 0; i < set->m; i++) {
        double want =
            metric_precision(p, distance, (int)(set->first[c.rank] + i));
        if (labels[_i] == 1)
            want = NAN;
        wrong += isnan(want) ? !isnan(ap[i]) : !(fabs(ap[i] - want) < 1e-4);
    }
    free(distance);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

/* Two labels, two batches, on a line of directions. */
START_TEST(has_known_values)
{
    double ap[6], against[6], want = 0;
    const float angle[] = {0, 10, 20, 30, 40, 50};
    const int label[] = {0, 1, 0, 1, 0, 1}, batch[] = {0, 0, 1, 1, 1, 1};

    p = metric_points_random(6, 2, 2, 2, 0, 1);
    for (int i = 0; i < 6; i++) {
        p->x[2 * i] = cosf(angle[i] / 57.29578f);
        p->x[2 * i + 1] = sinf(angle[i] / 57.29578f);
        p->label[i] = label[i];
        p->batch[i] = batch[i];
    }
    set = metric_set(&c, p);
    /* Controls: the point at 30 degrees alone. */
    bool keep[6] = {false};
    bal_set *control = NULL;
    for (bal_size i = 0; i < set->m; i++)
        keep[i] = set->first[c.rank] + i == 3;
    all_assert(!bal_failed(bal_set_subset(&c, set, keep, &control)));
    all_assert(control->n == 1);
    all_assert(!bal_failed(
        bal_retrieval(&c, set, control, BAL_COSINE, 0, 1, ap, against)));
    /* From 0 degrees: 10 (other), 20 (hit), 30, 40 (hit), 50. */
    want = (1 / 2.0 + 2 / 4.0) / 2;
    bool mine = set->first[c.rank] == 0 && set->m > 0;
    all_assert(!mine || fabs(ap[0] - want) < 1e-12);
    /* 20 (hit), 30 (control), 40 (hit). */
    want = (1 / 1.0 + 2 / 3.0) / 2;
    all_assert(!mine || fabs(against[0] - want) < 1e-12);
    bal_set_destroy(&control);
}
END_TEST

START_TEST(ties_count_against_the_query)
{
    double ap[12];
    int wrong = 0;

    p = metric_points_random(12, 2, 2, 2, 0, 1);
    for (int i = 0; i < 12; i++) {
        p->x[2 * i] = p->x[2 * i + 1] = 1;
        p->label[i] = i % 2;
        p->batch[i] = i / 2 % 2;
    }
    set = metric_set(&c, p);
    (void)bal_retrieval(&c, set, NULL, BAL_COSINE, 0, 1, ap, NULL);
    /* Three positives behind six negatives. */
    double want = (1 / 7.0 + 2 / 8.0 + 3 / 9.0) / 3;
    for (bal_size i = 0; i < set->m; i++)
        wrong += !(fabs(ap[i] - want) < 1e-12);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(draws_queries_of_large_sets)
{
    enum { N = BAL_RETRIEVAL_ALL + 2 };
    double *ap = calloc(N, sizeof *ap);
    int64_t count = 0;

    p = metric_points_random(N, 1, 2, 2, 0, 1);
    for (int i = 0; i < N; i++)
        p->label[i] = i < 50 ? 0 : 1;
    set = metric_set(&c, p);
    (void)bal_retrieval(&c, set, NULL, BAL_EUCLIDEAN, 0, 2, ap, NULL);
    for (bal_size i = 0; i < set->m; i++)
        count += !isnan(ap[i]);
    bal_comm_sum_i64(&c, &count, 1);
    free(ap);
    all_assert_msg(count == 50 + BAL_RETRIEVAL_QUERIES, "%lld",
                   (long long)count);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/retrieval");
    TCase *tcase = tcase_create("retrieval");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, agrees_with_the_definition, 0, 5);
    tcase_add_test(tcase, has_known_values);
    tcase_add_test(tcase, ties_count_against_the_query);
    tcase_add_test(tcase, draws_queries_of_large_sets);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
