/**
 * @file
 * Local inverse Simpson's index: how many groups live around a point.
 */
#ifndef BAL_METRIC_LISI_H
#define BAL_METRIC_LISI_H

#include "balans/base/status.h"
#include "balans/metric/knn.h"
#include "balans/metric/set.h"

/**
 * The index of every point of this rank, from 1 to the number of groups, for
 * several groupings at once.
 *
 * The k nearest neighbours j of a point have probabilities
 *
 *     p_j ~ exp(-beta d_j),   beta such that exp(entropy) = perplexity,
 *
 * by at most 50 bisections to 1e-5 in the entropy; the index is
 * 1 / (sum over groups of (sum of p_j in the group)^2).
 *
 * Local.
 * @param[in]  k           at most g->k
 * @param[in]  perplexity  at least 1
 * @param[in]  by          [groupings]
 * @param[out] index       [groupings] arrays of [m]; NaN for a point without
 *                         neighbours
 * Fails with BAL_ENOMEM.
 * Reference: Korsunsky et al., Nature Methods 16, 2019 (LISI).
 */
bal_status bal_lisi(const bal_knn *g, int k, double perplexity,
                    const bal_grouping *const *by, int groupings, int threads,
                    double *const *index);

#endif
