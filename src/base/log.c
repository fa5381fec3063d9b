#define _DEFAULT_SOURCE
#include "balans/base/log.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "balans/base/status.h"
#include "balans/base/timer.h"
#include "balans/base/watch.h"

static bal_log_level most = BAL_LOG_INFO;
static bool speaks = true;
static bool line_open; /* a progress line stands on the terminal */

static struct {
    char text[BAL_WARNINGS_KEPT][BAL_ERROR_TEXT_MAX];
    int count;
} warnings;

static struct {
    double next;       /* seconds of the run when a line is due */
    const char *phase; /* as bal_watch_named() has it */
    double since;      /* when the first share of the phase was told */
    double first, now; /* shares: that one, and the last; NAN if none */
} progress = {.first = NAN, .now = NAN};

void bal_log_init(bal_log_level level, int rank)
{
    most = level;
    speaks = rank == 0;
}

void bal_progress_end(void)
{
    if (line_open)
        fputs("\r\033[K", stderr);
    line_open = false;
}

const char *bal_log_warning(int i)
{
    return i < warnings.count ? warnings.text[i] : NULL;
}

void bal_log(bal_log_level level, const char *fmt, ...)
{
    va_list ap;

    if (level == BAL_LOG_WARN && warnings.count < BAL_WARNINGS_KEPT) {
        va_start(ap, fmt);
        vsnprintf(warnings.text[warnings.count++], BAL_ERROR_TEXT_MAX, fmt,
                  ap);
        va_end(ap);
    }
    if (!speaks || level > most)
        return;
    bal_progress_end();
    fputs(level == BAL_LOG_WARN ? "balans: warning: " : "balans: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* A phase starts without a share. */
static void follow_phase(void)
{
    const char *phase = bal_watch_named();

    if (phase == progress.phase)
        return;
    progress.phase = phase;
    progress.first = progress.now = NAN;
}

void bal_progress_share(double share)
{
    follow_phase();
    if (isnan(progress.first)) {
        progress.first = share;
        progress.since = bal_now();
    }
    progress.now = share;
}

static void add_time(char *buf, size_t size, double seconds, const char *what)
{
    size_t used = strlen(buf);
    long s = (long)(seconds + 0.5), minutes = s / 60;

    if (minutes < 60)
        snprintf(buf + used, size - used, ", %ld:%02ld %s", minutes, s % 60,
                 what);
    else
        snprintf(buf + used, size - used, ", %ld:%02ld:%02ld %s", minutes / 60,
                 minutes % 60, s % 60, what);
}

/* As long again as the share so far took, in proportion. */
static void add_times(char *buf, size_t size, double elapsed)
{
    double done = progress.now - progress.first;

    add_time(buf, size, elapsed, "elapsed");
    if (done > 0 && progress.now <= 1)
        add_time(buf, size,
                 (bal_now() - progress.since) / done * (1 - progress.now),
                 "left");
}

/* Columns for a line that is redrawn: a longer one could not be. */
static int columns(bool terminal)
{
    struct winsize size;

    if (!terminal)
        return INT_MAX;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
               ? size.ws_col - 1
               : 79;
}

/* When the line after one at `elapsed` is due. */
static double next_after(double elapsed, bool terminal)
{
    const double redraw = 0.25, grown = 0.5, longest = 60;

    return elapsed + (terminal ? redraw : fmin(grown * elapsed, longest));
}

void bal_progress(const char *fmt, ...)
{
    const double first = 5; /* seconds, for what goes to a file */
    char head[64], text[256], times[64] = "";
    va_list ap;
    bool terminal = isatty(STDERR_FILENO) == 1;
    double elapsed = bal_now() - bal_started();

    follow_phase();
    if (!speaks || most < BAL_LOG_INFO || elapsed < progress.next ||
        (!terminal && elapsed < first))
        return;
    progress.next = next_after(elapsed, terminal);
    bal_progress_end();
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(head, sizeof head, "balans: %s: ", bal_watch_named());
    add_times(times, sizeof times, elapsed);
    int room = columns(terminal) - (int)(strlen(head) + strlen(times));
    fprintf(stderr, "%s%.*s%s%s", head, room > 0 ? room : 0, text, times,
            terminal ? "" : "\n");
    line_open = terminal;
    fflush(stderr);
}
