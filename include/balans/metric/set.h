/**
 * @file
 * What is evaluated: points with their batch and label, spread over the ranks.
 *
 * Points are numbered 0 .. n - 1 in the order of the input; rank r holds
 * first[r] .. first[r + 1] - 1, possibly none.  The codes of batch and label
 * are known on every rank (8 n bytes), so that a point's neighbours need not be
 * asked who they are.
 */
#ifndef BAL_METRIC_SET_H
#define BAL_METRIC_SET_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/data/labels.h"
#include "balans/par/comm.h"

/** One grouping of the points.  Values without a point keep their code. */
typedef struct bal_grouping {
    int32_t *code;   ///< [n], of every point of all ranks
    bal_size count;  ///< codes are 0 .. count - 1
    bal_size *size;  ///< [count], points of each
    bal_size filled; ///< codes that have a point
} bal_grouping;

typedef struct bal_set {
    bal_size n;      ///< points of all ranks
    bal_gidx *first; ///< [comm size + 1]
    bal_size m;      ///< points of this rank
    bal_size d;      ///< features, at least 1
    float *x;        ///< [m, d], row-major
    bal_gidx *row;   ///< [m], input row of each point
    bal_grouping batch, label;
} bal_set;

/**
 * Points of all rows of a file, in slabs, with zeroed features.
 *
 * Collective.  Same on every rank: d.
 * Fails with BAL_ENOMEM; with BAL_ERANGE for 2^31 rows or more.
 */
bal_verdict bal_set_create(bal_comm *c, const bal_labels *batch,
                           const bal_labels *label, bal_size d, bal_set **out);

/** Copies the points of this rank for which keep [m] is true.  Collective.
 *  Fails with BAL_ENOMEM. */
bal_verdict bal_set_subset(bal_comm *c, const bal_set *set, const bool *keep,
                           bal_set **out);

/** A sample of `count` of the points without replacement (all of them, if there
 *  are no more).  A point's luck depends on the seed and its input row only.
 *  Collective.  Same on every rank: count, seed.  Fails with BAL_ENOMEM. */
bal_verdict bal_set_sample(bal_comm *c, const bal_set *set, bal_size count,
                           uint64_t seed, bal_set **out);

/** Local; NULL is fine. */
void bal_set_destroy(bal_set **set);

#endif
