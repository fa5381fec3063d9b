/**
 * @file
 * Silhouettes: how much nearer a point is to its own cluster than to the
 * nearest other one.
 */
#ifndef BAL_METRIC_SILHOUETTE_H
#define BAL_METRIC_SILHOUETTE_H

#include "balans/base/status.h"
#include "balans/metric/ring.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

typedef enum bal_silhouette_kind {
    BAL_SILHOUETTE_LABEL = 0, ///< clusters are labels
    BAL_SILHOUETTE_BATCH,     ///< clusters are the batches inside each label
} bal_silhouette_kind;

/** Most points that Euclidean silhouettes are computed on. */
enum { BAL_SILHOUETTE_SAMPLE = 10000 };

/**
 * The silhouette s of every point, from -1 to 1; 0 for a cluster's only point.
 *
 *     s = (b - a) / max(a, b)
 *
 * a: mean distance to the others of its own cluster; b: smallest mean distance
 * to another cluster.  NaN where s is not defined: label, if there are fewer
 * than two labels or every point has its own; batch, if the point's label has
 * one batch only or as many batches as points.
 *
 * With cosine distances all points count, exactly: the mean of 1 - cos(x, y)
 * over the y of a cluster is 1 - u.mean(v), u and v being scaled to length 1,
 * so cluster means are enough.  Mean distances below 1e-12 are 0.  There is no
 * such form for Euclidean distances: with more than BAL_SILHOUETTE_SAMPLE
 * points a sample of that size is drawn with `seed`, and silhouettes are those
 * of its points within the sample.
 *
 * Collective.  Same on every rank: all but threads.
 * @param[out] s     [m of `of`]
 * @param[out] of    the points that s belongs to: `set`, or the sample, then
 *                   owned by the caller
 * Fails with BAL_ENOMEM.
 * Cost: cosine 2 n d (number of clusters a point is compared with) flops in
 * double; Euclidean 3 d flops a pair of the sample.
 */
bal_verdict bal_silhouette(bal_comm *c, bal_set *set, bal_space_kind kind,
                           bal_silhouette_kind which, uint64_t seed,
                           int threads, double **s, bal_set **of);

#endif
