/** @file  What every test of AnnData files has: a communicator and a folder.
 *  Included by the test's one file. */
#ifndef TEST_FILES_FIXTURE_H
#define TEST_FILES_FIXTURE_H

#include <string.h>

#include "balans/base/status.h"
#include "h5ad_files.h"

static bal_comm comm;

static void set_up(void)
{
    bal_comm_init(&comm, MPI_COMM_WORLD);
    files_begin(&comm);
}

static void tear_down(void)
{
    files_end(&comm);
    bal_comm_finish(&comm);
}

/* Whether the last failure says so. */
static inline bool error_has(const char *part)
{
    return strstr(bal_error_get()->text, part) != NULL;
}

#endif
