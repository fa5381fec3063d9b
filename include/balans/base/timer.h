/** @file  Wall-clock time. */
#ifndef BAL_BASE_TIMER_H
#define BAL_BASE_TIMER_H

/** Seconds on a monotonic clock with an arbitrary origin.  Local. */
double bal_now(void);

/** bal_now() at the start of the program: at the first call of this.  Local. */
double bal_started(void);

#endif
