#define _POSIX_C_SOURCE 200809L
#include "balans/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "balans/base/timer.h"

static bal_log_level most = BAL_LOG_INFO;
static bool speaks = true;
static bool line_open;       /* a progress line stands on the terminal */
static double last_progress; /* when the last one was printed */

void bal_log_init(bal_log_level level, int rank)
{
    most = level;
    speaks = rank == 0;
    last_progress = bal_now();
}

void bal_progress_end(void)
{
    if (line_open)
        fputs("\r\033[K", stderr);
    line_open = false;
}

void bal_log(bal_log_level level, const char *fmt, ...)
{
    va_list ap;

    if (!speaks || level > most)
        return;
    bal_progress_end();
    fputs(level == BAL_LOG_WARN ? "balans: warning: " : "balans: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void bal_progress(const char *fmt, ...)
{
    va_list ap;
    bool terminal = isatty(STDERR_FILENO) == 1;
    double now = bal_now(), wait = terminal ? 0.2 : 30.0;

    if (!speaks || most < BAL_LOG_INFO || now - last_progress < wait)
        return;
    last_progress = now;
    bal_progress_end();
    fputs("balans: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    if (!terminal)
        fputc('\n', stderr);
    line_open = terminal;
    fflush(stderr);
}
