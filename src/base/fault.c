#define _POSIX_C_SOURCE 200809L
#include "balans/base/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int self = -1;
static long reached; /* times the wanted point was reached on this rank */

/* One name for each call of bal_fault(), in the order of a run. */
const char *const bal_fault_points[] = {
    "open",   "batches", "read",   "space",  "eigen", "sample", "row",
    "invert", "correct", "create",  "write", "finish", NULL,
};

void bal_fault_set_rank(int rank)
{
    self = rank;
}

typedef struct way {
    const char *name;
    int sent; /* signal; 0 waits for ever */
} way;

static const way ways[] = {
    {"hang", 0}, {"kill", SIGKILL}, {"term", SIGTERM}, {"usr1", SIGUSR1},
};

/* @return whether `text` names a way other than failing, which was gone */
static bool go_another_way(const char *text)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        size_t len = strlen(ways[i].name);
        if (strncmp(text, ways[i].name, len) != 0)
            continue;
        long wanted = text[len] == ':' ? atol(text + len + 1) : 1;
        while (ways[i].sent == 0 && reached == wanted)
            pause();
        if (reached == wanted)
            raise(ways[i].sent);
        return true;
    }
    return false;
}

bal_status bal_fault(const char *point)
{
    const char *want = getenv("BAL_FAULT");
    size_t len = strlen(point);
    char *rest;

    if (want == NULL || strncmp(want, point, len) != 0 || want[len] != ':' ||
        strtol(want + len + 1, &rest, 10) != self)
        return BAL_OK;
    reached++;
    if (*rest == ':' && go_another_way(rest + 1))
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "failure on demand at '%s'", point);
}
