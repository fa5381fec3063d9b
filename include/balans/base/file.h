/** @file  Bytes at a place in an open file. */
#ifndef BAL_BASE_FILE_H
#define BAL_BASE_FILE_H

#include "balans/base/types.h"

/** Reads bytes at `at`, in transfers that the watch sees, once more where a
 *  signal came between.  Local.
 *  @return how many there were: fewer where the file ends, with errno ENODATA;
 *  -1 with errno after a failure */
bal_size bal_file_read(int fd, bal_size at, bal_size bytes, void *out);

/** Writes them in the same way.  Local.  @return -1 with errno, or `bytes` */
bal_size bal_file_write(int fd, bal_size at, bal_size bytes, const void *from);

#endif
