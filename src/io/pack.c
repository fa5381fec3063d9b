#include "balans/io/pack.h"

#include <string.h>

#include "balans/base/mem.h"

void bal_pack_bytes(bal_pack *p, const void *bytes, bal_size count)
{
    bal_size room = p->room > 0 ? p->room : 256;

    if (p->broken || count == 0)
        return;
    while (room < p->bytes + count)
        room *= 2;
    if (room > p->room && bal_failed(bal_resize(&p->at, room, "a message"))) {
        p->broken = true;
        return;
    }
    p->room = room;
    memcpy(p->at + p->bytes, bytes, (size_t)count);
    p->bytes += count;
}

void bal_pack_int(bal_pack *p, int64_t value)
{
    bal_pack_bytes(p, &value, (bal_size)sizeof value);
}

void bal_pack_text(bal_pack *p, const char *text)
{
    bal_size size = text != NULL ? (bal_size)strlen(text) + 1 : 0;

    bal_pack_int(p, size);
    bal_pack_bytes(p, text, size);
}

const void *bal_unpack_bytes(bal_pack *p, bal_size count)
{
    const char *at = p->at + p->next;

    if (p->broken || count < 0 || count > p->bytes - p->next) {
        p->broken = true;
        return NULL;
    }
    p->next += count;
    return at;
}

int64_t bal_unpack_int(bal_pack *p)
{
    const void *at = bal_unpack_bytes(p, (bal_size)sizeof(int64_t));
    int64_t value = 0;

    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

const char *bal_unpack_text(bal_pack *p)
{
    bal_size size = bal_unpack_int(p);
    const char *at = size > 0 ? bal_unpack_bytes(p, size) : NULL;

    if (at != NULL && at[size - 1] != '\0')
        p->broken = true;
    return p->broken ? "" : at;
}

bal_status bal_pack_status(const bal_pack *p)
{
    return !p->broken ? BAL_OK
                      : BAL_FAIL(BAL_ENOMEM,
                                 "cannot pass on what was read: out of memory");
}

void bal_pack_finish(bal_pack *p)
{
    bal_free(&p->at);
    *p = (bal_pack){0};
}
