/**
 * @file
 * What becomes of SIGTERM and SIGUSR1.
 *
 * A run that keeps checkpoints only notes them, and looks now and then whether
 * it is told to stop.  Any other dies of SIGTERM, as launchers and Slurm expect
 * it to, but rank 0 says so: where a host is lost, this is the only word.
 */
#ifndef BAL_BASE_SIGNALS_H
#define BAL_BASE_SIGNALS_H

#include <stdbool.h>

/** The program has started: both are noted, as nobody knows yet.  Local. */
void bal_signals_start(void);

/** Both end the process from now on, or at once if one has come; on SIGTERM
 *  rank 0 says so.  Local. */
void bal_signals_obey(int rank);

/** Both are noted from now on.  Local.
 *  @param[in] say  say so when the first one comes */
void bal_signals_note(bool say);

/** Whether one of them has been noted.  Local. */
bool bal_signals_came(void);

/** The work is over, there is nothing left to stop: SIGTERM and SIGUSR1 do
 *  nothing any more.  Local. */
void bal_signals_end(void);

#endif
