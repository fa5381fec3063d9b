/**
 * @file
 * What becomes of SIGTERM, SIGINT and SIGUSR1.
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

/** All go on to end the process; from now on rank 0 says so of SIGTERM and
 *  SIGINT.  Local. */
void bal_signals_obey(int rank);

/** They are noted from now on.  Local.
 *  @param[in] say  say so when the first one comes */
void bal_signals_note(bool say);

/** Whether one of them has been noted.  Local. */
bool bal_signals_came(void);

/** The work is over, and all that is left is to take leave of the other ranks:
 *  any of them ends the process with the code that it was to end with.
 *  Local. */
void bal_signals_end(int code);

#endif
