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

/** Counters by bin.  There are two tables of them, used in turns: counting in
 *  one place twice in a row takes longer.  What does not reach the floor is
 *  counted before the first bin. */
enum {
    BAL_BINS_BEFORE = BAL_LANES,
    BAL_BINS_TABLE = BAL_BINS_BEFORE + BAL_BINS,
    BAL_BINS_ROOM = 2 * BAL_BINS_TABLE,
};

/** The entries counted in bin h.  Local. */
static inline uint32_t bal_bins_at(const uint32_t *bins, int h)
{
    return bins[BAL_BINS_BEFORE + h] +
           bins[BAL_BINS_TABLE + BAL_BINS_BEFORE + h];
}

/** How far entries may be, as squared distances, for one scale. */
typedef struct bal_reach {
    float s2;   ///< the scale; -1 where nothing counts
    float keep; ///< farther entries are dropped
    float sure; ///< at most so far the floor is reached for certain,
    float most; ///< farther than this it is not
} bal_reach;

/** exp(-t) for t >= 0, to within 2 units in the last place; 0 above t = 87.
 *  Local. */
float bal_exp_neg(float t);

/** The affinity of one pair.  Local. */
float bal_affinity_at(float d2, float s2);

/** Lower edges of the bins, [BAL_BINS], ascending.  Local.  Borrowed. */
const float *bal_affinity_edges(void);

/** A bound on d2 / s2 of entries with an affinity of at least `a`, in (0, 1].
 *  Local. */
float bal_affinity_ratio(float a);

/** The reach for entries up to d2 = ratio s2.  Local; pure. */
bal_reach bal_reach_for(float s2, float ratio);

/**
 * Counts by bin the affinities that reach the floor.  Local.
 * @param[in]     d2     [count], 64-byte aligned; +infinity has affinity 0
 * @param[in]     count  a multiple of BAL_LANES
 * @param[in]     s2     the scale of this landmark for this batch, >= 0
 * @param[in,out] bins   [BAL_BINS_ROOM], see bal_bins_at(); incremented
 */
void bal_affinity_bin(const float *d2, bal_size count, float s2,
                      uint32_t *bins);

/**
 * Drops the entries of a tile with d2 > to->keep.  Local.
 * @param[in]     d2     [count], 64-byte aligned, filled up with +infinity to a
 *                       multiple of BAL_LANES
 * @param[in,out] mask   [BAL_MASK_WORDS], lanes of the entries
 * @param[out]    out    what is left, filled up likewise; may be d2, or overlap
 *                       it from below
 * @param[in,out] floor  raised by how many of the `count` reach the floor
 * @return how many are left
 */
int bal_affinity_sift(const float *d2, int count, uint64_t *mask,
                      const bal_reach *to, float *out, bal_size *floor);

/**
 * Writes the affinities >= threshold of entries with d2 <= to->keep, in order,
 * to out_value, and base + lane to out_index.  Local.  What stands in the
 * BAL_LANES places after them is lost.
 * @param[in] d2, mask, count  as above; count > 0
 * @param[in] threshold  > 0; entries with d2 > to->keep are below it
 * @return how many
 */
int bal_affinity_keep(const float *d2, const uint64_t *mask, int count,
                      const bal_reach *to, float threshold, bal_lidx base,
                      float *out_value, bal_lidx *out_index);

/**
 * The bin h* from which the elbow keeps: argmax over h of the integer
 * (N - R(h)) H - h N, ties to the largest h; `first` for an empty histogram.
 * Local.
 * @param[in] bins   [BAL_BINS], counts over all points of the row; those of the
 *                   bins below `first` may stand together in the first bin
 * @return -1 if h* may lie below `first` (never for 0)
 */
int bal_elbow(const int64_t *bins, int first);

#endif
