/**
 * @file
 * Sparse rows times dense rows: sums over points for a landmark, and over
 * landmarks for a point, of up to 8 vectors of 8 features at a time.
 *
 * Products of two floats are exact in double and sums run over the entries in
 * order, so the bits do not depend on the instruction set.  Whole vectors are
 * read: what stands behind the last feature has to be there, and be finite.
 * Source: algorithm.md, sections 6 and 8.
 */
#ifndef BAL_KERNEL_SPMM_H
#define BAL_KERNEL_SPMM_H

#include <stdint.h>

#include "balans/base/types.h"

enum {
    BAL_VECTOR = 8,        ///< features in a vector
    BAL_VECTORS = 8,       ///< most vectors at a time
    BAL_GATHER_AHEAD = 4,  ///< indices read beyond the last entry
};

/** Adds sum over e of a_e x[row_e, f] to the exact sum of each feature
 *  (par/sum.h: limbs hi[f], lo[f]).  Local, pure.
 *  @param[in]     x        first feature of a block's first row, rows ld apart
 *  @param[in]     value    [entries], a_e
 *  @param[in]     vectors  1 .. BAL_VECTORS
 *  @param[in]     up_hi    [8 vectors], 2^e of each feature's scale
 *  @param[in]     up_lo    2^L, the same for all
 *  @param[in,out] hi,lo    [8 vectors] */
void bal_spmm_sum(const float *x, bal_size ld, const uint16_t *row,
                  const float *value, bal_size entries, int vectors,
                  const double *up_hi, double up_lo, int64_t *hi, int64_t *lo);

/** sum[f] = sum over e of w_e table[index_e, f].  Local, pure.
 *  @param[in]  table  rows of doubles, ld apart
 *  @param[in]  index  [entries + BAL_GATHER_AHEAD]; those beyond are valid
 *                     rows, which are fetched ahead
 *  @param[out] sum    [8 vectors] */
void bal_spmm_gather(const double *table, bal_size ld, const uint32_t *index,
                     const double *weight, bal_size entries, int vectors,
                     double *sum);

#endif
