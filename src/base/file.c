/* The system may move fewer bytes than it was asked to, or none as a stopped
 * process goes on; and a large transfer says nothing until it is done. */
#define _POSIX_C_SOURCE 200809L
#include "balans/base/file.h"

#include <errno.h>
#include <unistd.h>

#include "balans/base/watch.h"

enum { BLOCK = 1 << 22 }; /* bytes of one transfer, at most */

static size_t next_of(bal_size left)
{
    return (size_t)(left < BLOCK ? left : BLOCK);
}

bal_size bal_file_read(int fd, bal_size at, bal_size bytes, void *out)
{
    char *to = out;
    bal_size had = 0;

    while (had < bytes) {
        ssize_t got = pread(fd, to + had, next_of(bytes - had), at + had);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0) {
            errno = ENODATA;
            break;
        }
        bal_alive();
        had += got;
    }
    return had;
}

bal_size bal_file_write(int fd, bal_size at, bal_size bytes, const void *from)
{
    const char *next = from;
    bal_size had = 0;

    while (had < bytes) {
        ssize_t put = pwrite(fd, next + had, next_of(bytes - had), at + had);
        if (put < 0 && errno == EINTR)
            continue;
        if (put == 0)
            errno = ENOSPC;
        if (put <= 0)
            return -1;
        bal_alive();
        had += put;
    }
    return had;
}
