#include "metric_points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/par/layout.h"

static void *new_array(size_t count, size_t size)
{
    void *p = calloc(count > 0 ? count : 1, size);

    if (p == NULL)
        abort();
    return p;
}

static double draw(unsigned seed, int i, int f)
{
    uint64_t r = bal_rng_u64(seed, 77, 0, (uint32_t)i, (uint32_t)f);

    return (double)(r >> 11) / 4503599627370496.0 - 1; /* -1 .. 1 */
}

metric_points *metric_points_random(int n, int d, int batches, int labels,
                                    double shift, unsigned seed)
{
    metric_points *p = new_array(1, sizeof *p);

    *p = (metric_points){.n = n, .d = d, .batches = batches, .labels = labels};
    p->x = new_array((size_t)(n * d), sizeof *p->x);
    p->batch = new_array((size_t)n, sizeof *p->batch);
    p->label = new_array((size_t)n, sizeof *p->label);
    for (int i = 0; i < n; i++) {
        p->batch[i] = (i * 7 + i / 11) % batches;
        p->label[i] = (i * i + i / 3) % labels;
        for (int f = 0; f < d; f++)
            p->x[i * d + f] = (float)(2 * draw(seed, -1 - p->label[i], f) +
                                      shift * draw(seed + 1, p->batch[i], f) +
                                      draw(seed, i, f));
    }
    return p;
}

void metric_points_destroy(metric_points **p)
{
    if (*p == NULL)
        return;
    free((*p)->x);
    free((*p)->batch);
    free((*p)->label);
    free(*p);
    *p = NULL;
}

static bal_labels *labels_of(bal_comm *c, const int *group, int n, int count)
{
    bal_gidx first = bal_slab_first(n, c->rank, c->size);
    bal_size m = bal_slab_first(n, c->rank + 1, c->size) - first;
    char **name = new_array((size_t)count, sizeof *name);
    int32_t *code = NULL;
    bal_labels *labels = NULL;

    for (int g = 0; g < count; g++) {
        name[g] = new_array(16, 1);
        snprintf(name[g], 16, "%d", g);
    }
    if (bal_failed(bal_alloc(&code, m, "codes")))
        abort();
    for (bal_size i = 0; i < m; i++)
        code[i] = group[first + i];
    if (bal_failed(
            bal_labels_unify(c, n, name, count, code, true, "a test", &labels)))
        abort();
    for (int g = 0; g < count; g++)
        free(name[g]);
    free(name);
    return labels;
}

bal_set *metric_set(bal_comm *c, const metric_points *p)
{
    bal_labels *batch = labels_of(c, p->batch, p->n, p->batches);
    bal_labels *label = labels_of(c, p->label, p->n, p->labels);
    bal_set *set = NULL;

    if (bal_failed(bal_set_create(c, batch, label, p->d, &set)))
        abort();
    memcpy(set->x, p->x + set->first[c->rank] * p->d,
           (size_t)(set->m * p->d) * sizeof *set->x);
    bal_labels_destroy(&batch);
    bal_labels_destroy(&label);
    return set;
}

static double dot(const metric_points *p, int i, int j)
{
    double sum = 0;

    for (int f = 0; f < p->d; f++)
        sum += (double)p->x[i * p->d + f] * (double)p->x[j * p->d + f];
    return sum;
}

static double cosine(const metric_points *p, int i, int j)
{
    double a = dot(p, i, i), b = dot(p, j, j);

    if (!(a > 0) || !(b > 0))
        return !(a > 0) && !(b > 0) ? 0 : 1;
    return fmax(0, 1 - dot(p, i, j) / sqrt(a * b));
}

static double euclid(const metric_points *p, int i, int j)
{
    double sum = 0;

    for (int f = 0; f < p->d; f++)
        sum += pow((double)p->x[i * p->d + f] - (double)p->x[j * p->d + f], 2);
    return sqrt(sum);
}

