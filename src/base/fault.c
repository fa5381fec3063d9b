#include "balans/base/fault.h"

#include <stdlib.h>
#include <string.h>

static int self = -1;

/* One name for each call of bal_fault(), in the order of a run. */
const char *const bal_fault_points[] = {
    "open",   "batches", "read",   "space",  "eigen", "sample", "row",
    "invert", "correct", "create",  "write", "finish", NULL,
};

void bal_fault_set_rank(int rank)
{
    self = rank;
}

bal_status bal_fault(const char *point)
{
    const char *want = getenv("BAL_FAULT");
    size_t len = strlen(point);

    if (want == NULL || strncmp(want, point, len) != 0 || want[len] != ':' ||
        atoi(want + len + 1) != self)
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "failure on demand at '%s'", point);
}
