/**
 * @file
 * Work that HDF5 may not survive, in a helper process.
 *
 * HDF5 crashes or goes round in circles on some damaged files.  So what a file
 * says about itself, and what is copied of it, is read by a helper: this
 * program, started a second time without MPI when first needed, with limits on
 * its time and memory.  When the helper dies, this process goes on with one
 * sentence that names the file and the element.
 *
 * All functions are local.
 */
#ifndef BAL_IO_ASIDE_H
#define BAL_IO_ASIDE_H

#include "balans/base/status.h"
#include "balans/io/pack.h"

/** What a helper can do; the functions are in src/io/aside_work.c. */
typedef enum bal_aside_kind {
    BAL_ASIDE_LOOK = 0, ///< at a file
    BAL_ASIDE_COLUMNS,  ///< names of the columns of obs
    BAL_ASIDE_COLUMN,   ///< values of one of them
    BAL_ASIDE_MATRICES, ///< names of the matrices
    BAL_ASIDE_MATRIX,   ///< what one of them is
    BAL_ASIDE_FEATURES, ///< names of the features
    BAL_ASIDE_COPY,     ///< of all that a new file takes over
    BAL_ASIDE_VALUE,    ///< of a dataset, or of all those of a group
    BAL_ASIDE_ENTRIES,  ///< of the affinities, among some landmarks
    BAL_ASIDE_COUNT
} bal_aside_kind;

/** Does work in the helper; waits for it.
 *  @param[in] file   that it is about, for messages
 *  @param[in] bytes  that it may have to read: they set the limits
 *  @param[in,out] out  empty; what the work has to say
 *  Fails as the work does; with BAL_EINPUT if the helper dies or takes too
 *  long; with BAL_ENOMEM. */
bal_status bal_aside(bal_aside_kind kind, const char *file, bal_size bytes,
                     const bal_pack *in, bal_pack *out);

/** For main(), before anything else: does a helper's work and ends the process,
 *  if that is what it was started for. */
void bal_aside_serve(int argc, char *const *argv);

/** For the work: what it is at, for the message if the process dies; something
 *  that the user should know. */
void bal_aside_at(const char *element);
__attribute__((format(printf, 1, 2))) void bal_aside_warn(const char *fmt, ...);

#endif
