/**
 * @file
 * Blocks cut into slices of at most BAL_TILE rows, which is what the kernels of
 * kernel/moments take: the terms of every sum over points of width d.
 *
 * A block is cut from its start, so slices do not depend on the number of ranks
 * and neither do sums by slice.  Threads share the slices at hand.
 */
#ifndef BAL_ALGO_SLICES_H
#define BAL_ALGO_SLICES_H

#include "balans/data/blocks.h"

typedef struct bal_slice {
    const float *rows; ///< [m, d]
    bal_size first;    ///< counted from the rank's first row
    int m;             ///< 1 .. BAL_TILE
    int thread;        ///< 0 .. threads - 1, who works on it
} bal_slice;

/** Works on a slice; called from several threads at a time. */
typedef void bal_slice_fn(void *self, const bal_slice *slice);

/** At least the slices of all ranks together; the same on every rank.
 *  Local. */
bal_size bal_slices_all(const bal_blocks *x);

/** Calls `work` for every slice of blocks from .. to - 1, which are at hand.
 *  Local; signs of life. */
void bal_slices_do(const bal_sweep *s, bal_size from, bal_size to, int threads,
                   bal_slice_fn *work, void *self);

/** Calls `work` for every slice of this rank, in one sweep.  Local.  Fails as
 *  the sweep does. */
bal_status bal_slices_sweep(bal_blocks *x, int threads, bal_slice_fn *work,
                            void *self);

#endif
