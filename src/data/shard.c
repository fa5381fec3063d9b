#include "balans/data/shard.h"

#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"

bal_status bal_shard_create(const bal_layout *layout, bal_size d,
                            bal_shard **out)
{
    bal_status st;
    bal_shard *s = NULL;

    *out = NULL;
    BAL_TRY(bal_alloc(&s, 1, "a matrix"));
    s->layout = layout;
    s->m = layout->m;
    s->d = d;
    BAL_TRY(bal_alloc(&s->at, (bal_size)s->m * d, "a rank's rows of a matrix"));
    *out = s;
    s = NULL;
done:
    bal_shard_destroy(&s);
    return st;
}

void bal_shard_destroy(bal_shard **s)
{
    if (*s == NULL)
        return;
    bal_free(&(*s)->at);
    bal_free(s);
}

/* Tells each point's owner the input row that stands there. */
typedef struct place {
    bal_gidx pos, row;
} place;

/* The position of row i of the slab: after all rows of its batch in earlier
 * slabs (before[batch]) and earlier in this one. */
static void number(const bal_labels *labels, const bal_layout *layout,
                   int64_t *before, bal_gidx *pos)
{
    for (bal_size i = 0; i < labels->m; i++) {
        int32_t b = labels->code[i];
        pos[i] = layout->batch_first[b] + before[b]++;
    }
}

static bal_status positions_create(const bal_labels *labels, bal_route *r,
                                   int64_t **mine, int64_t **before)
{
    bal_status st;

    BAL_TRY(bal_alloc(&r->pos, labels->m, "the order of rows"));
    BAL_TRY(bal_alloc(&r->row, r->layout->m, "the order of rows"));
    BAL_TRY(bal_alloc(mine, labels->count, "the batches"));
    BAL_TRY(bal_alloc(before, labels->count, "the batches"));
done:
    return st;
}

/* Orders `count` records by owner: at[owner] counts records before it. Those
 * of rank `own` do not travel; -1: all do. */
static void cumulate(const bal_layout *l, const bal_gidx *pos, bal_size count,
                     int own, bal_size *to, bal_size *at)
{
    memset(to, 0, (size_t)l->size * sizeof *to);
    for (bal_size i = 0; i < count; i++)
        to[bal_layout_owner(l, pos[i])]++;
    if (own >= 0)
        to[own] = 0;
    at[0] = 0;
    for (int r = 1; r < l->size; r++)
        at[r] = at[r - 1] + to[r - 1];
}

/* What each exchange needs: counts, and a buffer of records by destination. */
typedef struct parcel {
    bal_size *to, *at, *from;
    void *send, *recv;
} parcel;

