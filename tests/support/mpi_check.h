/**
 * @file
 * Check under an MPI launcher: every rank runs the same tests at the same time.
 *
 * Check's assertions leave a test by longjmp().  If one fails on a single rank,
 * that rank is gone and the others wait for it in their next collective call
 * until the time-out.  Tests on several ranks therefore assert together.
 */
#ifndef TEST_MPI_CHECK_H
#define TEST_MPI_CHECK_H

#include <check.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdlib.h>

/** Whether `mine` holds on every rank.  Collective. */
bool mpi_check_all(bool mine);

/** Fails on every rank if `cond` is false on any; the rest is a message as for
 *  printf(), printed where it was false.  Collective. */
#define all_assert_msg(cond, ...)                            \
    do {                                                     \
        bool holds_ = (cond);                                \
        if (!mpi_check_all(holds_)) {                        \
            mpi_check_explain(holds_, __VA_ARGS__);          \
            ck_abort_msg("%s: %s", mpi_check_text(), #cond); \
        }                                                    \
    } while (0)
#define all_assert(cond) all_assert_msg(cond, "%s", "")

/** Prepares and returns the text of a failed assertion.  Local. */
__attribute__((format(printf, 2, 3))) void mpi_check_explain(bool holds,
                                                             const char *fmt,
                                                             ...);
const char *mpi_check_text(void);

/**
 * Starts MPI, runs the suite on all ranks without forking, ends MPI.
 *
 * Collective.  Rank 0 reports; another rank reports its own failures only.
 * @return what main() has to return: the same on every rank
 */
int mpi_check_run(Suite *suite, int argc, char **argv);

#endif
