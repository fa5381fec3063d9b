/**
 * @file
 * Retrieval of replicates: do points of the same label in other batches come
 * first when all are ranked by their distance to a point?
 */
#ifndef BAL_METRIC_RETRIEVAL_H
#define BAL_METRIC_RETRIEVAL_H

#include "balans/base/status.h"
#include "balans/metric/ring.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

enum {
    BAL_RETRIEVAL_ALL = 30000,   ///< points up to which everyone is a query
    BAL_RETRIEVAL_QUERIES = 100, ///< queries of each label beyond that
};

/**
 * Average precision of each point as a query.
 *
 *     AP = mean over r = 1 .. P of r / (r + number of negatives not farther
 *                                         than the r-th nearest positive)
 *
 * Positives: the points of the same label in other batches, P of them.
 * Negatives: the points of all other labels; for the second value, the controls
 * instead.  Points of the same label and batch do not take part.  A negative at
 * the same distance as a positive comes before it.
 *
 * Collective.  Same on every rank: kind, seed, whether there are controls.
 * @param[in]  controls  points of the same d, NULL if there are none
 * @param[out] ap        [m]; NaN for points without positives or negatives, and
 *                       for those not drawn as queries
 * @param[out] against   [m], against the controls; NULL if there are none
 * Fails with BAL_ENOMEM.
 * Cost: 3 d flops a query and point, and P comparisons or, where P is large,
 * log P; memory of up to 160 MiB and five blocks of n / size points.
 * Reference: Kalinin et al., Nature Communications 16, 2025 (mAP for profiles).
 */
bal_verdict bal_retrieval(bal_comm *c, const bal_set *set,
                          const bal_set *controls, bal_space_kind kind,
                          uint64_t seed, int threads, double *ap,
                          double *against);

#endif
