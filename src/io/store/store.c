/* A store's file, seen as bytes. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "balans/base/file.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "internal.h"

bal_status bal_store_new(bal_comm *c, const bal_store_kind *kind,
                         bal_status failure, bal_store **out)
{
    bal_status st = bal_alloc(out, 1, "a store");

    if (bal_failed(st))
        return st;
    (*out)->comm = c;
    (*out)->kind = kind;
    (*out)->failure = failure;
    (*out)->fd = -1;
    (*out)->file = H5I_INVALID_HID;
    return BAL_OK;
}

void bal_store_close(bal_store **store)
{
    bal_store *s = *store;

    if (s == NULL)
        return;
    bal_watch_grant(0);
    if (s->fd >= 0)
        close(s->fd);
    bal_h5_abandon(&s->file);
    bal_publish_discard(&s->publish);
    bal_free(&s->path);
    bal_free(&s->have);
    bal_free(store);
}

bal_size bal_store_element(bal_store_type type)
{
    static const int8_t size[BAL_STORE_TEXT] = {4, 8, 4, 8, 8, 2, 1};

    BAL_REQUIRE(type < BAL_STORE_TEXT);
    return size[type];
}

static bal_status fail_system(const bal_store *s, const char *doing)
{
    return BAL_FAIL(s->failure, "cannot %s '%s': %s", doing, s->path,
                    strerror(errno));
}

/* On some file systems closing is what writes. */
bal_status bal_store_reopen(bal_store *s, int flags)
{
    int fd = s->fd;

    s->fd = -1;
    if (fd >= 0 && close(fd) != 0)
        return fail_system(s, "write");
    s->fd = open(s->path, flags | O_CLOEXEC);
    return s->fd >= 0 ? BAL_OK : fail_system(s, "open");
}

bal_status bal_store_pull(const bal_store *s, bal_size at, bal_size bytes,
                          void *out)
{
    bal_size got = bal_file_read(s->fd, at, bytes, out);

    if (got < 0)
        return fail_system(s, "read");
    bal_comm_count_io(s->comm, got);
    if (got < bytes)
        return BAL_FAIL(s->failure, "cannot read '%s': it has been cut",
                        s->path);
    return BAL_OK;
}

bal_status bal_store_push(const bal_store *s, bal_size at, bal_size bytes,
                          const void *from)
{
    if (bal_file_write(s->fd, at, bytes, from) < 0)
        return fail_system(s, "write");
    bal_comm_count_io(s->comm, bytes);
    return BAL_OK;
}

bal_status bal_store_refuse(const bal_store *s, const char *what)
{
    return BAL_FAIL(BAL_EINPUT, "cannot read '%s': %s; %s", s->path, what,
                    s->kind->way_out);
}
