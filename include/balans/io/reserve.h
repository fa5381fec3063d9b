/**
 * @file
 * Disk space, asked for before it is written to: a full disk is then known at
 * once instead of after hours, and where it does no harm.
 */
#ifndef BAL_IO_RESERVE_H
#define BAL_IO_RESERVE_H

#include "balans/base/status.h"
#include "balans/base/types.h"

/** Reserves the first `bytes` bytes of a file without changing its size.
 *  Local.  Fails with BAL_EIO if there is no room; where the file system cannot
 *  tell, it does nothing. */
bal_status bal_reserve(const char *path, bal_size bytes);

/** Gives back what lies behind the end of the file.  Local.  BAL_EIO. */
bal_status bal_reserve_release(const char *path);

#endif
