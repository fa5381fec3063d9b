/**
 * @file
 * Checkpoints: the state of a run in a file, to go on from later on any number
 * of ranks.
 *
 * A checkpoint is an HDF5 file.  It holds the lines that identify the run, the
 * sampler's counters and curve, the landmarks, and the rows of A in *blocks*:
 * each block is a run of positions with the entries whose points lie in it.
 * Every rank writes a block of its own; a reader takes what it needs out of all
 * blocks that overlap its points.  From the second pass on it holds X and Z,
 * which earlier passes have moved.
 */
#ifndef BAL_IO_CHECKPOINT_H
#define BAL_IO_CHECKPOINT_H

#include <stdbool.h>

#include "balans/algo/sampler.h"
#include "balans/data/shard.h"
#include "balans/par/comm.h"

enum { BAL_IDENTITY_MOST = 16384 }; ///< bytes, with the end

typedef struct bal_checkpoint {
    const char *identity; ///< lines "NAME VALUE", the same on every rank
    int64_t pass;
    bal_sample_state sampler;
    const bal_shard *x, *z; ///< NULL = as the input has them
} bal_checkpoint;

/**
 * Writes a checkpoint, which takes the place of PATH when it is complete and on
 * disk (io/publish.h).
 *
 * Collective.  Fails with BAL_EIO, BAL_ENOMEM; PATH is then what it was.
 */
bal_verdict bal_checkpoint_write(bal_comm *c, const char *path,
                                 const bal_checkpoint *what);

/** Checks early that a checkpoint of that name can be written.  Collective.
 *  Fails with BAL_EIO.
 *  @param[out] there  whether there is a file to go on from */
bal_verdict bal_checkpoint_check(bal_comm *c, const char *path, bool *there);

/**
 * Reads pass and sampler.
 *
 * Collective.  Fails with BAL_EINPUT if the file is not a checkpoint or that of
 * another run, naming the first difference; with BAL_ENOMEM.
 * @param[in,out] out  identity is given; sampler is finished by the caller
 */
bal_verdict bal_checkpoint_read(bal_comm *c, const char *path,
                                const bal_layout *layout, bal_checkpoint *out);

/** Reads X and Z, in place.  Collective.  Fails with BAL_EINPUT. */
bal_verdict bal_checkpoint_read_moved(bal_comm *c, const char *path,
                                      bal_shard *x, bal_shard *z);

/** Removes a checkpoint.  Collective. */
void bal_checkpoint_remove(bal_comm *c, const char *path);

#endif
