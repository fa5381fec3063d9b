#include "balans/data/route.h"

#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"

/* Tells each point's owner the input row that stands there. */
typedef struct place {
    bal_gidx pos, row;
} place;

/* What an exchange needs: counts, and a buffer of records by destination. */
typedef struct parcel {
    bal_size *to, *at, *from;
    void *send, *recv;
} parcel;

static bal_status parcel_create(int size, bal_size count, size_t bytes,
                                parcel *p)
{
    bal_status st;

    BAL_TRY(bal_alloc(&p->to, size, "an exchange"));
    BAL_TRY(bal_alloc(&p->at, size, "an exchange"));
    BAL_TRY(bal_alloc(&p->from, size, "an exchange"));
    BAL_TRY(bal_mem_take(&p->send, count, bytes, "an exchange of rows"));
done:
    return st;
}

static void parcel_finish(parcel *p)
{
    bal_free(&p->to);
    bal_free(&p->at);
    bal_free(&p->from);
    bal_mem_free(&p->send);
    bal_mem_free(&p->recv);
}

static bal_size received(int size, const parcel *p)
{
    bal_size sum = 0;

    for (int r = 0; r < size; r++)
        sum += p->from[r];
    return sum;
}

/* Orders `count` records by owner: at[owner] counts records before it. Those
 * of rank `own` do not travel; -1: all do. */
static void cumulate(const bal_layout *l, const bal_gidx *pos, bal_size count,
                     int own, parcel *p)
{
    memset(p->to, 0, (size_t)l->size * sizeof *p->to);
    for (bal_size i = 0; i < count; i++)
        p->to[bal_layout_owner(l, pos[i])]++;
    if (own >= 0)
        p->to[own] = 0;
    p->at[0] = 0;
    for (int r = 1; r < l->size; r++)
        p->at[r] = p->at[r - 1] + p->to[r - 1];
}

/* The position of each of the rank's rows: after all rows of its batch on
 * earlier ranks (before[batch]) and earlier on this one. */
static void number(const bal_labels *labels, const bal_layout *layout,
                   int64_t *before, bal_gidx *pos)
{
    for (bal_size i = 0; i < labels->m; i++) {
        int32_t b = labels->code[i];
        pos[i] = layout->batch_first[b] + before[b]++;
    }
}

/* Fills o->row by sending (position, input row) to the owners, in pieces so
 * that no second array of the rows' number is needed. */
static bal_verdict send_rows(bal_comm *c, bal_order *o)
{
    enum { PIECE = 16 << 20 };
    bal_verdict st;
    parcel p = {0};
    const bal_pieces cut = bal_pieces_cut(c, o->m, sizeof(place), PIECE);

    st = bal_agree(c, parcel_create(c->size, bal_pieces_most(&cut),
                                    sizeof(place), &p));
    for (int64_t i = 0; i < cut.count && !bal_failed(st); i++) {
        bal_size from, count = bal_piece(&cut, i, &from);
        place *send = p.send;
        cumulate(o->layout, o->pos + from, count, -1, &p);
        for (bal_size k = from; k < from + count; k++)
            send[p.at[bal_layout_owner(o->layout, o->pos[k])]++] =
                (place){.pos = o->pos[k], .row = o->first + k};
        st = bal_exchange(c, p.send, p.to, sizeof(place), &p.recv, p.from);
        if (bal_failed(st))
            break;
        const place *got = p.recv;
        bal_size many = received(c->size, &p);
        for (bal_size k = 0; k < many; k++)
            o->row[got[k].pos - o->layout->rank_first[c->rank]] = got[k].row;
        bal_mem_free(&p.recv);
    }
    parcel_finish(&p);
    return st;
}

static bal_status make(bal_comm *c, const bal_labels *labels, bal_order **out,
                       int64_t **here, int64_t **before)
{
    bal_order *o = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(here, labels->count, "the batches"));
    BAL_TRY(bal_alloc(before, labels->count, "the batches"));
    BAL_TRY(bal_alloc(&o, 1, "the order of rows"));
    *out = o;
    o->labels = labels;
    o->first = labels->first;
    o->m = labels->m;
    BAL_TRY(bal_layout_create(labels->size, labels->count, c->rank, c->size,
                              &o->layout));
    BAL_TRY(bal_alloc(&o->pos, o->m, "the order of rows"));
    BAL_TRY(bal_alloc(&o->row, o->layout->m, "the order of rows"));
    BAL_TRY(bal_alloc(&o->batch, o->layout->m, "the batches of points"));
    BAL_TRY(bal_alloc(&o->tile_start, o->layout->tiles + 1, "the tiles"));
    o->tile_start[o->layout->tiles] = o->layout->m;
    for (bal_size t = 0; t < o->layout->tiles; t++) {
        o->tile_start[t] = o->layout->tile[t].first;
        for (int j = 0; j < o->layout->tile[t].m; j++)
            o->batch[o->layout->tile[t].first + j] = o->layout->tile[t].batch;
    }
done:
    return st;
}

