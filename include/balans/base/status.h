/**
 * @file
 * Outcomes, and the sentence that goes with a failure.
 *
 * There are two kinds of function that can fail, and their return types keep
 * them apart.  A *local* function returns a bal_status: it speaks for the
 * calling rank alone.  A *collective* function returns a bal_verdict: the same
 * outcome on every rank.  Neither type converts into the other; bal_agree()
 * (balans/par/agree.h) is the only way from a status to a verdict, so leaving a
 * collective function on a failure that the other ranks have not heard of does
 * not compile.
 *
 * The function that first knows the cause records one sentence with BAL_FAIL():
 * lower case, no full stop, the action first, then what it concerned (file,
 * dataset, row, option) and, where there is one, the way out.  Callers pass the
 * outcome on and do not reword it.  The record is per thread and keeps the
 * first failure until bal_error_clear().
 */
#ifndef BAL_BASE_STATUS_H
#define BAL_BASE_STATUS_H

#include <stdbool.h>

typedef enum bal_status {
    BAL_OK = 0,
    BAL_EUSAGE,    ///< wrong command line or configuration: exit code 2
    BAL_EINPUT,    ///< an input file is missing, malformed or inconsistent
    BAL_EIO,       ///< reading or writing failed
    BAL_ENOMEM,    ///< memory could not be had
    BAL_ERANGE,    ///< a size does not fit the type it has to go into
    BAL_ENUMERIC,  ///< a computation left the finite numbers
    BAL_EINTERNAL, ///< a bug in this program
    BAL_ESTOPPED,  ///< stopped with a checkpoint: exit code 75
    BAL_STATUS_COUNT
} bal_status;

/** An outcome all ranks of a communicator share. */
typedef struct bal_verdict {
    bal_status code;
} bal_verdict;

enum { BAL_ERROR_TEXT_MAX = 1024 };

/** A recorded failure; plain bytes, so it can be broadcast. */
typedef struct bal_error {
    int code;                      ///< a bal_status
    int rank;                      ///< who failed; -1 before bal_agree()
    char text[BAL_ERROR_TEXT_MAX]; ///< one sentence, no full stop
} bal_error;

/** The word for a status in messages, such as "input error".  Local. */
const char *bal_status_name(bal_status st);

/** The process exit code that goes with a status: 0, 1, 2 or 75.  Local. */
int bal_status_exit_code(bal_status st);

/** Records a sentence for `st`, unless one is recorded already, and returns
 *  `st`.  Local.  Line breaks in the text become spaces. */
__attribute__((format(printf, 2, 3), cold)) bal_status
bal_fail(bal_status st, const char *fmt, ...);
#define BAL_FAIL(st, ...) bal_fail((st), __VA_ARGS__)

/** The record; its code is BAL_OK while there is none.  Local.  Borrowed, valid
 *  until the next bal_fail() or bal_error_...() of this thread. */
const bal_error *bal_error_get(void);

/** Replaces the record.  Local. */
void bal_error_set(const bal_error *e);

/** Forgets the record; for whoever handles a failure.  Local. */
void bal_error_clear(void);

/** Ends the whole job after a broken invariant: one line with the place, then
 *  abort().  Local; never returns. */
__attribute__((noreturn, cold)) void bal_broken(const char *file, int line,
                                                const char *what);
#define BAL_REQUIRE(cond) \
    ((cond) ? (void)0 : bal_broken(__FILE__, __LINE__, #cond))

static inline bool bal_status_failed(bal_status st)
{
    return st != BAL_OK;
}
static inline bool bal_verdict_failed(bal_verdict v)
{
    return v.code != BAL_OK;
}
// clang-format off
#define bal_failed(x)                              \
    _Generic((x), bal_status:  bal_status_failed,  \
                  bal_verdict: bal_verdict_failed)(x)
// clang-format on

/** Goes to the label `done` when a call fails.  The function has a variable
 *  `st` of its own return type and leaves at `done:` only. */
#define BAL_TRY(call)       \
    do {                    \
        st = (call);        \
        if (bal_failed(st)) \
            goto done;      \
    } while (0)

#endif
