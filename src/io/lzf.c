/* LZF packs bytes into two kinds of pieces, told apart by a control byte c:
 *   c < 32   the next c + 1 bytes stand for themselves;
 *   c >= 32  a repetition: l = c / 32 (with l = 7, l grows by the next byte),
 *            and l + 2 bytes are copied from 256 (c mod 32) + b + 1 bytes back,
 *            b being the byte that follows.
 * A repetition may overlap its own output, so it is copied byte by byte.
 * Cost: linear.  Reference: M. Lehmann, LibLZF; HDF5 filter number 32000. */
#include "balans/io/lzf.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

enum { FILTER_NUMBER = 32000 };

typedef struct cursor {
    const unsigned char *at, *end;
    unsigned char *to;
    size_t used, room;
} cursor;

static bool copy_literal(cursor *c, size_t len)
{
    if ((size_t)(c->end - c->at) < len)
        return false;
    if (c->used + len <= c->room)
        memcpy(c->to + c->used, c->at, len);
    c->at += len;
    c->used += len;
    return true;
}

static bool copy_back(cursor *c, size_t control)
{
    size_t len = control >> 5, back = (control & 31) << 8;

    if (len == 7) {
        if (c->at == c->end)
            return false;
        len += *c->at++;
    }
    if (c->at == c->end)
        return false;
    back += (size_t)*c->at++ + 1;
    len += 2;
    if (back > c->used)
        return false;
    if (c->used + len <= c->room)
        for (size_t i = 0; i < len; i++)
            c->to[c->used + i] = c->to[c->used + i - back];
    c->used += len;
    return true;
}

bool bal_lzf_decode(const unsigned char *from, size_t bytes, unsigned char *to,
                    size_t room, size_t *size)
{
    cursor c = {.at = from, .end = from + bytes, .to = to, .room = room};
    bool fine = true;

    while (fine && c.at < c.end) {
        size_t control = *c.at++;
        fine = control < 32 ? copy_literal(&c, control + 1)
                            : copy_back(&c, control);
    }
    *size = fine ? c.used : 0;
    return fine && c.used <= room;
}

static size_t unpack(size_t bytes, size_t hint, size_t *buf_size, void **buf)
{
    size_t room = hint > 0 ? hint : *buf_size, size = 0;
    void *to = malloc(room);

    if (to != NULL && !bal_lzf_decode(*buf, bytes, to, room, &size) &&
        size > room) {
        room = size;
        free(to);
        to = malloc(room);
        if (to != NULL && !bal_lzf_decode(*buf, bytes, to, room, &size))
            size = 0;
    }
    if (to == NULL || size == 0) {
        free(to);
        return 0;
    }
    free(*buf);
    *buf = to;
    *buf_size = room;
    return size;
}

/* Called by HDF5, whose buffers come from malloc().  Packing is refused by 0:
 * the filter is optional in every file of h5py, and the chunk is then stored as
 * it is.  The third value, if there, is the size of an unpacked chunk. */
static size_t filter(unsigned flags, size_t values, const unsigned *value,
                     size_t bytes, size_t *buf_size, void **buf)
{
    if (!(flags & H5Z_FLAG_REVERSE))
        return 0;
    return unpack(bytes, values >= 3 ? value[2] : 0, buf_size, buf);
}

void bal_lzf_register(void)
{
    static const H5Z_class2_t class = {
        .version = H5Z_CLASS_T_VERS,
        .id = FILTER_NUMBER,
        .encoder_present = 0,
        .decoder_present = 1,
        .name = "lzf",
        .filter = filter,
    };

    if (H5Zfilter_avail(FILTER_NUMBER) <= 0)
        (void)H5Zregister(&class);
}