static bal_status parcel_create(const bal_layout *l, bal_size count,
                                size_t size, parcel *p)
{
    bal_status st;

    BAL_TRY(bal_alloc(&p->to, l->size, "an exchange"));
    BAL_TRY(bal_alloc(&p->at, l->size, "an exchange"));
    BAL_TRY(bal_alloc(&p->from, l->size, "an exchange"));
    BAL_TRY(bal_mem_alloc(&p->send, count, size, "an exchange of rows"));
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

static bal_size received(const bal_layout *l, const parcel *p)
{
    bal_size sum = 0;

    for (int r = 0; r < l->size; r++)
        sum += p->from[r];
    return sum;
}

/* Fills r->row by sending (position, input row) to the owners, in pieces so
 * that no second array of the slab's size is needed. */
static bal_verdict send_rows(bal_comm *c, bal_route *r)
{
    enum { PIECE = 1 << 20 };
    bal_verdict st;
    parcel p = {0};
    int64_t most = r->m;

    bal_comm_max_i64(c, &most, 1);
    st = bal_agree(c, parcel_create(r->layout, r->m < PIECE ? r->m : PIECE,
                                    sizeof(place), &p));
    for (bal_size i = 0; i < most && !bal_failed(st); i += PIECE) {
        bal_size from = i < r->m ? i : r->m;
        bal_size count = r->m - from < PIECE ? r->m - from : PIECE;
        place *send = p.send;
        cumulate(r->layout, r->pos + from, count, -1, p.to, p.at);
        for (bal_size k = from; k < from + count; k++)
            send[p.at[bal_layout_owner(r->layout, r->pos[k])]++] =
                (place){.pos = r->pos[k], .row = r->first + k};
        st = bal_exchange(c, p.send, p.to, sizeof(place), &p.recv, p.from);
        if (bal_failed(st))
            break;
        const place *got = p.recv;
        bal_size many = received(r->layout, &p);
        for (bal_size k = 0; k < many; k++)
            r->row[got[k].pos - r->layout->rank_first[c->rank]] = got[k].row;
        bal_mem_free(&p.recv);
    }
    parcel_finish(&p);
    return st;
}

bal_verdict bal_route_create(bal_comm *c, const bal_labels *labels,
                             const bal_layout *layout, bal_route **out)
{
    bal_verdict st;
    bal_status mine;
    bal_route *r = NULL;
    int64_t *here = NULL, *before = NULL;

    *out = NULL;
    mine = bal_alloc(&r, 1, "the order of rows");
    if (!bal_failed(mine)) {
        r->layout = layout;
        r->first = labels->first;
        r->m = labels->m;
        mine = positions_create(labels, r, &here, &before);
    }
    BAL_TRY(bal_agree(c, mine));
    for (bal_size i = 0; i < labels->m; i++)
        here[labels->code[i]]++;
    bal_comm_exscan_i64(c, here, labels->count, before);
    number(labels, layout, before, r->pos);
    BAL_TRY(send_rows(c, r));
    *out = r;
    r = NULL;
done:
    bal_route_destroy(&r);
    bal_free(&here);
    bal_free(&before);
    return st;
}

void bal_route_destroy(bal_route **r)
{
    if (*r == NULL)
        return;
    bal_free(&(*r)->pos);
    bal_free(&(*r)->row);
    bal_free(r);
}

/* Where a point stands: the rank, and the local index there. */
static bal_lidx find(const bal_layout *l, bal_gidx pos, int *owner)
{
    *owner = bal_layout_owner(l, pos);
    return (bal_lidx)(pos - l->rank_first[*owner]);
}

/* Tells every owner which of its points the panel holds; rows follow, or come
 * back, in the same order. */
static bal_verdict send_index(bal_comm *c, const bal_route *r, bal_size first,
                              bal_size count, parcel *index)
{
    bal_verdict st;
    const bal_layout *l = r->layout;
    int owner;

    BAL_TRY(bal_agree(c, parcel_create(l, count, sizeof(bal_lidx), index)));
    cumulate(l, r->pos + first, count, c->rank, index->to, index->at);
    for (bal_size i = 0; i < count; i++) {
        bal_lidx j = find(l, r->pos[first + i], &owner);
        if (owner != c->rank)
            ((bal_lidx *)index->send)[index->at[owner]++] = j;
    }
    BAL_TRY(bal_exchange(c, index->send, index->to, sizeof(bal_lidx),
                         &index->recv, index->from));
    cumulate(l, r->pos + first, count, c->rank, index->to, index->at);
done:
    return st;
}

bal_verdict bal_route_scatter(bal_comm *c, const bal_route *r, bal_size first,
                              bal_size count, const float *rows, bal_shard *s)
{
    bal_verdict st;
    parcel index = {0}, value = {0};
    size_t bytes = (size_t)s->d * sizeof(float);
    int owner;

    BAL_TRY(send_index(c, r, first, count, &index));
    BAL_TRY(bal_agree(c, parcel_create(r->layout, count, bytes, &value)));
    for (bal_size i = 0; i < count; i++) {
        bal_lidx j = find(r->layout, r->pos[first + i], &owner);
        float *to = owner == c->rank
                        ? s->at + j * s->d
                        : (float *)value.send + index.at[owner]++ * s->d;
        memcpy(to, rows + i * s->d, bytes);
    }
    BAL_TRY(bal_exchange(c, value.send, index.to, bytes, &value.recv,
                         value.from));
    const bal_lidx *j = index.recv;
    bal_size many = received(r->layout, &index);
    for (bal_size i = 0; i < many; i++)
        memcpy(s->at + j[i] * s->d, (float *)value.recv + i * s->d, bytes);
done:
    parcel_finish(&index);
    parcel_finish(&value);
    return st;
}

bal_verdict bal_route_gather(bal_comm *c, const bal_route *r, bal_size first,
                             bal_size count, const bal_shard *s, float *rows)
{
    bal_verdict st;
    parcel index = {0}, value = {0};
    size_t bytes = (size_t)s->d * sizeof(float);
    int owner;

    BAL_TRY(send_index(c, r, first, count, &index));
    bal_size many = received(r->layout, &index);
    BAL_TRY(bal_agree(c, parcel_create(r->layout, many, bytes, &value)));
    const bal_lidx *wanted = index.recv;
    for (bal_size i = 0; i < many; i++)
        memcpy((float *)value.send + i * s->d, s->at + wanted[i] * s->d, bytes);
    BAL_TRY(bal_exchange(c, value.send, index.from, bytes, &value.recv,
                         value.from));
    for (bal_size i = 0; i < count; i++) {
        bal_lidx j = find(r->layout, r->pos[first + i], &owner);
        const float *from =
            owner == c->rank ? s->at + j * s->d
                             : (float *)value.recv + index.at[owner]++ * s->d;
        memcpy(rows + i * s->d, from, bytes);
    }
done:
    parcel_finish(&index);
    parcel_finish(&value);
    return st;
}
