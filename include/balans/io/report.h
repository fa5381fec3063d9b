/** @file  The run report as a JSON file. */
#ifndef BAL_IO_REPORT_H
#define BAL_IO_REPORT_H

#include "balans/base/record.h"
#include "balans/base/status.h"
#include "balans/par/comm.h"

/**
 * Writes a record as JSON; the file appears complete or not at all.
 *
 * Collective.  Same on every rank: path.
 * @param[in] r  used on rank 0
 * Fails with BAL_EIO, BAL_ENOMEM.
 */
bal_verdict bal_report_write(bal_comm *c, const char *path,
                             const bal_record *r);

#endif
