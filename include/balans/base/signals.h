/**
 * @file
 * What becomes of SIGTERM, SIGINT, SIGHUP and SIGUSR1.
 *
 * A process dies of each, as launchers and Slurm expect it to, also while it
 * waits inside MPI for others that will never come.  Rank 0 says that it was
 * SIGTERM or SIGINT as soon as it is known which it is: where a host is lost,
 * this is the only word.  Only a run that keeps checkpoints notes them instead,
 * while it works, and looks now and then whether it is told to stop.
 */
#ifndef BAL_BASE_SIGNALS_H
#define BAL_BASE_SIGNALS_H

#include <stdbool.h>

/** They go on to end the process; from now on rank 0 says so, but on SIGUSR1.
 *  A file that grows beyond its limit is no signal any more, but an error of
 *  the write.  Local. */
void bal_signals_obey(int rank);

/** SIGTERM, SIGINT and SIGUSR1 are noted from now on.  Local.
 *  @param[in] say  say so when the first one comes */
void bal_signals_note(bool say);

/** Whether one of them has been noted.  Local. */
bool bal_signals_came(void);

/** `work` is done when the process ends, by exit() or by one of the signals.
 *  It calls nothing but what a handler may.  Local; once. */
void bal_signals_at_end(void (*work)(void));

/** Does that work now; for whoever ends the process by other means.  Local. */
void bal_signals_clean(void);

/** The work is over, and all that is left is to take leave of the other ranks:
 *  any of them ends the process with the code that it was to end with.
 *  Local. */
void bal_signals_end(int code);

#endif
