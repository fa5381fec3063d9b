/* Partitions compared, and found. */
#include "balans/metric/cluster.h"

#include <math.h>
#include <stdlib.h>

#include "balans/base/mem.h"
#include "balans/metric/graph.h"

#include "metric_fixture.h"
#include "mpi_check.h"

START_TEST(partitions_have_known_scores)
{
    /* The examples of scikit-learn's documentation, and by hand. */
    const int32_t a[] = {0, 0, 1, 1}, b[] = {1, 1, 0, 0};
    const int32_t d[] = {0, 0, 1, 2}, e[] = {0, 1, 2, 3}, f[] = {0, 0, 0, 0};
    double ari, nmi;
    int wrong = 0;

    wrong += bal_failed(bal_partition_scores(a, b, 4, &ari, &nmi));
    wrong += !(fabs(ari - 1) < 1e-12) || !(fabs(nmi - 1) < 1e-12);
    wrong += bal_failed(bal_partition_scores(a, d, 4, &ari, &nmi));
    wrong += !(fabs(ari - 4 / 7.0) < 1e-12) || !(fabs(nmi - 0.8) < 1e-12);
    wrong += bal_failed(bal_partition_scores(f, e, 4, &ari, &nmi));
    wrong += !(fabs(ari) < 1e-12) || !(fabs(nmi) < 1e-12);
    wrong += bal_failed(bal_partition_scores(f, f, 4, &ari, &nmi));
    wrong += !(fabs(ari - 1) < 1e-12) || !(fabs(nmi - 1) < 1e-12);
    all_assert(wrong == 0);
}
END_TEST

START_TEST(finds_clusters_that_are_apart)
{
    enum { N = 400, K = 15 };
    bal_knn *g = NULL;
    double *w = calloc(N * K, sizeof *w), ari, nmi;
    int32_t member[N], again[N];
    int wrong = 0;

    p = metric_points_random(N, 8, 2, 1, 0, 5);
    p->labels = 3;
    for (int i = 0; i < N; i++) {
        p->label[i] = i % 3;
        for (int f = 0; f < 8; f++)
            p->x[8 * i + f] = (f == p->label[i] ? 50 : 0) + p->x[8 * i + f];
    }
    set = metric_set(&c, p);
    (void)bal_knn_create(&c, set, BAL_EUCLIDEAN, NULL, K, 1, &g);
    (void)bal_graph_weights(&c, set, g, K, 1, w);
    /* At a low resolution what hangs together stays together. */
    all_assert(!bal_failed(bal_leiden(&c, set, g, K, w, 0.01, 0, member)));
    (void)bal_partition_scores(set->label.code, member, N, &ari, &nmi);
    all_assert_msg(ari > 0.999, "ARI %g", ari);
    (void)bal_leiden(&c, set, g, K, w, 1.0, 4, member);
    (void)bal_leiden(&c, set, g, K, w, 1.0, 4, again);
    for (int i = 0; i < N; i++)
        wrong += member[i] != again[i];
    bal_knn_destroy(&g);
    free(w);
    all_assert(wrong == 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/cluster");
    TCase *tcase = tcase_create("cluster");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, partitions_have_known_scores);
    tcase_add_test(tcase, finds_clusters_that_are_apart);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
