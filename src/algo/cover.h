/**
 * @file
 * Which points of this rank a block of the sampler has covered, and how much;
 * not for others than the sampler.  All functions are local.
 */
#ifndef BAL_ALGO_COVER_H
#define BAL_ALGO_COVER_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/data/csr.h"
#include "balans/par/layout.h"

/** One bit a point. */
typedef struct bal_bits {
    uint64_t *word;
    bal_size words;
} bal_bits;

bal_status bal_bits_create(bal_bits *b, bal_lidx m);
void bal_bits_finish(bal_bits *b);

static inline bool bal_bits_has(const bal_bits *b, bal_lidx j)
{
    return b->word[j >> 6] >> (j & 63) & 1;
}

static inline void bal_bits_set(bal_bits *b, bal_lidx j)
{
    b->word[j >> 6] |= (uint64_t)1 << (j & 63);
}

/** Sets the bits of a row's points.  @return how many were not set before */
bal_size bal_bits_mark(bal_bits *b, const bal_csr_row *row);

/** The same for the points of one of `parts` parts of the rank's; parts have no
 *  word in common, so threads may take one each. */
bal_size bal_bits_mark_part(bal_bits *b, const bal_csr_row *row, int part,
                            int parts);

/** Coverage of one block.  It is a bitmap until every point of this rank is
 *  covered; from then on it holds integer sums C_j of round(a 2^20) as well,
 *  and the weights floor(2^40 / C_j), summed by tile. */
typedef struct bal_cover {
    const bal_layout *layout;
    bal_bits covered;
    bal_size left;   ///< points not covered
    bool weighted;   ///< the following are valid
    uint32_t *sum;   ///< [layout m], C_j
    int64_t *tile;   ///< [layout tiles], weight of the tile's points
    int64_t weight;  ///< of all points of this rank
} bal_cover;

bal_status bal_cover_create(bal_cover *c, const bal_layout *layout);
void bal_cover_finish(bal_cover *c);

/** Nothing covered. */
void bal_cover_reset(bal_cover *c);

/** Adds row number `t` of the block; `rows` [t + 1] are all its rows so far,
 *  needed when the last point of this rank gets covered.  Fails with
 *  BAL_ENOMEM. */
bal_status bal_cover_add(bal_cover *c, const bal_csr_row *rows, bal_size t);

/** The point that is number `item` of those not covered, item < left. */
bal_lidx bal_cover_find_left(const bal_cover *c, bal_size item);

/** The point in which `item` of the running sum of weights falls; only while
 *  weighted, item < weight. */
bal_lidx bal_cover_find_weight(const bal_cover *c, int64_t item);

#endif
