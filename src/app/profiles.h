/**
 * @file
 * The profiles of a run, X in blocks of the file: in memory, or read again from
 * the file for every sweep.
 *
 * What a sweep has changed of a streamed X is kept in a file of the rank's own
 * beside the output, which has no name and is gone with the process.
 */
#ifndef BAL_APP_PROFILES_H
#define BAL_APP_PROFILES_H

#include "balans/data/blocks.h"
#include "input.h"

typedef struct bal_profiles {
    bal_blocks *x;
    struct bal_stream *stream; ///< NULL where X is in memory
    char *folder;              ///< where its changed rows go, else NULL
    uint64_t checksum;         ///< of X as read
} bal_profiles;

/**
 * Reads the matrix, or prepares to.
 *
 * Collective.  Same on every rank: stream.
 * @param[in] beside  the file in whose folder changed rows of a streamed X go
 * @param[in] memory  bytes for its buffer
 * Fails as reading does.
 */
bal_verdict bal_profiles_open(const bal_input *in, bool stream,
                              const char *beside, bal_size memory,
                              bal_profiles *out);

/** Local; one that was zeroed is fine. */
void bal_profiles_close(bal_profiles *p);

/** Bytes that a rank may use, of what the host, the job and the process are
 *  allowed, where `ranks` share the host.  Local. */
bal_size bal_memory_allowed(int ranks);

#endif
