/* fallocate() is Linux's own; elsewhere, and on file systems that cannot do it,
 * the free space is looked at. */
#define _GNU_SOURCE
#include "balans/io/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "balans/base/text.h"

static int allocate(int fd, bal_size bytes)
{
#ifdef __linux__
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 ? 0 : errno;
#else
    (void)fd;
    (void)bytes;
    return EOPNOTSUPP;
#endif
}

static int look(int fd, bal_size bytes)
{
    struct statvfs v;
    struct stat s;

    if (fstatvfs(fd, &v) != 0 || fstat(fd, &s) != 0)
        return 0;
    double room = (double)v.f_bavail * (double)v.f_frsize;
    return room + (double)s.st_size < (double)bytes ? ENOSPC : 0;
}

/* A file that may not grow so large; HDF5 would crash as on a full disk. */
static bool is_limited(bal_size bytes)
{
    struct rlimit l;

    return getrlimit(RLIMIT_FSIZE, &l) == 0 && l.rlim_cur != RLIM_INFINITY &&
           l.rlim_cur < (rlim_t)bytes;
}

bal_status bal_reserve(const char *path, bal_size bytes)
{
    char text[32];
    int fd = open(path, O_WRONLY), error = 0;

    if (is_limited(bytes)) {
        error = EFBIG;
    } else if (fd >= 0 && bytes > 0) {
        error = allocate(fd, bytes);
        if (error != 0 && error != ENOSPC && error != EDQUOT)
            error = look(fd, bytes);
    }
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "cannot get %s of disk space for '%s': %s",
                    bal_bytes(text, sizeof text, bytes), path, strerror(error));
}

bal_status bal_reserve_release(const char *path)
{
    struct stat s;

    if (stat(path, &s) == 0 && truncate(path, s.st_size) == 0)
        return BAL_OK;
    return BAL_FAIL(BAL_EIO, "cannot write '%s': %s", path, strerror(errno));
}
