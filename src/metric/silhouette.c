/*
 * Cosine silhouettes from cluster sums.
 *
 *     sum over y in C of (1 - u.v_y) = |C| - u.S_C,   S_C = sum of v_y
 *     own cluster, without x:          (|C| - u.S_C) - (1 - u.u)
 *
 * Clusters pass in panels of PANEL: their sums are reduced exactly (par/sum),
 * laid out with features outermost, and multiplied with every point whose scope
 * meets the panel; of each point the own and the smallest other mean stay.
 * Each product is one chain over features, vectorised over clusters.
 *
 * Cost: 2 n d (clusters compared) flops, an allreduce of 16 d bytes a cluster.
 * Reference: Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20, 1987.
 */
#include "balans/metric/silhouette.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/sums.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"
#include "clusters.h"

enum { PANEL = 512 };

typedef struct work {
    const bal_set *set;
    const bal_clusters *k;
    bal_gidx first;      /* of this rank's points */
    bal_size p;          /* d + 1: zero points have a direction of their own */
    bal_fixed *sum;      /* [PANEL, p] */
    double *mean;        /* [p, PANEL] */
    double *point;       /* [threads, p + PANEL], a point and its products */
    double *own, *other; /* [m], mean distances */
} work;

static bal_status prepare(work *w, int threads)
{
    const char *what = "silhouettes";
    bal_status st;

    BAL_TRY(bal_alloc(&w->sum, PANEL * w->p, what));
    BAL_TRY(bal_alloc(&w->mean, PANEL * w->p, what));
    BAL_TRY(bal_alloc(&w->point, threads * (w->p + PANEL), what));
    BAL_TRY(bal_alloc(&w->own, w->set->m, what));
    BAL_TRY(bal_alloc(&w->other, w->set->m, what));
    for (bal_size i = 0; i < w->set->m; i++)
        w->other[i] = INFINITY;
done:
    return st;
}

static void finish(work *w)
{
    bal_free(&w->sum);
    bal_free(&w->mean);
    bal_free(&w->point);
    bal_free(&w->own);
    bal_free(&w->other);
}

static void unit_point(const bal_set *set, bal_size i, double *u)
{
    const float *x = set->x + i * set->d;
    double factor = bal_unit_factor(x, set->d);

    for (bal_size f = 0; f < set->d; f++)
        u[f] = (double)x[f] * factor;
    u[set->d] = factor > 0 ? 0 : 1;
}

/* Collective.  Means of clusters begin .. begin + count - 1. */
static void means(bal_comm *c, work *w, bal_size begin, bal_size count)
{
    bal_scale scale = bal_scale_for((double)w->set->n, w->set->n);
    double *u = w->point;

    memset(w->sum, 0, (size_t)(count * w->p) * sizeof *w->sum);
    for (bal_size i = 0; i < w->set->m; i++) {
        bal_size g = w->k->of[w->first + i] - begin;
        if (g < 0 || g >= count)
            continue;
        unit_point(w->set, i, u);
        for (bal_size f = 0; f < w->p; f++)
            bal_fixed_add(&w->sum[g * w->p + f], &scale, u[f]);
    }
    bal_fixed_reduce(c, w->sum, count * w->p);
    for (bal_size g = 0; g < count; g++)
        for (bal_size f = 0; f < w->p; f++)
            w->mean[f * PANEL + g] =
                bal_fixed_value(w->sum[g * w->p + f], &scale);
}

static void compare_point(work *w, bal_size i, bal_size begin, bal_size count,
                          double *u)
{
    double *dot = u + w->p, square = 0;
    bal_size own = w->k->of[w->first + i];
    bal_size low = w->k->begin[own] > begin ? w->k->begin[own] : begin;
    bal_size high =
        w->k->end[own] < begin + count ? w->k->end[own] : begin + count;

    if (low >= high || !bal_clusters_defined(w->k, own))
        return;
    unit_point(w->set, i, u);
    bal_panel_products(u, w->mean + (low - begin), w->p, PANEL, high - low,
                       dot);
    for (bal_size f = 0; f < w->p; f++)
        square += u[f] * u[f];
    for (bal_size g = low; g < high; g++) {
        double size = (double)w->k->size[g], distance = size - dot[g - low];
        if (g == own)
            w->own[i] = (distance - (1 - square)) / (size - 1);
        else if (distance / size < w->other[i])
            w->other[i] = distance / size;
    }
}

static void compare_points(work *w, bal_size begin, bal_size count, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (bal_size i = 0; i < w->set->m; i++) {
        compare_point(w, i, begin, count,
                      w->point + omp_get_thread_num() * (w->p + PANEL));
        bal_alive();
    }
}

static void values(const work *w, double *s)
{
    for (bal_size i = 0; i < w->set->m; i++) {
        bal_size g = w->k->of[w->first + i];
        if (!bal_clusters_defined(w->k, g))
            s[i] = NAN;
        else if (w->k->size[g] == 1)
            s[i] = 0;
        else
            s[i] = bal_silhouette_value(w->own[i], w->other[i]);
    }
}

static bal_verdict cosine(bal_comm *c, const bal_set *set,
                          const bal_clusters *k, int threads, double *s)
{
    bal_verdict st;
    work w = {
        .set = set,
        .k = k,
        .first = set->first[c->rank],
        .p = set->d + 1,
    };

    BAL_TRY(bal_agree(c, prepare(&w, threads)));
    for (bal_size g = 0; g < k->count; g += PANEL) {
        bal_size count = k->count - g < PANEL ? k->count - g : PANEL;
        means(c, &w, g, count);
        compare_points(&w, g, count, threads);
    }
    values(&w, s);
done:
    finish(&w);
    return st;
}

bal_verdict bal_silhouette(bal_comm *c, bal_set *set, bal_space_kind kind,
                           bal_silhouette_kind which, uint64_t seed,
                           int threads, double **s, bal_set **of)
{
    bal_verdict st;
    bal_clusters *k = NULL;
    bool sampled = kind == BAL_EUCLIDEAN && set->n > BAL_SILHOUETTE_SAMPLE;

    *s = NULL;
    *of = set;
    if (sampled)
        BAL_TRY(bal_set_sample(c, set, BAL_SILHOUETTE_SAMPLE, seed, of));
    bal_status mine = bal_clusters_create(*of, which, &k);
    if (!bal_failed(mine))
        mine = bal_alloc(s, (*of)->m, "silhouettes");
    BAL_TRY(bal_agree(c, mine));
    if (kind == BAL_COSINE)
        BAL_TRY(cosine(c, *of, k, threads, *s));
    else
        BAL_TRY(bal_silhouette_euclid(c, *of, k, threads, *s));
done:
    bal_clusters_destroy(&k);
    if (bal_failed(st)) {
        bal_free(s);
        if (*of != set)
            bal_set_destroy(of);
    }
    return st;
}