double *metric_distances(const metric_points *p, bal_space_kind kind)
{
    double *at = new_array((size_t)(p->n * p->n), sizeof *at);

    for (int i = 0; i < p->n; i++)
        for (int j = 0; j < p->n; j++)
            at[i * p->n + j] = i == j               ? 0
                               : kind == BAL_COSINE ? cosine(p, i, j)
                                                    : euclid(p, i, j);
    return at;
}

int *metric_neighbours(const double *distance, int n, int k, const int *group)
{
    int *at = new_array((size_t)(n * k), sizeof *at);
    bool *used = new_array((size_t)n, sizeof *used);

    for (int i = 0; i < n; i++) {
        memset(used, 0, (size_t)n * sizeof *used);
        used[i] = true;
        for (int r = 0; r < k; r++) {
            int best = -1;
            for (int j = 0; j < n; j++)
                if (!used[j] && (group == NULL || group[j] == group[i]) &&
                    (best < 0 || distance[i * n + j] < distance[i * n + best]))
                    best = j;
            at[i * k + r] = best;
            if (best >= 0)
                used[best] = true;
        }
    }
    free(used);
    return at;
}

/* Mean distance of i to the others of a cluster; NaN if there are none. */
static double mean_distance(const double *distance, int n, const int *cluster,
                            const int *in, int which, int i, int of)
{
    double sum = 0;
    int count = 0;

    for (int j = 0; j < n; j++)
        if (j != i && in[j] == which && cluster[j] == of) {
            sum += distance[i * n + j];
            count++;
        }
    return count == 0 ? NAN : sum / count;
}

void metric_silhouettes(const double *distance, int n, const int *cluster,
                        const int *in, int which, double *s)
{
    for (int i = 0; i < n; i++) {
        double own =
            mean_distance(distance, n, cluster, in, which, i, cluster[i]);
        double other = INFINITY;
        if (in[i] != which)
            continue;
        for (int j = 0; j < n; j++)
            if (in[j] == which && cluster[j] != cluster[i])
                other = fmin(other, mean_distance(distance, n, cluster, in,
                                                  which, i, cluster[j]));
        double most = fmax(own, other);
        s[i] = isnan(own) ? 0 : most > 1e-12 ? (other - own) / most : 0;
    }
}

double metric_lisi(const double *distance, const int *neighbour, int k,
                   double perplexity, const int *group)
{
    double low = 0, high = 1e12, sum = 0;
    double *p = new_array((size_t)k, sizeof *p);

    /* The entropy falls as beta grows. */
    for (int step = 0; step < 300; step++) {
        double beta = (low + high) / 2, total = 0, entropy = 0;
        for (int j = 0; j < k; j++)
            total += p[j] =
                exp(-beta * (distance[neighbour[j]] - distance[neighbour[0]]));
        for (int j = 0; j < k; j++) {
            p[j] /= total;
            entropy -= p[j] > 0 ? p[j] * log(p[j]) : 0;
        }
        if (entropy > log(perplexity))
            low = beta;
        else
            high = beta;
    }
    for (int j = 0; j < k; j++)
        for (int l = 0; l < k; l++)
            if (group[neighbour[j]] == group[neighbour[l]])
                sum += p[j] * p[l];
    free(p);
    return 1 / sum;
}

double metric_precision(const metric_points *p, const double *distance, int i)
{
    const double *d = distance + i * p->n;
    double sum = 0;
    int positives = 0;

    for (int q = 0; q < p->n; q++) {
        int better = 1, before = 0;
        if (p->label[q] != p->label[i] || p->batch[q] == p->batch[i])
            continue;
        for (int j = 0; j < p->n; j++) {
            bool positive =
                p->label[j] == p->label[i] && p->batch[j] != p->batch[i];
            better += positive && d[j] < d[q];
            before += p->label[j] != p->label[i] && d[j] <= d[q];
        }
        positives++;
        sum += (double)better / (better + before);
    }
    return positives == 0 ? NAN : sum / positives;
}
