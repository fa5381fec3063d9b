/* Components, weights, LISI and kBET of small graphs. */
#include "balans/metric/graph.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "balans/metric/kbet.h"
#include "balans/metric/lisi.h"

#include "metric_fixture.h"
#include "mpi_check.h"

static bal_knn *g;

static void prepare(int k)
{
    set = metric_set(&c, p);
    if (bal_failed(bal_knn_create(&c, set, BAL_COSINE, NULL, k, 1, &g)))
        abort();
}

/* Whether i and j are joined within their label, by definition. */
static bool joined(const int *near, int k, int i, int j)
{
    if (p->label[i] != p->label[j])
        return false;
    for (int r = 0; r < k; r++)
        if (near[i * k + r] == j || near[j * k + r] == i)
            return true;
    return false;
}

/* Components by letting the least number spread until nothing changes. */
static int *spread(const int *near, int k)
{
    int *root = calloc((size_t)p->n, sizeof *root);

    for (int i = 0; i < p->n; i++)
        root[i] = i;
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < p->n; i++)
            for (int j = 0; j < p->n; j++)
                if (root[j] < root[i] && joined(near, k, i, j)) {
                    root[i] = root[j];
                    changed = true;
                }
    }
    return root;
}

START_TEST(finds_components)
{
    enum { N = 260, K = 3 };
    int32_t root[N];
    double share[9];
    int wrong = 0;

    p = metric_points_random(N, 2, 3, 9, 1.5, 4);
    prepare(K);
    double *distance = metric_distances(p, BAL_COSINE);
    int *near = metric_neighbours(distance, N, K, NULL);
    int *want = spread(near, K);
    all_assert(!bal_failed(bal_label_components(&c, set, g, K, root)));
    for (int i = 0; i < N; i++)
        wrong += root[i] != want[i];
    all_assert_msg(wrong == 0, "%d wrong", wrong);
    all_assert(!bal_failed(bal_connectivity(set, root, share)));
    for (int l = 0; l < 9; l++) {
        int most = 0, size = 0;
        for (int i = 0; i < N; i++) {
            int here = 0;
            for (int j = 0; j < N; j++)
                here += want[j] == i;
            most = p->label[i] == l && here > most ? here : most;
            size += p->label[i] == l;
        }
        wrong += size > 0 ? !(fabs(share[l] - (double)most / size) < 1e-12)
                          : !isnan(share[l]);
    }
    bal_knn_destroy(&g);
    free(distance);
    free(near);
    free(want);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(weights_add_up_to_the_logarithm)
{
    enum { N = 200, K = 14 };
    double w[N * K];
    int wrong = 0;

    p = metric_points_random(N, 6, 3, 4, 0.5, 2);
    prepare(K);
    all_assert(!bal_failed(bal_graph_weights(&c, set, g, K, 2, w)));
    for (bal_size i = 0; i < g->m; i++) {
        double sum = 0;
        for (int j = 0; j < K; j++) {
            sum += w[i * K + j];
            wrong += j > 0 && w[i * K + j] > w[i * K + j - 1];
        }
        wrong += !(fabs(w[i * K] - 1) < 1e-12);
        wrong += !(fabs(sum - log2(K + 1)) < 1e-4);
    }
    bal_knn_destroy(&g);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(lisi_agrees_with_the_definition)
{
    enum { N = 300, K = 60 };
    double index[2][N];
    double *const out[2] = {index[0], index[1]};
    int wrong = 0;

    p = metric_points_random(N, 5, 3, 6, 0.5, 3);
    prepare(K);
    const bal_grouping *by[2] = {&set->batch, &set->label};
    double *distance = metric_distances(p, BAL_COSINE);
    int *near = metric_neighbours(distance, N, K, NULL);
    all_assert(!bal_failed(bal_lisi(g, K, 20, by, 2, 2, out)));
    for (bal_size i = 0; i < g->m; i++) {
        bal_gidx at = set->first[c.rank] + i;
        for (int b = 0; b < 2; b++) {
            double want = metric_lisi(distance + at * N, near + at * K, K, 20,
                                      b == 0 ? p->batch : p->label);
            wrong += !(fabs(index[b][i] - want) < 1e-3 * want);
        }
    }
    bal_knn_destroy(&g);
    free(distance);
    free(near);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(lisi_of_equal_points_counts_neighbours)
{
    enum { N = 64 };
    double index[N];
    double *const out[1] = {index};
    int wrong = 0;

    p = metric_points_random(N, 2, 2, 2, 0, 1);
    for (int i = 0; i < N; i++) {
        p->x[2 * i] = p->x[2 * i + 1] = 1;
        p->batch[i] = i % 2;
    }
    prepare(N - 1);
    const bal_grouping *by[1] = {&set->batch};
    all_assert(!bal_failed(bal_lisi(g, N - 1, 21, by, 1, 1, out)));
    double a = 31 / 63.0, b = 32 / 63.0;
    for (bal_size i = 0; i < g->m; i++)
        wrong += !(fabs(index[i] - 1 / (a * a + b * b)) < 1e-9);
    bal_knn_destroy(&g);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(chi_squared_has_its_quantiles)
{
    /* Quantiles as every table has them. */
    const double known[][3] = {
        {3.841459, 1, 0.05},   {5.991465, 2, 0.05}, {18.307038, 10, 0.05},
        {6.634897, 1, 0.01},   {2.705543, 1, 0.10}, {0.454936, 1, 0.50},
        {67.504807, 50, 0.05}, {0, 3, 1},           {124.342113, 100, 0.05}};
    int wrong = 0;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        wrong += !(fabs(bal_chi2_survival(known[i][0], known[i][1]) -
                        known[i][2]) < 1e-6);
    wrong += !(bal_chi2_survival(1e6, 2) < 1e-300);
    all_assert(wrong == 0);
}
END_TEST

/* By definition, for labels in one component. */
static double rejection(int label, const int *near, int k, int k0)
{
    int size[8] = {0}, all = 0, rejected = 0;

    for (int i = 0; i < p->n; i++)
        if (p->label[i] == label) {
            size[p->batch[i]]++;
            all++;
        }
    for (int i = 0; i < p->n; i++) {
        int seen[8] = {0}, batches = 0;
        double chi2 = 0;
        if (p->label[i] != label)
            continue;
        seen[p->batch[i]]++;
        for (int r = 0; r < k0 - 1; r++)
            seen[p->batch[near[i * k + r]]]++;
        for (int b = 0; b < p->batches; b++) {
            double expected = (double)k0 * size[b] / all;
            batches += size[b] > 0;
            if (size[b] > 0)
                chi2 += pow(seen[b] - expected, 2) / expected;
        }
        rejected += bal_chi2_survival(chi2, batches - 1) < 0.05;
    }
    return (double)rejected / all;
}

START_TEST(kbet_agrees_with_the_definition)
{
    enum { N = 600, K = 69 };
    int32_t root[N];
    double rate[3];
    int wrong = 0;

    p = metric_points_random(N, 4, 3, 3, 0.4, 7);
    prepare(24);
    double *distance = metric_distances(p, BAL_COSINE);
    int *near = metric_neighbours(distance, N, K, p->label);
    for (int i = 0; i < N; i++) /* as if all of a label hung together */
        root[i] = p->label[i];
    for (int i = 0; i < N; i++)
        for (int j = N - 1; j >= 0; j--)
            root[i] = p->label[j] == p->label[i] ? j : root[i];
    all_assert(!bal_failed(bal_kbet(&c, set, BAL_COSINE, root, 2, rate)));
    for (int l = 0; l < 3; l++) {
        int size = (int)set->label.size[l], batches = 0;
        for (int b = 0; b < 3; b++) {
            bool there = false;
            for (int i = 0; i < N; i++)
                there = there || (p->label[i] == l && p->batch[i] == b);
            batches += there;
        }
        int k0 = size / batches / 4;
        k0 = k0 < 10 ? 10 : k0 > 70 ? 70 : k0;
        wrong += !(fabs(rate[l] - rejection(l, near, K, k0)) < 0.02);
    }
    bal_knn_destroy(&g);
    free(distance);
    free(near);
    all_assert_msg(wrong == 0, "%d wrong", wrong);
}
END_TEST

START_TEST(kbet_looks_at_components)
{
    enum { N = 100 };
    int32_t root[N];
    double rate[2];

    p = metric_points_random(N, 3, 2, 2, 0, 7);
    for (int i = 0; i < N; i++) {
        p->label[i] = i < 95 ? 0 : 1;
        p->batch[i] = i % 2;
    }
    set = metric_set(&c, p);
    for (int i = 0; i < N; i++)
        root[i] = i;
    all_assert(!bal_failed(bal_kbet(&c, set, BAL_COSINE, root, 1, rate)));
    all_assert(fabs(rate[0] - 1) < 1e-12 && isnan(rate[1]));
    for (int i = 0; i < N; i++)
        root[i] = i < 80 ? 0 : i;
    all_assert(!bal_failed(bal_kbet(&c, set, BAL_COSINE, root, 1, rate)));
    all_assert(rate[0] < 0.5 && isnan(rate[1]));
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/graph");
    TCase *tcase = tcase_create("graph");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, finds_components);
    tcase_add_test(tcase, weights_add_up_to_the_logarithm);
    tcase_add_test(tcase, lisi_agrees_with_the_definition);
    tcase_add_test(tcase, lisi_of_equal_points_counts_neighbours);
    tcase_add_test(tcase, chi_squared_has_its_quantiles);
    tcase_add_test(tcase, kbet_agrees_with_the_definition);
    tcase_add_test(tcase, kbet_looks_at_components);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