bal_verdict bal_order_create(bal_comm *c, const bal_labels *labels,
                             bal_order **out)
{
    bal_verdict st;
    bal_order *o = NULL;
    int64_t *here = NULL, *before = NULL;

    *out = NULL;
    BAL_TRY(bal_agree(c, make(c, labels, &o, &here, &before)));
    for (bal_size i = 0; i < labels->m; i++)
        here[labels->code[i]]++;
    bal_comm_exscan_i64(c, here, labels->count, before);
    number(labels, o->layout, before, o->pos);
    BAL_TRY(send_rows(c, o));
    *out = o;
    o = NULL;
done:
    bal_order_destroy(&o);
    bal_free(&here);
    bal_free(&before);
    return st;
}

void bal_order_destroy(bal_order **o)
{
    if (*o == NULL)
        return;
    bal_layout_destroy(&(*o)->layout);
    bal_free(&(*o)->pos);
    bal_free(&(*o)->row);
    bal_free(&(*o)->batch);
    bal_free(&(*o)->tile_start);
    bal_free(o);
}

/* Tells every owner which of its points the rows are; coordinates follow, or
 * come back, in the same order. */
static bal_verdict send_index(bal_comm *c, const bal_order *o, bal_size first,
                              bal_size count, parcel *index)
{
    bal_verdict st;
    const bal_layout *l = o->layout;

    BAL_TRY(
        bal_agree(c, parcel_create(c->size, count, sizeof(bal_lidx), index)));
    cumulate(l, o->pos + first, count, c->rank, index);
    for (bal_size i = 0; i < count; i++) {
        bal_gidx pos = o->pos[first + i];
        int owner = bal_layout_owner(l, pos);
        if (owner != c->rank)
            ((bal_lidx *)index->send)[index->at[owner]++] =
                (bal_lidx)(pos - l->rank_first[owner]);
    }
    BAL_TRY(bal_exchange(c, index->send, index->to, sizeof(bal_lidx),
                         &index->recv, index->from));
    cumulate(l, o->pos + first, count, c->rank, index);
done:
    return st;
}

bal_verdict bal_route_to_tiles(bal_comm *c, const bal_order *o, bal_size first,
                               bal_size count, const float *rows, bal_tiles *z)
{
    bal_verdict st;
    const bal_layout *l = o->layout;
    parcel index = {0}, value = {0};
    size_t bytes = (size_t)z->p * sizeof(float);

    BAL_TRY(send_index(c, o, first, count, &index));
    BAL_TRY(bal_agree(c, parcel_create(c->size, count, bytes, &value)));
    for (bal_size i = 0; i < count; i++) {
        bal_gidx pos = o->pos[first + i];
        int owner = bal_layout_owner(l, pos);
        if (owner == c->rank)
            bal_tiles_set(z, (bal_lidx)(pos - l->rank_first[owner]),
                          rows + i * z->p);
        else
            memcpy((float *)value.send + index.at[owner]++ * z->p,
                   rows + i * z->p, bytes);
    }
    BAL_TRY(
        bal_exchange(c, value.send, index.to, bytes, &value.recv, value.from));
    const bal_lidx *j = index.recv;
    bal_size many = received(c->size, &index);
    for (bal_size i = 0; i < many; i++)
        bal_tiles_set(z, j[i], (float *)value.recv + i * z->p);
done:
    parcel_finish(&index);
    parcel_finish(&value);
    return st;
}

bal_verdict bal_route_to_file(bal_comm *c, const bal_order *o, bal_size first,
                              bal_size count, const bal_tiles *z, float *rows)
{
    bal_verdict st;
    const bal_layout *l = o->layout;
    parcel index = {0}, value = {0};
    size_t bytes = (size_t)z->p * sizeof(float);

    BAL_TRY(send_index(c, o, first, count, &index));
    bal_size many = received(c->size, &index);
    BAL_TRY(bal_agree(c, parcel_create(c->size, many, bytes, &value)));
    const bal_lidx *wanted = index.recv;
    for (bal_size i = 0; i < many; i++)
        bal_tiles_point(z, wanted[i], (float *)value.send + i * z->p);
    BAL_TRY(bal_exchange(c, value.send, index.from, bytes, &value.recv,
                         value.from));
    for (bal_size i = 0; i < count; i++) {
        bal_gidx pos = o->pos[first + i];
        int owner = bal_layout_owner(l, pos);
        if (owner == c->rank)
            bal_tiles_point(z, (bal_lidx)(pos - l->rank_first[owner]),
                            rows + i * z->p);
        else
            memcpy(rows + i * z->p,
                   (float *)value.recv + index.at[owner]++ * z->p, bytes);
    }
done:
    parcel_finish(&index);
    parcel_finish(&value);
    return st;
}

int bal_slab_owner(bal_size n, int size, bal_gidx row)
{
    int low = 0, high = size - 1;

    /* The last rank whose slab starts at or before the row; empty slabs start
     * where the next one does. */
    while (low < high) {
        int mid = low + (high - low + 1) / 2;
        if (bal_slab_first(n, mid, size) <= row)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}
