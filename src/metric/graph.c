/* Components by union-find, the least point being the root, so that the forest
 * does not depend on the order of unions.  Each rank joins what its own points
 * say; the forests are then joined pairwise up a tree. */
#include "balans/metric/graph.h"

#include <math.h>

#include "balans/base/mem.h"
#include "balans/metric/stat.h"
#include "balans/par/agree.h"

static int32_t find(int32_t *root, int32_t i)
{
    while (root[i] != i) {
        root[i] = root[root[i]];
        i = root[i];
    }
    return i;
}

static void join(int32_t *root, int32_t i, int32_t j)
{
    i = find(root, i);
    j = find(root, j);
    if (i < j)
        root[j] = i;
    else
        root[i] = j;
}

static void join_neighbours(const bal_set *set, bal_gidx first,
                            const bal_knn *g, int k, int32_t *root)
{
    const int32_t *label = set->label.code;

    for (bal_size i = 0; i < g->m; i++)
        for (int j = 0; j < k && j < g->count[i]; j++) {
            int32_t id = bal_knn_id(g, i, j);
            if (label[id] == label[first + i])
                join(root, id, (int32_t)(first + i));
        }
}

static void join_ranks(bal_comm *c, bal_size n, int32_t *root, int32_t *other)
{
    for (int step = 1; step < c->size; step *= 2) {
        if (c->rank % (2 * step) == step) {
            MPI_Send(root, (int)n, MPI_INT32_T, c->rank - step, 0, c->mpi);
            bal_comm_count(c, n * (bal_size)sizeof *root);
            break;
        }
        if (c->rank + step >= c->size)
            continue;
        MPI_Recv(other, (int)n, MPI_INT32_T, c->rank + step, 0, c->mpi,
                 MPI_STATUS_IGNORE);
        for (bal_size i = 0; i < n; i++)
            join(root, (int32_t)i, other[i]);
    }
    bal_comm_bcast(c, root, n * (bal_size)sizeof *root, 0);
}

bal_verdict bal_label_components(bal_comm *c, const bal_set *set,
                                 const bal_knn *g, int k, int32_t *root)
{
    bal_verdict st;
    int32_t *other = NULL;

    BAL_TRY(bal_agree(c, bal_alloc(&other, set->n, "components")));
    for (bal_size i = 0; i < set->n; i++)
        root[i] = (int32_t)i;
    join_neighbours(set, set->first[c->rank], g, k, root);
    join_ranks(c, set->n, root, other);
    for (bal_size i = 0; i < set->n; i++)
        root[i] = find(root, (int32_t)i);
done:
    bal_free(&other);
    return st;
}

bal_status bal_connectivity(const bal_set *set, const int32_t *root,
                            double *share)
{
    bal_status st;
    int32_t *size = NULL;

    BAL_TRY(bal_alloc(&size, set->n, "components"));
    for (bal_size i = 0; i < set->n; i++)
        size[root[i]]++;
    for (bal_size l = 0; l < set->label.count; l++)
        share[l] = set->label.size[l] > 0 ? 0 : NAN;
    for (bal_size i = 0; i < set->n; i++) {
        int32_t l = set->label.code[i];
        double now = (double)size[root[i]] / (double)set->label.size[l];
        if (now > share[l])
            share[l] = now;
    }
done:
    bal_free(&size);
    return st;
}

/* ---- weights ---- */

enum { STEPS = 64 };
static const double TOLERANCE = 1e-5, LEAST_SIGMA = 1e-3;

static double weight(double beyond, double sigma)
{
    return beyond > 0 ? exp(-beyond / sigma) : 1;
}

static double smallest_positive(const double *distance, int count)
{
    for (int j = 0; j < count; j++)
        if (distance[j] > 0)
            return distance[j];
    return 0;
}

static double bisect(const double *distance, int count, double rho,
                     double target)
{
    double low = 0, high = INFINITY, sigma = 1;

    for (int step = 0; step < STEPS; step++) {
        double sum = 0;
        for (int j = 0; j < count; j++)
            sum += weight(distance[j] - rho, sigma);
        if (fabs(sum - target) < TOLERANCE)
            break;
        if (sum > target)
            high = sigma;
        else
            low = sigma;
        sigma = isinf(high) ? sigma * 2 : (low + high) / 2;
    }
    return sigma;
}

/* UMAP counts the point itself among its neighbours: one more, at distance 0,
 * in k and in the mean. */
static void weigh(const bal_knn *g, bal_size i, int k, double all_mean,
                  double *w)
{
    int count = g->count[i] < k ? g->count[i] : k;
    double mean = 0, rho, sigma;

    for (int j = 0; j < count; j++) {
        w[j] = bal_knn_distance(g, i, j);
        mean += w[j] / (count + 1);
    }
    rho = smallest_positive(w, count);
    sigma = bisect(w, count, rho, log2(count + 1));
    sigma = fmax(sigma, LEAST_SIGMA * (rho > 0 ? mean : all_mean));
    for (int j = 0; j < count; j++)
        w[j] = weight(w[j] - rho, sigma);
}

static double mean_distance(const bal_knn *g, bal_size i, int k)
{
    int count = g->count[i] < k ? g->count[i] : k;
    double sum = 0;

    for (int j = 0; j < count; j++)
        sum += bal_knn_distance(g, i, j);
    return sum / (count + 1);
}

bal_verdict bal_graph_weights(bal_comm *c, const bal_set *set, const bal_knn *g,
                              int k, int threads, double *w)
{
    bal_verdict st;
    double *mean = NULL, most = 0, all_mean;

    BAL_TRY(bal_agree(c, bal_alloc(&mean, g->m, "weights of neighbours")));
    for (bal_size i = 0; i < g->m; i++) {
        mean[i] = mean_distance(g, i, k);
        most = fmax(most, mean[i]);
    }
    bal_comm_max_f64(c, &most, 1);
    BAL_TRY(
        bal_group_means(c, mean, NULL, g->m, 1, most, set->n, &all_mean, NULL));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (bal_size i = 0; i < g->m; i++)
        weigh(g, i, k, all_mean, w + i * k);
done:
    bal_free(&mean);
    return st;
}
