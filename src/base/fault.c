#define _POSIX_C_SOURCE 200809L
#include "balans/base/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "balans/base/signals.h"

enum { WISHES = 4 };

static int self = -1;
static long reached[WISHES]; /* times this rank came by a wish's point */

/* One name for each kind of step, in the order of a run. */
const char *const bal_fault_points[] = {
    "aside",   "open",    "batches", "begin",  "read",  "space",
    "eigen",   "sample",  "row",    "keep",  "fill",
    "publish", "invert",  "correct", "create", "write",
    "finish",  NULL,
};

void bal_fault_set_rank(int rank)
{
    self = rank;
}

typedef enum way { FAIL, HANG, WAIT, SLOW, SIGNAL } way;

static const struct {
    const char *name;
    way way;
    int sent;
} ways[] = {
    {"hang", HANG, 0},         {"wait", WAIT, 0},
    {"slow", SLOW, 0},         {"kill", SIGNAL, SIGKILL},
    {"stop", SIGNAL, SIGSTOP}, {"term", SIGNAL, SIGTERM},
    {"usr1", SIGNAL, SIGUSR1}, {"int", SIGNAL, SIGINT},
};

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static void go(way how, int sent)
{
    if (how == SIGNAL)
        raise(sent);
    while (how == HANG || (how == WAIT && !bal_signals_came()))
        sleep_ms(10);
}

/* @return whether `text` names a way other than failing, which was gone */
static bool go_another_way(const char *text, long times)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        size_t len = strlen(ways[i].name);
        if (strncmp(text, ways[i].name, len) != 0)
            continue;
        long number = text[len] == ':' ? atol(text + len + 1) : 1;
        if (ways[i].way == SLOW)
            sleep_ms(number);
        else if (times == number)
            go(ways[i].way, ways[i].sent);
        return true;
    }
    return false;
}

/* One wish, POINT:RANK[:WAY[:N]]. */
static bal_status obey(const char *want, const char *point, int number)
{
    size_t len = strlen(point);
    char *rest;

    if (strncmp(want, point, len) != 0 || want[len] != ':' ||
        strtol(want + len + 1, &rest, 10) != self)
        return BAL_OK;
    reached[number]++;
    if (*rest == ':' && go_another_way(rest + 1, reached[number]))
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "failure on demand at '%s'", point);
}

bal_status bal_fault(const char *point)
{
    const char *want = getenv("BAL_FAULT");
    bal_status st = BAL_OK;

    for (int i = 0; want != NULL && i < WISHES && !bal_failed(st); i++) {
        st = obey(want, point, i);
        want = strchr(want, ',');
        want = want != NULL ? want + 1 : NULL;
    }
    return st;
}
