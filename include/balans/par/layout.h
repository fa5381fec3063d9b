/**
 * @file
 * The global order of points, its tiles, and which rank holds which.
 *
 * Points are ordered by (batch, input row).  Each batch is cut into tiles of
 * BAL_TILE points, its last one shorter, so a tile belongs to one batch.  A
 * rank holds a run of whole tiles: those whose first point has a position in
 * [n r / size, n (r + 1) / size) - none, for some ranks, when n is small.  The
 * tiles do not depend on the number of ranks; sums by tile therefore do not
 * either.  Source: algorithm.md, section 8.
 */
#ifndef BAL_PAR_LAYOUT_H
#define BAL_PAR_LAYOUT_H

#include "balans/base/status.h"
#include "balans/base/types.h"

typedef struct bal_tile {
    bal_lidx first;  ///< local index of its first point
    int32_t m;       ///< points, 1 .. BAL_TILE
    int32_t ld;      ///< m rounded up to BAL_LANES
    int32_t batch;   ///< 0 .. batches - 1
    bal_size offset; ///< sum of ld over this rank's tiles before it
} bal_tile;

typedef struct bal_layout {
    bal_size n;            ///< points
    bal_size batches;      ///< B
    bal_gidx *batch_first; ///< [B + 1], position of each batch's first point
    int rank, size;
    bal_gidx *rank_first; ///< [size + 1], position of each rank's first point
    bal_lidx m;           ///< points of this rank
    bal_size tiles;       ///< tiles of this rank
    bal_size all_tiles;   ///< tiles of all ranks
    bal_tile *tile;       ///< [tiles], in order
    bal_size lanes;       ///< sum of ld over this rank's tiles
} bal_layout;

/**
 * Lays out `batches` batches of the given sizes.  Local, and the same on every
 * rank but for the part that belongs to `rank`.
 * @param[in]  batch_size  [batches], each at least 1
 * @param[out] out         owned by the caller
 * Fails with BAL_ENOMEM; with BAL_ERANGE if a rank's part reaches 2^31 points.
 */
bal_status bal_layout_create(const bal_size *batch_size, bal_size batches,
                             int rank, int size, bal_layout **out);

/** Local; NULL is fine. */
void bal_layout_destroy(bal_layout **l);

/** The rank that holds a position.  Local.  Cost: log(size). */
int bal_layout_owner(const bal_layout *l, bal_gidx pos);

/** The batch of a position.  Local.  Cost: log(B). */
bal_size bal_layout_batch(const bal_layout *l, bal_gidx pos);

/** The index of the local tile that holds a local index.  Local. */
bal_size bal_layout_tile(const bal_layout *l, bal_lidx j);

/** Rows of a block of a file of n rows: from BAL_TILE up to BAL_BLOCK, so that
 *  a small file has blocks for many ranks and a large one few sums.  The last
 *  block may have fewer.  Local. */
bal_size bal_rows_of_block(bal_size n);
enum {
    BAL_BLOCK = 1024,        ///< most rows in a block
    BAL_BLOCKS_ENOUGH = 256, ///< blocks from which on they grow instead
};

/** First of the input rows that rank `rank` of `size` holds: the file is cut
 *  into nearly equal runs of whole blocks, its *slabs*.  Local. */
bal_gidx bal_slab_first(bal_size n, int rank, int size);

/** First of the items that fall to part `part` of `parts` when n are shared out
 *  in runs of nearly equal length.  Local. */
bal_size bal_share_first(bal_size n, int part, int parts);

#endif
