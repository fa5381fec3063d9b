/**
 * @file
 * A watcher that ends the process when it makes no progress.
 *
 * A lost network link can leave an MPI program waiting for ever, without a
 * word.  The watcher is a thread of its own that looks at a counter; it makes
 * no MPI call, for those are what may hang.  When it ends its process, the
 * launcher ends the others.
 */
#ifndef BAL_BASE_WATCH_H
#define BAL_BASE_WATCH_H

#include "balans/base/status.h"

/** Progress was made: a collective returned, a tile was done, a piece of a file
 *  was moved.  Local; from any thread, and cheap. */
void bal_alive(void);

/** Names what is going on, for the message.  Local.
 *  @param[in] name  lives as long as the program */
void bal_watch_name(const char *name);

/** What was named last.  Local; a signal handler may call it. */
const char *bal_watch_named(void);

/** Grants `flops` operations that go by without a sign of life, at the least
 *  rate that is taken for work (1e9 a second), on top of the timeout; 0 takes
 *  the grant back.  Local; for calls of libraries that take long. */
void bal_watch_grant(double flops);

/** The same for bytes that all ranks together move to or from files, at 100
 *  MB/s or more.  Local. */
void bal_watch_grant_io(double bytes);

/**
 * Starts the watcher.  Local.
 * After `seconds` without progress it writes one line to stderr and ends the
 * process with code 1, without any cleaning up.  Rank 0 is the first to do so.
 * The others follow half a minute later or more, at most 90 s, so that one line
 * is all there is where the launcher ends them by then.
 * @param[in] seconds  more than 0; 0 starts nothing
 * @param[in] rank     of this process
 * Fails with BAL_ENOMEM when there is no room for a thread.
 */
bal_status bal_watch_start(double seconds, int rank);

/** Ends the watcher, if there is one.  Local. */
void bal_watch_stop(void);

#endif
