/**
 * @file
 * The rows of a matrix that a rank holds, cut into blocks: the unit of sums.
 *
 * A matrix in the order of the file is cut into blocks of bal_rows_of_block(n)
 * consecutive rows; one in batch order (data/tiles) has its tiles for blocks.
 * Neither depends on the number of ranks, so sums by block do not either.
 *
 * Rows are resident, or are fetched again for every *sweep* from a source (the
 * input file, or the tiles of the distance space) and kept by it when they were
 * changed.  A sweep goes through the rank's blocks in order, as many at a time
 * as the buffer holds (all of them where they are resident).  It is local:
 *
 *     bal_sweep s = bal_sweep_begin(x);
 *     while (bal_sweep_next(&s))
 *         for (bal_size b = s.from; b < s.to; b++)      // may be threads
 *             ... bal_sweep_block(&s, b), bal_block_size(x, b) rows ...
 *     st = bal_agree(c, s.status);
 *
 * Source: architecture.md, "The way of the data"; algorithm.md, section 8.
 */
#ifndef BAL_DATA_BLOCKS_H
#define BAL_DATA_BLOCKS_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/base/types.h"

/** Where rows are that are not resident; functions are local. */
typedef struct bal_source {
    void *arg;
    /** Fetches rows first .. first + count - 1 of this rank, [count, d]. */
    bal_status (*read)(void *arg, bal_size first, bal_size count, float *rows);
    /** Keeps them as they are now; NULL where nothing can be changed. */
    bal_status (*write)(void *arg, bal_size first, bal_size count,
                        const float *rows);
} bal_source;

typedef struct bal_blocks {
    bal_size n, d;    ///< rows over all ranks, columns
    bal_gidx first;   ///< the rank's first row, in the order of the matrix
    bal_size m;       ///< rows of this rank, may be 0
    bal_size count;   ///< blocks of this rank
    bal_size all;     ///< blocks of all ranks
    bal_size *start;  ///< [count + 1], first row of each block, from 0
    bal_size longest; ///< most rows in a block of any rank
    float *at;        ///< [m, d] and BAL_LANES more, or NULL: not resident
    bal_source source; ///< read is NULL where all is in `at`
    float *buffer;     ///< [room, d] and BAL_LANES more, not resident only
    bal_size room;     ///< rows that the buffer holds, at least `longest`
} bal_blocks;

/** The shape of a matrix of n rows in the file's order on `rank` of `size`,
 *  without room for rows.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_blocks_create(bal_size n, bal_size d, int rank, int size,
                             bal_blocks **out);

/** Makes room for all rows, to be filled.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_blocks_reside(bal_blocks *x);

/** Sets a source, and makes a buffer of at most `memory` bytes, at least one
 *  block.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_blocks_stream(bal_blocks *x, const bal_source *source,
                             bal_size memory);

/** Local; NULL is fine.  The source's argument is not touched. */
void bal_blocks_destroy(bal_blocks **x);

/** Rows of block b.  Local. */
static inline int bal_block_size(const bal_blocks *x, bal_size b)
{
    return (int)(x->start[b + 1] - x->start[b]);
}

/** A pass over the rank's blocks. */
typedef struct bal_sweep {
    bal_blocks *x;
    bal_size from, to; ///< the blocks at hand
    float *rows;       ///< their rows, one block after the other
    bal_status status; ///< the first failure; the sweep ends with it
} bal_sweep;

/** Starts before the first block.  Local. */
bal_sweep bal_sweep_begin(bal_blocks *x);

/** Goes on to the next blocks.  Local; a sign of life.  @return whether there
 *  are any (not after a failure, which is in s->status) */
bool bal_sweep_next(bal_sweep *s);

/** Keeps the rows at hand as they are now.  Local.  Fails as the source does,
 *  also in s->status. */
void bal_sweep_keep(bal_sweep *s);

/** The rows of block b, from <= b < to: [bal_block_size(), d].  Local. */
static inline float *bal_sweep_block(const bal_sweep *s, bal_size b)
{
    return s->rows + (s->x->start[b] - s->x->start[s->from]) * s->x->d;
}

#endif
