/* Layouts: what is near stays near, what is far goes apart. */
#include "balans/metric/umap.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/metric/graph.h"

#include "metric_fixture.h"
#include "mpi_check.h"

enum { N = 300, K = 15 };

/* Labels far apart; the layout begins with places that say nothing. */
static void lay_out(uint64_t seed, double *xy)
{
    bal_knn *g = NULL;
    double *w;

    p = metric_points_random(N, 6, 2, 3, 0, 1);
    for (int i = 0; i < N * 6; i++)
        p->x[i] += i % 6 == 0 ? 30.0F * (float)p->label[i / 6] : 0;
    set = metric_set(&c, p);
    ck_assert(
        !bal_failed(bal_knn_create(&c, set, BAL_EUCLIDEAN, NULL, K, 1, &g)));
    ck_assert_int_eq(bal_alloc(&w, N * K, "weights"), BAL_OK);
    ck_assert(!bal_failed(bal_graph_weights(&c, set, g, K, 1, w)));
    for (int i = 0; i < N; i++) {
        xy[2 * i] = i * 31 % 17;
        xy[2 * i + 1] = i * 13 % 19;
    }
    bal_umap_begin(xy, N);
    ck_assert_int_eq(bal_umap(g, w, seed, xy), BAL_OK);
    bal_free(&w);
    bal_knn_destroy(&g);
}

static double apart(const double *xy, int i, int j)
{
    return hypot(xy[2 * i] - xy[2 * j], xy[2 * i + 1] - xy[2 * j + 1]);
}

/* Nearly every point has one of its own label for a neighbour. */
START_TEST(keeps_neighbours_together)
{
    double xy[2 * N];
    int wrong = 0;

    lay_out(0, xy);
    for (int i = 0; i < N; i++) {
        int near = -1;
        for (int j = 0; j < N; j++)
            if (j != i && (near < 0 || apart(xy, i, j) < apart(xy, i, near)))
                near = j;
        wrong += p->label[i] != p->label[near];
    }
    ck_assert_msg(wrong <= N / 50, "%d of %d have a foreign neighbour", wrong,
                  N);
}
END_TEST

START_TEST(depends_on_its_arguments_alone)
{
    double first[2 * N], again[2 * N], other[2 * N];

    lay_out(1, first);
    tear_down();
    set_up();
    lay_out(1, again);
    ck_assert_mem_eq(first, again, sizeof first);
    tear_down();
    set_up();
    lay_out(2, other);
    ck_assert_mem_ne(first, other, sizeof first);
}
END_TEST

START_TEST(begins_with_a_fixed_size)
{
    double xy[2 * N], sum = 0, square = 0;

    for (int i = 0; i < N; i++) {
        xy[2 * i] = 5000 + i % 3;
        xy[2 * i + 1] = 7;
    }
    bal_umap_begin(xy, N);
    for (int i = 0; i < N; i++) {
        sum += xy[2 * i];
        square += xy[2 * i] * xy[2 * i] / N;
        ck_assert_double_eq(xy[2 * i + 1], 0);
    }
    ck_assert_double_eq_tol(sum, 0, 1e-6);
    ck_assert_double_eq_tol(sqrt(square), 4, 1e-9);
    xy[0] = 1e9;
    bal_umap_begin(xy, N);
    ck_assert_double_eq(xy[0], 10);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("metric/umap");
    TCase *tcase = tcase_create("umap");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, keeps_neighbours_together);
    tcase_add_test(tcase, depends_on_its_arguments_alone);
    tcase_add_test(tcase, begins_with_a_fixed_size);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
