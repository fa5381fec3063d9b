/**
 * @file
 * Failures on demand, so that a test can walk every error path on every rank.
 */
#ifndef BAL_BASE_FAULT_H
#define BAL_BASE_FAULT_H

#include "balans/base/status.h"

/** The names of all fault points, NULL at the end.  Local. */
extern const char *const bal_fault_points[];

/** Tells the module which rank this process is.  Local. */
void bal_fault_set_rank(int rank);

/** Fails with BAL_EIO when the environment has BAL_FAULT=POINT:RANK with this
 *  point and this rank; BAL_OK otherwise.  Local.
 *
 *  BAL_FAULT=POINT:RANK:WAY[:N] does something else when the rank comes by for
 *  the N-th time (1): `hang` waits for ever, `wait` until a signal has come,
 *  `kill`, `stop`, `term`, `int` and `usr1` raise that signal; `slow` waits N
 *  ms each time.  Up to four such wishes are separated by commas. */
bal_status bal_fault(const char *point);

#endif
