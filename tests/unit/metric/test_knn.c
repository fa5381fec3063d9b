/* The k nearest against all distances sorted. */
#include "balans/metric/knn.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"

#include "metric_fixture.h"
#include "mpi_check.h"

typedef struct setting {
    int n, d, k;
    bal_space_kind kind;
    bool grouped;
} setting;
static const setting settings[] = {
    {1, 2, 3, BAL_COSINE, false},     {2, 3, 1, BAL_COSINE, false},
    {3, 1, 5, BAL_EUCLIDEAN, false},  {300, 7, 20, BAL_COSINE, false},
    {700, 5, 90, BAL_COSINE, false},  {300, 70, 24, BAL_EUCLIDEAN, false},
    {600, 4, 10, BAL_COSINE, true},   {600, 4, 300, BAL_EUCLIDEAN, true},
    {513, 3, 600, BAL_COSINE, false},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static int count_wrong(const bal_knn *g, const double *distance,
                       const int *near, const int *group)
{
    bal_gidx first = set->first[c.rank];
    int wrong = 0;

    for (bal_size i = 0; i < g->m; i++)
        for (int r = 0; r < g->k; r++) {
            int want = near[(first + i) * g->k + r];
            if ((want >= 0) != (r < g->count[i])) {
                wrong++;
                continue;
            }
            if (want < 0)
                continue;
            int id = bal_knn_id(g, i, r);
            const double *row = distance + (first + i) * p->n;
            wrong += id == first + i || id < 0 || id >= p->n;
            wrong += group != NULL && group[id] != group[first + i];
            wrong += fabs(row[id] - row[want]) > 1e-5;
            wrong += fabs(bal_knn_distance(g, i, r) - row[want]) > 1e-5;
        }
    return wrong;
}

START_TEST(finds_the_nearest)
{
    const setting *s = &settings[_i];
    bal_knn *g = NULL;

    p = metric_points_random(s->n, s->d, 3, 5, 0.5, (unsigned)_i);
    set = metric_set(&c, p);
    double *distance = metric_distances(p, s->kind);
    const int *group = s->grouped ? p->label : NULL;
    int *near = metric_neighbours(distance, s->n, s->k, group);
    bal_verdict v = bal_knn_create(
        &c, set, s->kind, s->grouped ? set->label.code : NULL, s->k, 2, &g);
    all_assert(!bal_failed(v));
    int wrong = count_wrong(g, distance, near, group);
    bal_knn_destroy(&g);
    free(distance);
    free(near);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

/* Everybody's neighbours as one number that does not depend on who has them. */
static uint64_t fingerprint(const bal_knn *g)
{
    int64_t sum = 0;

    for (bal_size i = 0; i < g->m; i++)
        for (int r = 0; r < g->count[i]; r++) {
            uint64_t key =
                g->key[i * g->k + r] ^ (uint64_t)(set->first[c.rank] + i) << 40;
            key *= UINT64_C(0x9e3779b97f4a7c15);
            sum += (int64_t)(key >> 20) * (r + 1);
        }
    bal_comm_sum_i64(&c, &sum, 1);
    return (uint64_t)sum;
}

START_TEST(is_the_same_on_one_rank_and_many)
{
    bal_knn *g = NULL;
    bal_comm alone;
    uint64_t many, one;

    p = metric_points_random(400, 6, 3, 5, 0.5, 9);
    for (int i = 0; i < 400 * 6; i++) /* many ties */
        p->x[i] = floorf(p->x[i]);
    set = metric_set(&c, p);
    (void)bal_knn_create(&c, set, BAL_EUCLIDEAN, NULL, 15, 1, &g);
    many = fingerprint(g);
    bal_knn_destroy(&g);
    bal_set_destroy(&set);
    bal_comm here = c;
    bal_comm_init(&alone, MPI_COMM_SELF);
    c = alone;
    set = metric_set(&c, p);
    (void)bal_knn_create(&c, set, BAL_EUCLIDEAN, NULL, 15, 3, &g);
    one = fingerprint(g);
    bal_knn_destroy(&g);
    bal_comm_finish(&alone);
    c = here;
    all_assert(one == many);
}
END_TEST

START_TEST(breaks_ties_without_regard_to_the_order_of_the_file)
{
    bal_knn *g = NULL;
    int64_t low = 0, all = 0;

    p = metric_points_random(1000, 3, 2, 2, 0, 1);
    for (int i = 0; i < 3000; i++)
        p->x[i] = 1;
    set = metric_set(&c, p);
    (void)bal_knn_create(&c, set, BAL_COSINE, NULL, 90, 1, &g);
    for (bal_size i = 0; i < g->m; i++)
        for (int r = 0; r < 90; r++, all++)
            low += bal_knn_id(g, i, r) < 500;
    bal_knn_destroy(&g);
    bal_comm_sum_i64(&c, &low, 1);
    bal_comm_sum_i64(&c, &all, 1);
    all_assert_msg(low > all / 3 && low < all * 2 / 3, "%lld of %lld",
                   (long long)low, (long long)all);
}
END_TEST

START_TEST(survives_zero_points_and_extreme_values)
{
    bal_knn *g = NULL;
    int wrong = 0;

    p = metric_points_random(120, 4, 2, 3, 0, 1);
    for (int i = 0; i < 120 * 4; i++)
        p->x[i] = i / 4 % 3 == 0 ? 0 : p->x[i] * 1e30f;
    set = metric_set(&c, p);
    (void)bal_knn_create(&c, set, BAL_COSINE, NULL, 39, 1, &g);
    for (bal_size i = 0; i < g->m; i++)
        for (int r = 0; r < 39; r++) {
            bool zero = (set->first[c.rank] + i) % 3 == 0;
            wrong += g->count[i] != 39;
            wrong += zero && bal_knn_id(g, i, r) % 3 != 0;
            wrong += zero && bal_knn_distance(g, i, r) > 0;
        }
    bal_knn_destroy(&g);
    (void)bal_knn_create(&c, set, BAL_EUCLIDEAN, NULL, 119, 1, &g);
    for (bal_size i = 0; i < g->m; i++)
        wrong += g->count[i] != 119 || !isfinite(bal_knn_distance(g, i, 118));
    bal_knn_destroy(&g);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(shuffles_back_and_forth)
{
    int wrong = 0;

    for (uint32_t v = 0; v < 100000; v++)
        wrong += bal_unshuffled(bal_shuffled(v * 40503)) != v * 40503;
    all_assert(wrong == 0);
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    bal_size held = bal_mem_held();
    bal_knn *g = NULL;

    p = metric_points_random(100, 4, 2, 3, 0, 1);
    set = metric_set(&c, p);
    (void)bal_knn_create(&c, set, BAL_COSINE, set->label.code, 5, 2, &g);
    bal_knn_destroy(&g);
    bal_set_destroy(&set);
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/knn");
    TCase *tcase = tcase_create("knn");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, finds_the_nearest, 0, SETTINGS);
    tcase_add_test(tcase, is_the_same_on_one_rank_and_many);
    tcase_add_test(tcase, breaks_ties_without_regard_to_the_order_of_the_file);
    tcase_add_test(tcase, survives_zero_points_and_extreme_values);
    tcase_add_test(tcase, shuffles_back_and_forth);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
