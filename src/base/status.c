#include "balans/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Copies a text, its long words without their middle where all of it has no
 * room: what stands behind a long name says what helps. */
static void copy_brief(char *to, size_t size, const char *text)
{
    enum { WORD = 200, HEAD = 140, END = 40 };
    size_t at = 0, all = strlen(text);

    while (*text != '\0' && at + 1 < size) {
        size_t word = strcspn(text, " ");
        if (all >= size && word > WORD) {
            at += (size_t)snprintf(to + at, size - at, "%.*s...%.*s", HEAD,
                                   text, END, text + word - END);
            text += word;
        } else {
            to[at++] = *text++;
        }
        at = at < size ? at : size - 1;
    }
    to[at] = '\0';
}

/* The sentence in memory of its own; NULL where there is none. */
static char *write_out(const char *fmt, va_list ap)
{
    va_list again;
    char *text = NULL;

    va_copy(again, ap);
    int length = vsnprintf(NULL, 0, fmt, ap);
    if (length >= BAL_ERROR_TEXT_MAX)
        text = malloc((size_t)length + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    return text;
}

bal_status bal_fail(bal_status st, const char *fmt, ...)
{
    char *text;
    va_list ap;

    if (record.code != BAL_OK)
        return st;
    record.code = (int)st;
    record.rank = -1;
    va_start(ap, fmt);
    text = write_out(fmt, ap);
    va_end(ap);
    va_start(ap, fmt);
    if (text != NULL)
        copy_brief(record.text, sizeof record.text, text);
    else
        vsnprintf(record.text, sizeof record.text, fmt, ap);
    va_end(ap);
    free(text);
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
