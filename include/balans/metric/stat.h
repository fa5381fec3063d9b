/**
 * @file
 * Order statistics and means of groups over all ranks, exact: the same bits on
 * any number of ranks.
 */
#ifndef BAL_METRIC_STAT_H
#define BAL_METRIC_STAT_H

#include <stdint.h>

#include "balans/base/status.h"
#include "balans/base/types.h"
#include "balans/par/comm.h"

/**
 * The k-th smallest (k from 1) of all ranks' values, by counting digits.
 *
 * Collective.  Same on every rank: k, at most the number of values of all
 * ranks.  Fails with BAL_ENOMEM.
 * Cost: four allreduces of 512 KiB.
 */
bal_verdict bal_select_u64(bal_comm *c, const uint64_t *value, bal_size m,
                           bal_size k, uint64_t *out);

/** The median of all ranks' values, each >= 0 or NaN (left out): the mean of
 *  the two in the middle if their number is even, NaN if there are none.
 *  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_median(bal_comm *c, const double *value, bal_size m,
                       double *out);

/**
 * Means of a value by group, NaN (left out) where a point has none.
 *
 * Collective.  Same on every rank: groups, bound, n.
 * @param[in]  value   [m]
 * @param[in]  code    [m], or NULL: all in group 0
 * @param[in]  bound   on the absolute value of each
 * @param[in]  n       at least the number of points of all ranks
 * @param[out] mean    [groups], NaN for a group without values
 * @param[out] count   [groups], values in each; may be NULL
 * Fails with BAL_ENOMEM.
 */
bal_verdict bal_group_means(bal_comm *c, const double *value,
                            const int32_t *code, bal_size m, bal_size groups,
                            double bound, bal_size n, double *mean,
                            int64_t *count);

/** The mean of those of v [n] that are not NaN, in their order; NaN if none is.
 *  Local. */
double bal_mean_defined(const double *v, bal_size n);

#endif
