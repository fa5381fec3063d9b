/**
 * @file
 * Sparse rows times dense rows, and the exact accumulation of what comes out.
 *
 * Products of two floats are exact in double and sums run over the entries in
 * order, so the bits do not depend on the instruction set.  A row of doubles
 * has `count` features and one more column, the sum of weights.
 * Source: algorithm.md, sections 6 and 8.
 */
#ifndef BAL_KERNEL_SPMM_H
#define BAL_KERNEL_SPMM_H

#include <stdint.h>

#include "balans/base/types.h"

/** partial[f] += a_e x[j_e, f] and partial[count] += a_e over the entries.
 *  Local, pure.
 *  @param[in]     x        rows of `count` floats, `ld` apart
 *  @param[in]     index    [entries], j_e
 *  @param[in]     value    [entries], a_e
 *  @param[in,out] partial  [count + 1] */
void bal_spmm_sum(const float *x, bal_size ld, const bal_lidx *index,
                  const float *value, bal_size entries, bal_size count,
                  double *partial);

/** point[j_e - first, f] += r_e what[f] and point[j_e - first, count] += r_e
 *  with r_e = a_e / weight.  Local, pure.
 *  @param[in]     what   [count]
 *  @param[in,out] point  [points, count + 1] */
void bal_spmm_spread(const double *what, double weight, const bal_lidx *index,
                     const float *value, bal_size entries, bal_lidx first,
                     bal_size count, double *point);

/** Adds each partial sum to its exact sum (balans/par/sum.h: the two limbs of
 *  column f stand at hi[f] and lo[f]) and sets it to 0.  Local, pure.
 *  @param[in]     up_hi    [width], 2^e of the column's scale
 *  @param[in]     up_lo    2^L, the same for all columns
 *  @param[in,out] partial  [width] */
void bal_fixed_flush(const double *up_hi, double up_lo, bal_size width,
                     double *partial, int64_t *hi, int64_t *lo);

#endif
