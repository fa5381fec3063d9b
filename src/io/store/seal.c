/* The seal is the first 512 bytes of the file, which HDF5 leaves alone.  The
 * checksum behind it is a sum over chunks of 1 MiB of a mix of the chunk's
 * number and bytes (data/checksum.h), so ranks share the reading; a change
 * within one word of 8 bytes changes it for certain.  The seal ends with a
 * checksum of itself, and its beginning stays what it is in later formats.
 * Cost: one reading of the file, at the speed of memory where it is cached. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/data/checksum.h"
#include "balans/par/agree.h"
#include "internal.h"

enum { FORMAT = 1, CHUNK = 1 << 20, KIND = 64, WHAT = 256 };

static const char magic[16] = "balans store\r\n\x1a";

typedef struct seal {
    char magic[sizeof magic];
    uint64_t format;
    int64_t version; /* of the kind */
    char kind[KIND];
    int64_t bytes;       /* of the file */
    int64_t keys, table; /* in the table of keys, and where that is */
    uint64_t content;
    char unused[BAL_H5_USER_BLOCK - sizeof magic - 7 * 8 - KIND];
    uint64_t self; /* checksum of all before it */
} seal;

_Static_assert(sizeof(seal) == BAL_H5_USER_BLOCK, "the seal has no padding");

static uint64_t self_of(const seal *l)
{
    return bal_checksum_bytes(0, l, offsetof(seal, self));
}

/* The sum over this rank's chunks. */
static bal_status sum_stripe(const bal_store *s, bal_size bytes, uint64_t *sum)
{
    bal_size rest = bytes - BAL_H5_USER_BLOCK;
    bal_size chunks = (rest + CHUNK - 1) / CHUNK;
    bal_size first = chunks * s->comm->rank / s->comm->size;
    bal_size end = chunks * (s->comm->rank + 1) / s->comm->size;
    char *chunk = NULL;
    bal_status st;

    BAL_TRY(bal_take(&chunk, CHUNK, "a piece of a store"));
    for (bal_size i = first; i < end; i++) {
        bal_size left = rest - i * CHUNK;
        bal_size now = left < CHUNK ? left : CHUNK;
        BAL_TRY(bal_store_pull(s, BAL_H5_USER_BLOCK + i * CHUNK, now, chunk));
        *sum += bal_checksum_bytes((uint64_t)i, chunk, now);
    }
done:
    bal_free(&chunk);
    return st;
}

/* Halves as int64: no overflow below 2^31 ranks. */
static bal_verdict sum_all(bal_store *s, bal_size bytes, uint64_t *sum)
{
    uint64_t mine = 0;
    bal_verdict st;

    bal_watch_grant_io((double)bytes);
    st = bal_agree(s->comm, sum_stripe(s, bytes, &mine));
    if (bal_failed(st))
        return st;
    int64_t half[2] = {(int64_t)(mine & UINT32_MAX), (int64_t)(mine >> 32)};
    bal_comm_sum_i64(s->comm, half, 2);
    *sum = ((uint64_t)half[1] << 32) + (uint64_t)half[0];
    return st;
}

static bal_size size_of(const bal_store *s)
{
    struct stat file;

    return fstat(s->fd, &file) == 0 ? (bal_size)file.st_size : 0;
}

/* By rank 0. */
static bal_status write_seal(bal_store *s, seal *l)
{
    bal_status st;

    memcpy(l->magic, magic, sizeof magic);
    l->format = FORMAT;
    l->version = s->kind->version;
    snprintf(l->kind, sizeof l->kind, "%s", s->kind->name);
    l->keys = s->keys;
    l->table = s->table;
    l->self = self_of(l);
    BAL_TRY(bal_store_reopen(s, O_WRONLY));
    BAL_TRY(bal_store_push(s, 0, sizeof *l, l));
done:
    return st;
}

bal_verdict bal_store_seal(bal_store *s)
{
    seal l = {.bytes = size_of(s)};
    bal_verdict st;

    bal_comm_bcast(s->comm, &l.bytes, (bal_size)sizeof l.bytes, 0);
    BAL_TRY(sum_all(s, l.bytes, &l.content));
    BAL_TRY(
        bal_agree(s->comm, s->comm->rank == 0 ? write_seal(s, &l) : BAL_OK));
done:
    return st;
}

/* ---- Reading ---- */

static bal_status check_kind(const bal_store *s, const seal *l)
{
    char what[WHAT];
    const bal_store_kind *k = s->kind;

    if (strncmp(l->kind, k->name, KIND) != 0)
        snprintf(what, sizeof what, "it is a %.*s, not a %s", KIND, l->kind,
                 k->name);
    else if (l->version != k->version)
        snprintf(what, sizeof what,
                 "it is a %s of version %" PRId64
                 ", and this program reads version %" PRId64,
                 k->name, l->version, k->version);
    else
        return BAL_OK;
    return bal_store_refuse(s, what);
}

static bal_status check_seal(const bal_store *s, const seal *l, bal_size bytes)
{
    char what[WHAT];
    bal_status st;

    if (memcmp(l->magic, magic, sizeof magic) != 0) {
        snprintf(what, sizeof what, "it is not a %s", s->kind->name);
        return bal_store_refuse(s, what);
    }
    if (bytes < (bal_size)sizeof *l)
        return bal_store_refuse(s, "it is truncated");
    if (l->self != self_of(l))
        return bal_store_refuse(s, "it is damaged");
    if (l->format != FORMAT)
        return bal_store_refuse(s, "its format is that of another release");
    st = check_kind(s, l);
    if (bal_failed(st) || bytes == l->bytes)
        return st;
    return bal_store_refuse(s, bytes < l->bytes ? "it is truncated"
                                                : "it is damaged");
}

/* By rank 0. */
static bal_status read_seal(const bal_store *s, seal *l)
{
    bal_size bytes = size_of(s), most = (bal_size)sizeof *l;
    bal_status st = bal_store_pull(s, 0, bytes < most ? bytes : most, l);

    return bal_failed(st) ? st : check_seal(s, l, bytes);
}

bal_verdict bal_store_verify(bal_store *s, bal_size *bytes)
{
    seal l = {.bytes = 0};
    uint64_t content;
    bal_verdict st;

    BAL_TRY(bal_agree(s->comm, s->comm->rank == 0 ? read_seal(s, &l) : BAL_OK));
    bal_comm_bcast(s->comm, &l, (bal_size)sizeof l, 0);
    BAL_TRY(sum_all(s, l.bytes, &content));
    BAL_TRY(bal_agree(s->comm, content == l.content
                                   ? BAL_OK
                                   : bal_store_refuse(s, "it is damaged")));
    *bytes = l.bytes;
    s->keys = l.keys;
    s->table = l.table;
done:
    return st;
}
