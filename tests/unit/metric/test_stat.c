/* Order statistics, means of groups, samples. */
#include "balans/metric/stat.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"

#include "metric_fixture.h"
#include "mpi_check.h"

/* This rank's part of 0 .. n - 1 in some order. */
static bal_size deal(uint64_t *v, bal_size n)
{
    bal_size m = 0;

    for (bal_size i = 0; i < n; i++)
        if (i * 7 % 11 % c.size == c.rank)
            v[m++] = (uint64_t)i << 37;
    return m;
}

START_TEST(selects)
{
    enum { N = 1000 };
    uint64_t v[N], got;
    bal_size m = deal(v, N);
    int wrong = 0;

    for (bal_size k = 1; k <= N; k += 111) {
        wrong += bal_failed(bal_select_u64(&c, v, m, k, &got));
        wrong += got != (uint64_t)(k - 1) << 37;
    }
    all_assert(wrong == 0);
}
END_TEST

static double median_of(bal_size n)
{
    double v[100], got;
    bal_size m = 0;

    for (bal_size i = 0; i < n; i++)
        if (i % c.size == c.rank)
            v[m++] = (double)((i * 37) % n) / 8;
    v[m++] = NAN;
    if (bal_failed(bal_median(&c, v, m, &got)))
        abort();
    return got;
}

START_TEST(finds_the_median)
{
    all_assert(isnan(median_of(0)));
    all_assert(fabs(median_of(1) - 0) < 1e-15);
    all_assert(fabs(median_of(2) - 1 / 16.0) < 1e-15);
    all_assert(fabs(median_of(99) - 49 / 8.0) < 1e-15);
    all_assert(fabs(median_of(98) - 48.5 / 8) < 1e-15);
}
END_TEST

START_TEST(means_of_groups_leave_out_what_is_not_defined)
{
    double v[30], mean[4], all;
    int32_t code[30];
    int64_t count[4];
    bal_size m = 0;

    for (int i = 0; i < 30; i++)
        if (i % c.size == c.rank) {
            code[m] = i % 3;
            v[m++] = i == 3 ? (double)NAN : i;
        }
    all_assert(
        !bal_failed(bal_group_means(&c, v, code, m, 4, 30, 30, mean, count)));
    all_assert(fabs(mean[0] - 132 / 9.0) < 1e-12 && count[0] == 9);
    all_assert(fabs(mean[1] - 14.5) < 1e-12 && fabs(mean[2] - 15.5) < 1e-12);
    all_assert(isnan(mean[3]) && count[3] == 0);
    all_assert(
        !bal_failed(bal_group_means(&c, v, NULL, m, 1, 30, 30, &all, NULL)));
    all_assert(fabs(all - 432 / 29.0) < 1e-12);
    all_assert(fabs(bal_mean_defined((double[]){1, NAN, 3}, 3) - 2) < 1e-15);
    all_assert(isnan(bal_mean_defined((double[]){NAN}, 1)));
}
END_TEST

START_TEST(samples_the_same_rows_on_any_number_of_ranks)
{
    bal_set *drawn = NULL, *alone_drawn = NULL, *whole;
    bal_comm alone;
    int64_t sum = 0, want = 0;

    p = metric_points_random(500, 3, 4, 5, 0, 1);
    set = metric_set(&c, p);
    all_assert(!bal_failed(bal_set_sample(&c, set, 123, 42, &drawn)));
    all_assert(drawn->n == 123 && drawn->first[c.size] == 123);
    int wrong = 0;
    for (bal_size i = 0; i < drawn->m; i++) {
        bal_gidx row = drawn->row[i], at = drawn->first[c.rank] + i;
        sum += row * row;
        wrong += drawn->batch.code[at] != p->batch[row];
        wrong += drawn->label.code[at] != p->label[row];
        wrong += fabsf(drawn->x[i * 3 + 1] - p->x[row * 3 + 1]) > 0;
    }
    bal_comm_sum_i64(&c, &sum, 1);
    bal_comm_init(&alone, MPI_COMM_SELF);
    whole = metric_set(&alone, p);
    (void)bal_set_sample(&alone, whole, 123, 42, &alone_drawn);
    for (bal_size i = 0; i < alone_drawn->m; i++)
        want += alone_drawn->row[i] * alone_drawn->row[i];
    bal_set_destroy(&whole);
    bal_set_destroy(&alone_drawn);
    bal_set_destroy(&drawn);
    bal_comm_finish(&alone);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
    all_assert(sum == want);
    all_assert(!bal_failed(bal_set_sample(&c, set, 1000, 42, &drawn)));
    all_assert(drawn->n == 500);
    bal_set_destroy(&drawn);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/stat");
    TCase *tcase = tcase_create("stat");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, selects);
    tcase_add_test(tcase, finds_the_median);
    tcase_add_test(tcase, means_of_groups_leave_out_what_is_not_defined);
    tcase_add_test(tcase, samples_the_same_rows_on_any_number_of_ranks);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
