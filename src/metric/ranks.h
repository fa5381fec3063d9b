/* Where positives stand among all points: counting instead of sorting. */
#ifndef BAL_METRIC_RANKS_H
#define BAL_METRIC_RANKS_H

#include "balans/base/types.h"

/* Adds to count[r] how many of v[0 .. n) are at most t[r]; t is ascending.
 * With many thresholds, counts are by the first threshold that is not less,
 * until bal_ranks_finish() adds them up. */
void bal_ranks_add(const float *v, int n, const float *t, bal_size thresholds,
                   uint32_t *count);
void bal_ranks_finish(bal_size thresholds, uint32_t *count);

/* Sorts; `work` is as long as `key`. */
void bal_sort_u32(uint32_t *key, bal_size n, uint32_t *work);

#endif
