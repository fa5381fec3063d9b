/**
 * @file
 * The distance space Z in the form the distance kernel wants it.
 *
 * Tile t of the layout is feature-major, [p, ld], at
 * at + layout->tile[t].offset * p: feature f of its point j stands at
 * f * ld + j.  Columns j >= m hold +infinity.
 */
#ifndef BAL_DATA_TILES_H
#define BAL_DATA_TILES_H

#include "balans/base/status.h"
#include "balans/data/blocks.h"
#include "balans/par/layout.h"

typedef struct bal_tiles {
    const bal_layout *layout; ///< borrowed
    int p;                    ///< dimensions, at least 1
    float *at;                ///< [sum of ld, p] in tiles; 64-byte aligned
} bal_tiles;

/** Zeroed points, padding set.  Local.  `layout` is borrowed.  Fails with
 *  BAL_ENOMEM. */
bal_status bal_tiles_create(const bal_layout *layout, int p, bal_tiles **out);

/** Local; NULL is fine. */
void bal_tiles_destroy(bal_tiles **z);

/** The block of tile t.  Local.  Borrowed. */
static inline float *bal_tiles_block(const bal_tiles *z, bal_size t)
{
    return z->at + z->layout->tile[t].offset * z->p;
}

/** Copies the coordinates of local point j to out, [p].  Local. */
void bal_tiles_point(const bal_tiles *z, bal_lidx j, float *out);

/** Sets the coordinates of local point j, [p].  Local. */
void bal_tiles_set(bal_tiles *z, bal_lidx j, const float *point);

/** The points as rows of a matrix in batch order whose blocks are the tiles:
 *  a sweep over it copies them out of the tiles, and what is kept goes back.
 *  Local.  `z` is borrowed.
 *  @param[in] memory  bytes of the buffer, at least one tile's
 *  Fails with BAL_ENOMEM. */
bal_status bal_tiles_blocks(bal_tiles *z, bal_size memory, bal_blocks **out);

#endif
