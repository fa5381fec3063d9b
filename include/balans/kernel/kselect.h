/**
 * @file
 * The k smallest of a stream of distances, and the candidates on the way.
 *
 * The points of one batch pass tile by tile; for each landmark the k smallest
 * distances seen so far are kept, the largest of them being the *bound*.  A
 * vector compare against the bound drops nearly everything.  What passes goes,
 * for small k, into a sorted list and, for large k, into a buffer of twice the
 * size that is cut back to k by radix selection on the bit patterns whenever
 * it is full, so that the cost per element does not grow with k.
 *
 * The bound only falls, and the final k-th smallest over all ranks is at most
 * the bound of any part of the batch.  So a point farther than reach * bound
 * can be forgotten at once when the affinity floor lies at reach * scale; the
 * rest are *candidates*, kept for the next pass, with a mask of their lanes.
 *
 * Values are >= 0 or +infinity, never NaN.  Source: algorithm.md, sections 3
 * and 9.
 */
#ifndef BAL_KERNEL_KSELECT_H
#define BAL_KERNEL_KSELECT_H

#include <math.h>
#include <stdint.h>

#include "balans/base/types.h"

/** Running selection; the buffer belongs to the caller. */
typedef struct bal_kselect {
    float *at;    ///< [cap]; the first `len` are in use, in no stated order
    bal_size k;   ///< at least 1
    bal_size cap; ///< bal_kselect_capacity(k)
    bal_size len; ///< elements held
    float bound;  ///< the k-th smallest so far at the latest cut, or +infinity;
                  ///< for k > BAL_KSELECT_SORTED the caller may begin with a
                  ///< guess, and has to begin anew if it leaves too few
} bal_kselect;

enum { BAL_KSELECT_SORTED = 32 }; ///< the largest k with a sorted list

/** Elements a buffer for `k` must hold: whole vectors are read and written, up
 *  to its last element.  Local. */
static inline bal_size bal_kselect_capacity(bal_size k)
{
    if (k <= BAL_KSELECT_SORTED)
        return BAL_KSELECT_SORTED;
    return (2 * k + 3 * BAL_LANES - 1) / BAL_LANES * BAL_LANES;
}

/** Starts an empty selection in `buffer`.  Local. */
static inline void bal_kselect_init(bal_kselect *s, bal_size k, float *buffer)
{
    *s = (bal_kselect){buffer, k, bal_kselect_capacity(k), 0, HUGE_VALF};
    for (bal_size i = 0; k <= BAL_KSELECT_SORTED && i < k; i++)
        buffer[i] = HUGE_VALF;
}

/** Offers `count` values.  Local.
 *  @param[in] d2  64-byte aligned, readable up to the next multiple of
 *                 BAL_LANES; +infinity is never taken */
void bal_kselect_offer(bal_kselect *s, const float *d2, int count);

/**
 * Offers the distances of a tile and compacts the candidates among them: those
 * within reach * bound before that - or all of them, where these are most.
 * Local.
 * @param[in]  reach  >= 1
 * Others, and the result: as for bal_kselect_offer() and bal_candidates().
 */
int bal_kselect_scan(bal_kselect *s, const float *d2, int count, float reach,
                     float *value, uint64_t *mask);

/** Ends a selection of which only the largest element is wanted.  Local.
 *  @param[out] kth  the largest of the min(k, len) smallest; +infinity if there
 *                   are none
 *  @return how many they are */
bal_size bal_kselect_last(bal_kselect *s, float *kth);

/** Ends a selection: the min(k, len) smallest stand in front, ascending.
 *  Local.  @return how many they are */
bal_size bal_kselect_finish(bal_kselect *s);

/**
 * Compacts the elements of d2[0 .. count) that are finite and <= limit, in
 * their order.  Local.
 * @param[in]  d2     as in bal_kselect_offer()
 * @param[out] value  [BAL_TILE], the elements, filled up with +infinity to a
 *                    multiple of BAL_LANES; may not overlap d2
 * @param[out] mask   [BAL_MASK_WORDS], a bit for each element, 1 for these
 * @return how many
 */
int bal_candidates(const float *d2, int count, float limit, float *value,
                   uint64_t *mask);

/** The k-th smallest (k from 1) of v[0 .. n), by radix selection; v keeps its
 *  elements but not their order.  Local.  Cost: O(n), whatever k. */
float bal_kth_smallest(float *v, bal_size n, bal_size k);

#endif
