/**
 * @file
 * Values one after the other in memory, to be sent to another process of this
 * program on the same host.  All functions are local.
 *
 * A pack whose memory ran out, or that is read beyond its end, is `broken`;
 * what is read then is 0, "" or NULL.
 */
#ifndef BAL_IO_PACK_H
#define BAL_IO_PACK_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/base/types.h"

typedef struct bal_pack {
    char *at;
    bal_size bytes, room;
    bal_size next; ///< where reading goes on
    bool broken;
} bal_pack;

/** Add a number; a text, which may be NULL; bytes. */
void bal_pack_int(bal_pack *p, int64_t value);
void bal_pack_text(bal_pack *p, const char *text);
void bal_pack_bytes(bal_pack *p, const void *bytes, bal_size count);

/** Take them out again, in the same order.  Borrowed. */
int64_t bal_unpack_int(bal_pack *p);
const char *bal_unpack_text(bal_pack *p);
const void *bal_unpack_bytes(bal_pack *p, bal_size count);

/** BAL_ENOMEM if the pack is broken, else BAL_OK. */
bal_status bal_pack_status(const bal_pack *p);

/** Frees what it holds; it is empty then. */
void bal_pack_finish(bal_pack *p);

#endif
