/* Columns of obs that name groups, on all ranks.
 *
 * A helper of rank 0 reads the whole column (h5ad_values.c); the table of names
 * and then the codes, piece by piece, go to every rank, which keeps those of
 * its slab. */
#include <stdio.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "h5ad_ask.h"
#include "h5ad_column.h"

enum { PIECE = 1 << 20 }; /* codes on their way at a time */

/* ---- In the helper ---- */

static void pack_column(const bal_column *c, bal_size n, bal_pack *out)
{
    bal_size bytes = 0;

    for (bal_size i = 0; i < c->names.count; i++)
        bytes += (bal_size)strlen(c->names.item[i]) + 1;
    bal_pack_int(out, c->numeric);
    bal_pack_int(out, c->names.count);
    bal_pack_int(out, bytes);
    for (bal_size i = 0; i < c->names.count; i++)
        bal_pack_bytes(out, c->names.item[i],
                       (bal_size)strlen(c->names.item[i]) + 1);
    bal_pack_bytes(out, c->code, n * (bal_size)sizeof *c->code);
}

bal_status bal_work_column(bal_pack *in, bal_pack *out)
{
    char element[BAL_H5_TEXT_MAX];
    bal_request q = {.path = bal_unpack_text(in)};
    bal_column c = {0};
    hid_t file = H5I_INVALID_HID;
    bal_status st;

    q.column = bal_unpack_text(in);
    q.what = bal_unpack_text(in);
    q.n = bal_unpack_int(in);
    snprintf(element, sizeof element, "obs/%s", q.column);
    bal_aside_at(element);
    BAL_TRY(bal_h5_open(q.path, BAL_H5_READ, NULL, &file));
    BAL_TRY(bal_column_read(file, &q, &c));
    pack_column(&c, q.n, out);
done:
    bal_column_finish(&c);
    bal_h5_close(&file);
    return st;
}

bal_status bal_work_columns(bal_pack *in, bal_pack *out)
{
    const char *path = bal_unpack_text(in);
    bal_h5_list list = {0};
    hid_t file = H5I_INVALID_HID, obs = H5I_INVALID_HID;
    bal_status st;

    bal_aside_at("obs");
    BAL_TRY(bal_h5_open(path, BAL_H5_READ, NULL, &file));
    obs = bal_h5_find(file, "obs");
    BAL_TRY(bal_h5ad_list_columns(obs, &list));
    bal_pack_list(out, &list);
done:
    bal_h5_list_free(&list);
    bal_h5_close(&obs);
    bal_h5_close(&file);
    return st;
}

/* ---- On all ranks ---- */

/* What every rank gets of a column. */
typedef struct share {
    int64_t head[3]; /* numeric, names, bytes of the names */
    char *text;
    char **name;   /* [names], into text */
    int32_t *code; /* [m] */
    bal_gidx first;
    bal_size m;
} share;

static bal_status take_room(share *s)
{
    bal_status st;

    BAL_TRY(bal_fault("batches"));
    BAL_TRY(bal_alloc(&s->text, s->head[2], "the labels"));
    BAL_TRY(bal_alloc(&s->name, s->head[1], "the labels"));
    BAL_TRY(bal_alloc(&s->code, s->m, "the labels"));
done:
    return st;
}

static void share_names(bal_comm *c, bal_pack *column, share *s)
{
    const char *at = s->text;
    const void *names =
        c->rank == 0 ? bal_unpack_bytes(column, s->head[2]) : NULL;

    if (names != NULL)
        memcpy(s->text, names, (size_t)s->head[2]);
    bal_comm_bcast(c, s->text, s->head[2], 0);
    for (bal_size i = 0; i < s->head[1]; i++, at += strlen(at) + 1)
        s->name[i] = s->text + (at - s->text);
}

