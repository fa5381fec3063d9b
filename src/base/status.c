#include "balans/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local bal_error record = {.rank = -1};

static const char *const names[BAL_STATUS_COUNT] = {
    [BAL_OK] = "ok",
    [BAL_EUSAGE] = "usage error",
    [BAL_EINPUT] = "input error",
    [BAL_EIO] = "i/o error",
    [BAL_ENOMEM] = "out of memory",
    [BAL_ERANGE] = "out of range",
    [BAL_ENUMERIC] = "numeric error",
    [BAL_EINTERNAL] = "internal error",
    [BAL_ESTOPPED] = "stopped",
};

const char *bal_status_name(bal_status st)
{
    return (unsigned)st < BAL_STATUS_COUNT ? names[st] : "unknown error";
}

int bal_status_exit_code(bal_status st)
{
    enum { TRY_AGAIN = 75 }; /* EX_TEMPFAIL of sysexits.h */

    if (st == BAL_OK)
        return 0;
    if (st == BAL_ESTOPPED)
        return TRY_AGAIN;
    return st == BAL_EUSAGE ? 2 : 1;
}

bal_status bal_fail(bal_status st, const char *fmt, ...)
{
    va_list ap;

    if (record.code != BAL_OK)
        return st;
    record.code = (int)st;
    record.rank = -1;
    va_start(ap, fmt);
    vsnprintf(record.text, sizeof record.text, fmt, ap);
    va_end(ap);
    /* File names and HDF5's descriptions may hold anything; a failure is one
     * line all the same. */
    for (char *c = record.text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    return st;
}

const bal_error *bal_error_get(void)
{
    return &record;
}

void bal_error_set(const bal_error *e)
{
    record = *e;
}

void bal_error_clear(void)
{
    record = (bal_error){.rank = -1};
}

void bal_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "balans: internal error: '%s' does not hold at %s:%d\n",
            what, file, line);
    abort();
}
