/**
 * @file
 * Affinities of the candidates of one tile to one landmark, their histogram,
 * and what is kept of them.
 *
 *     a = exp(-d2 / s2)   in float32;   for s2 = 0: 1 where d2 = 0, else 0
 *
 * The quotient is one IEEE division and the exponential a polynomial in fused
 * operations, so all instruction sets agree bit for bit.
 *
 * The elbow's histogram has BAL_BINS bins over [eps, 1], eps = 0.001:
 * edge_h = float32(eps + h (1 - eps) / BAL_BINS); a value belongs to the last
 * bin whose edge it reaches.  Source: algorithm.md, sections 3 and 4.
 */
#ifndef BAL_KERNEL_AFFINITY_H
#define BAL_KERNEL_AFFINITY_H

#include <stdint.h>

#include "balans/base/types.h"

/** The affinity floor, and a bound on d2 / s2 of anything at or above it (a
 *  little more than -ln eps, so that rounding never loses a point). */
#define BAL_AFFINITY_FLOOR 0.001f
#define BAL_AFFINITY_REACH 6.91f

/** exp(-t) for t >= 0, to within 2 units in the last place; 0 above t = 87.
 *  Local. */
float bal_exp_neg(float t);

/** The affinity of one pair.  Local. */
float bal_affinity(float d2, float s2);

/** Lower edges of the bins, [BAL_BINS], ascending.  Local.  Borrowed. */
const float *bal_affinity_edges(void);

/**
 * Turns squared distances into affinities in place and counts those that reach
 * the floor by bin.  Local.
 * @param[in,out] value  [count], 64-byte aligned; +infinity becomes 0
 * @param[in]     count  a multiple of BAL_LANES
 * @param[in]     s2     the scale of this landmark for this batch, >= 0, finite
 * @param[in,out] bins   [BAL_BINS_ROOM], incremented; the counters after the
 *                       BAL_BINS bins are for what does not reach the floor
 */
void bal_affinity_bin(float *value, bal_size count, float s2, uint32_t *bins);

/** Turns squared distances d2 <= s2 (compared before any division) into
 *  affinities, in place, and the others into 0.  Local.  Arguments as above.
 *  @return how many are not 0 */
bal_size bal_affinity_within(float *value, bal_size count, float s2);

/**
 * Writes the entries with value >= threshold, in order, to out_value, and
 * base + lane to out_index.  Local.  What stands in the BAL_LANES places of
 * out_value after them is lost.
 * @param[in] value      [count], 64-byte aligned, readable up to the next
 *                       multiple of BAL_LANES; at most BAL_TILE
 * @param[in] mask       [BAL_MASK_WORDS], lanes of the entries: `count` bits
 * @param[in] threshold  > 0
 * @return how many
 */
int bal_affinity_keep(const float *value, const uint64_t *mask, int count,
                      float threshold, bal_lidx base, float *out_value,
                      bal_lidx *out_index);

/** The bin h* from which the elbow keeps: argmax over h of the integer
 *  (N - R(h)) H - h N, ties to the largest h; 0 for an empty histogram.  Local.
 *  @param[in] bins  [BAL_BINS], counts over all points of the row */
int bal_elbow(const int64_t *bins);

#endif
