/* All reading is past HDF5, which may crash on a damaged file: the table of
 * keys says where rows are. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "internal.h"

/* Whether all rows are in the file. */
static bool is_inside(const bal_store_array *a, bal_size bytes)
{
    bal_size all;

    return a->n >= 0 && a->row > 0 && a->at >= 0 && a->at <= bytes &&
           !__builtin_mul_overflow(a->n, a->row, &all) && all <= bytes - a->at;
}

/* Whether a row has the bytes that its elements need, and the key an end. */
static bool is_shaped(const bal_store_array *a)
{
    bal_size row = a->row;

    if (a->type < 0 || a->type >= BAL_STORE_TYPES || a->d < 1 ||
        memchr(a->key, '\0', sizeof a->key) == NULL)
        return false;
    if (a->type == BAL_STORE_TEXT)
        return a->d == 1;
    return !__builtin_mul_overflow(
               a->d, bal_store_element((bal_store_type)a->type), &row) &&
           a->row == row;
}

/* By rank 0. */
static bal_status read_table(const bal_store *s, bal_size bytes)
{
    bal_status st = bal_store_pull(
        s, s->table, s->keys * (bal_size)sizeof *s->have, s->have);

    for (bal_size i = 0; i < s->keys && !bal_failed(st); i++)
        if (!is_shaped(&s->have[i]) || !is_inside(&s->have[i], bytes))
            st = bal_store_refuse(s, "it is damaged");
    return st;
}

static bal_verdict share_table(bal_store *s, bal_size bytes)
{
    bal_comm *c = s->comm;
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_alloc(&s->have, s->keys, "a table of keys")));
    BAL_TRY(bal_agree(c, c->rank == 0 ? read_table(s, bytes) : BAL_OK));
    bal_comm_bcast(c, s->have, s->keys * (bal_size)sizeof *s->have, 0);
done:
    return st;
}

static bal_status begin(bal_comm *c, const char *path,
                        const bal_store_kind *kind, bal_store **out)
{
    size_t len = strlen(path) + 1;
    bal_status st;

    BAL_TRY(bal_store_new(c, kind, BAL_EINPUT, out));
    BAL_TRY(bal_alloc(&(*out)->path, (bal_size)len, "a path"));
    memcpy((*out)->path, path, len);
    BAL_TRY(bal_fault("open"));
    BAL_TRY(bal_store_reopen(*out, O_RDONLY));
done:
    return st;
}

bal_verdict bal_store_open(bal_comm *c, const char *path,
                           const bal_store_kind *kind, bal_store **out)
{
    bal_store *s = NULL;
    bal_size bytes;
    bal_verdict st;

    *out = NULL;
    BAL_TRY(bal_agree(c, begin(c, path, kind, &s)));
    BAL_TRY(bal_store_verify(s, &bytes));
    BAL_TRY(share_table(s, bytes));
    *out = s;
    s = NULL;
done:
    bal_store_close(&s);
    return st;
}

/* ---- Arrays ---- */

static const bal_store_array *look(const bal_store *s, const char *key)
{
    for (bal_size i = 0; i < s->keys; i++)
        if (strcmp(s->have[i].key, key) == 0)
            return &s->have[i];
    return NULL;
}

bool bal_store_has(const bal_store *s, const char *key)
{
    return look(s, key) != NULL;
}

static bool fits(bal_size is, bal_size wanted)
{
    return is == wanted || wanted == BAL_STORE_ANY;
}

bal_status bal_store_find(const bal_store *s, const char *key,
                          bal_store_type type, bal_size n, bal_size d,
                          bal_store_array *a)
{
    const bal_store_array *found = look(s, key);
    char what[256];

    if (found == NULL)
        snprintf(what, sizeof what, "it has no '%s'", key);
    else if (found->type != (int64_t)type)
        snprintf(what, sizeof what, "'%s' is of another type", key);
    else if (!fits(found->n, n) || !fits(found->d, d))
        snprintf(what, sizeof what,
                 "'%s' has %" PRId64 " x %" PRId64
                 " values, which does not go with the rest",
                 key, found->n, found->d);
    else {
        *a = *found;
        return BAL_OK;
    }
    return bal_store_refuse(s, what);
}

bal_status bal_store_read(const bal_store *s, const bal_store_array *a,
                          bal_size first, bal_size count, void *rows)
{
    bal_status st = bal_fault("read");

    BAL_REQUIRE(first >= 0 && count >= 0 && count <= a->n - first);
    if (bal_failed(st))
        return st;
    return bal_store_pull(s, a->at + first * a->row, count * a->row, rows);
}

/* ---- Values ---- */

static bal_verdict share(bal_store *s, const bal_store_array *a, void *values)
{
    bal_verdict st = bal_agree(
        s->comm,
        s->comm->rank == 0 ? bal_store_read(s, a, 0, a->n, values) : BAL_OK);

    if (!bal_failed(st))
        bal_comm_bcast(s->comm, values, a->n * a->row, 0);
    return st;
}

bal_verdict bal_store_get(bal_store *s, const char *key, bal_store_type type,
                          bal_size n, bal_size d, void *values)
{
    bal_store_array a;
    bal_verdict st = bal_agree(s->comm, bal_store_find(s, key, type, n, d, &a));

    return bal_failed(st) ? st : share(s, &a, values);
}

/* Pointers, and behind them the texts, each with an end. */
static bal_status spread(const bal_store_array *a, const char *raw, char ***out)
{
    bal_size each = (bal_size)sizeof **out + a->row + 1;
    bal_status st =
        bal_mem_alloc((void **)out, a->n, (size_t)each, "texts of a store");
    char *next;

    if (bal_failed(st))
        return st;
    next = (char *)(*out + a->n);
    for (bal_size i = 0; i < a->n; i++, next += a->row + 1) {
        (*out)[i] = next;
        memcpy(next, raw + i * a->row, (size_t)a->row);
    }
    return BAL_OK;
}

bal_verdict bal_store_get_texts(bal_store *s, const char *key, bal_size *count,
                                char ***text)
{
    bal_store_array a;
    char *raw = NULL;
    bal_verdict st;

    *text = NULL;
    BAL_TRY(bal_agree(s->comm,
                      bal_store_find(s, key, BAL_STORE_TEXT, *count, 1, &a)));
    BAL_TRY(bal_agree(s->comm, bal_mem_take((void **)&raw, a.n, (size_t)a.row,
                                            "texts of a store")));
    BAL_TRY(share(s, &a, raw));
    BAL_TRY(bal_agree(s->comm, spread(&a, raw, text)));
    *count = a.n;
done:
    bal_free(&raw);
    return st;
}