static bal_verdict share_codes(bal_comm *c, bal_size n, bal_pack *column,
                               share *s)
{
    int32_t *piece = NULL;
    bal_verdict st =
        bal_agree(c, bal_alloc(&piece, n < PIECE ? n : PIECE, "the labels"));

    for (bal_size at = 0; at < n && !bal_failed(st); at += PIECE) {
        bal_size now = n - at < PIECE ? n - at : PIECE;
        bal_size bytes = now * (bal_size)sizeof *piece;
        const void *codes =
            c->rank == 0 ? bal_unpack_bytes(column, bytes) : NULL;
        if (codes != NULL)
            memcpy(piece, codes, (size_t)bytes);
        bal_comm_bcast(c, piece, bytes, 0);
        bal_gidx from = at > s->first ? at : s->first;
        bal_gidx end = at + now < s->first + s->m ? at + now : s->first + s->m;
        if (from < end)
            memcpy(s->code + (from - s->first), piece + (from - at),
                   (size_t)(end - from) * sizeof *piece);
    }
    bal_free(&piece);
    return st;
}

/* By rank 0. */
static bal_status ask(const bal_h5ad *f, const char *column, const char *what,
                      bal_pack *out, int64_t head[3])
{
    bal_pack in = {0};
    bal_status st;

    bal_pack_text(&in, f->path);
    bal_pack_text(&in, column);
    bal_pack_text(&in, what);
    bal_pack_int(&in, f->n);
    st = bal_aside(BAL_ASIDE_COLUMN, f->path, f->mark.bytes, &in, out);
    for (int i = 0; i < 3; i++)
        head[i] = bal_unpack_int(out);
    bal_pack_finish(&in);
    return st;
}

/* A batch for each row is a column of names of another kind. */
static bal_status judge(const char *path, const char *title,
                        const bal_labels *l)
{
    if (l->count < l->n || l->n < 2)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot use '%s', %s: it has another value in each of the "
                    "%lld rows; is it the right column?",
                    path, title, (long long)l->n);
}

bal_verdict bal_h5ad_labels(bal_h5ad *f, const char *name, const char *what,
                            bal_labels **out)
{
    char title[BAL_H5_TEXT_MAX];
    bal_comm *c = f->comm;
    share s = {.first = bal_slab_first(f->n, c->rank, c->size)};
    bal_pack column = {0};
    bal_status mine = BAL_OK;
    bal_verdict st;

    *out = NULL;
    s.m = bal_slab_first(f->n, c->rank + 1, c->size) - s.first;
    snprintf(title, sizeof title, "%s column '%.200s'", what, name);
    if (c->rank == 0)
        mine = ask(f, name, what, &column, s.head);
    BAL_TRY(bal_agree(c, mine));
    bal_comm_bcast(c, s.head, (bal_size)sizeof s.head, 0);
    BAL_TRY(bal_agree(c, take_room(&s)));
    share_names(c, &column, &s);
    BAL_TRY(share_codes(c, f->n, &column, &s));
    bal_comm_count_io(c, s.m * (bal_size)sizeof *s.code);
    BAL_TRY(bal_labels_unify(c, f->n, s.name, s.head[1], s.code, s.head[0] != 0,
                             title, out));
    s.code = NULL;
    if (strcmp(what, "obs") != 0)
        BAL_TRY(bal_agree(c, judge(f->path, title, *out)));
done:
    if (bal_failed(st))
        bal_labels_destroy(out);
    bal_pack_finish(&column);
    bal_free(&s.code);
    bal_free(&s.name);
    bal_free(&s.text);
    return st;
}

bal_verdict bal_h5ad_columns(bal_h5ad *f, char ***name, bal_size *count)
{
    bal_pack in = {0};
    bal_h5_list list = {0};
    bal_verdict st;

    bal_pack_text(&in, f->path);
    st = bal_ask_list(f->comm, BAL_ASIDE_COLUMNS, f->path, f->mark.bytes, &in,
                      &list);
    bal_pack_finish(&in);
    *name = list.item;
    *count = list.count;
    return st;
}
