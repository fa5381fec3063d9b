/* A from batch order to file order.
 *
 * Entries travel to the ranks that hold the rows of their points, landmarks in
 * ascending order and as many at a time as the work space takes.  A rank holds
 * a run of positions, so what comes from the ranks in their order is in the
 * order of positions for each landmark, which is that of (batch, row); a stable
 * sort by landmark and appending to the blocks therefore leaves every block as
 * it is to be. */
#include <string.h>

#include "affinity_internal.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"

/* Entries that a rank sends at a time: few enough that the buffers of a round
 * are used again by the next, and stay in a cache. */
enum { ROUND = 1 << 19 };

static const char what[] = "the affinities by blocks";

/* An entry on its way; `row` is counted from the first of the rank it goes
 * to. */
typedef struct item {
    uint32_t row;
    int32_t landmark;
    float value;
} item;

typedef struct transit {
    bal_comm *c;
    const bal_csr *rows;
    const bal_order *order;
    bal_size block_rows;
    bal_affinity *a;
    int32_t *landmark;   /* [entries of a], of each entry */
    bal_size *at;        /* [blocks] where the next entry goes */
    bal_size *to, *from; /* [ranks] */
    bal_size *place;     /* [ranks] */
    int *owner;          /* [points] who holds the row of a point ... */
    uint32_t *row;       /* ... and which of his rows it is */
    bal_size *first;     /* [landmarks in a round + 1] */
    item *sorted;
} transit;

/* Finds out once where each of the rank's points belongs. */
static bal_status address(transit *t)
{
    bal_size m = t->rows->layout->m, n = t->rows->layout->n;
    bal_status st;

    BAL_TRY(bal_take(&t->owner, m, what));
    BAL_TRY(bal_take(&t->row, m, what));
    for (bal_size j = 0; j < m; j++) {
        bal_gidx row = t->order->row[j];
        t->owner[j] = bal_slab_owner(n, t->c->size, row);
        t->row[j] =
            (uint32_t)(row - bal_slab_first(n, t->owner[j], t->c->size));
    }
    BAL_TRY(bal_alloc(&t->to, t->c->size, what));
    BAL_TRY(bal_alloc(&t->from, t->c->size, what));
    BAL_TRY(bal_alloc(&t->place, t->c->size, what));
    BAL_TRY(bal_alloc(&t->at, t->a->count, what));
done:
    return st;
}

static void release(transit *t)
{
    bal_free(&t->landmark);
    bal_free(&t->at);
    bal_free(&t->to);
    bal_free(&t->from);
    bal_free(&t->place);
    bal_free(&t->owner);
    bal_free(&t->row);
    bal_free(&t->first);
    bal_free(&t->sorted);
}

/* Entries of every block, from all ranks: how many each rank's part of it is
 * travels as (block, count). */
typedef struct share {
    int32_t block;
    int32_t count;
} share;

static bal_status count_shares(transit *t, share **send)
{
    bal_size n = t->rows->layout->n, rows = t->block_rows, used = 0;
    bal_size all = (n + rows - 1) / rows;
    int64_t *count = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&count, all, what));
    for (bal_size l = 0; l < t->rows->m; l++) {
        const bal_csr_row *row = &t->rows->row[l];
        for (bal_size e = 0; e < row->count; e++)
            count[t->order->row[row->index[e]] / rows]++;
    }
    BAL_TRY(bal_take(send, all, what));
    for (bal_size b = 0; b < all; b++) {
        int owner = bal_slab_owner(n, t->c->size, b * rows);
        if (count[b] == 0)
            continue;
        if (count[b] > INT32_MAX)
            BAL_TRY(BAL_FAIL(BAL_ERANGE,
                             "cannot hold %lld affinities of one block; use "
                             "fewer landmarks",
                             (long long)count[b]));
        (*send)[used++] = (share){
            .block = (int32_t)(b - bal_slab_first(n, owner, t->c->size) / rows),
            .count = (int32_t)count[b],
        };
        t->to[owner]++;
    }
done:
    bal_free(&count);
    return st;
}

static bal_status take_shares(transit *t, const share *got)
{
    bal_affinity *a = t->a;
    bal_size many = 0;
    bal_status st;

    for (int r = 0; r < t->c->size; r++)
        many += t->from[r];
    for (bal_size i = 0; i < many; i++)
        a->entry_first[got[i].block + 1] += got[i].count;
    for (bal_size b = 0; b < a->count; b++)
        if (a->entry_first[b + 1] > INT32_MAX)
            BAL_TRY(BAL_FAIL(BAL_ERANGE,
                             "cannot hold %lld affinities of one block; use "
                             "fewer landmarks",
                             (long long)a->entry_first[b + 1]));
    bal_affinity_cumulate(a->entry_first, a->count);
    memcpy(t->at, a->entry_first, (size_t)a->count * sizeof *t->at);
    BAL_TRY(bal_affinity_make_room(a));
    BAL_TRY(bal_take(&t->landmark, a->entry_first[a->count], what));
done:
    return st;
}

static bal_verdict prepare(transit *t)
{
    bal_verdict st;
    share *send = NULL;
    void *got = NULL;
    bal_status mine = address(t);

    if (!bal_failed(mine))
        mine = count_shares(t, &send);
    BAL_TRY(bal_agree(t->c, mine));
    BAL_TRY(bal_exchange(t->c, send, t->to, sizeof *send, &got, t->from));
    BAL_TRY(bal_agree(t->c, take_shares(t, got)));
done:
    bal_free(&send);
    bal_mem_free(&got);
    return st;
}

/* Landmarks from l on whose entries on this rank are at most `most`. */
static int64_t round_end(const transit *t, bal_size l, bal_size most)
{
    bal_size entries = 0, end = l;

    while (end < t->rows->m &&
           (end == l || entries + t->rows->row[end].count <= most))
        entries += t->rows->row[end++].count;
    return end;
}

/* The entries of landmarks first .. end - 1, by destination and landmark. */
static bal_status pack(transit *t, bal_size first, bal_size end, item **send)
{
    bal_size entries = 0;
    bal_status st;

    memset(t->to, 0, (size_t)t->c->size * sizeof *t->to);
    for (bal_size l = first; l < end; l++) {
        const bal_csr_row *row = &t->rows->row[l];
        entries += row->count;
        for (bal_size e = 0; e < row->count; e++)
            t->to[t->owner[row->index[e]]]++;
    }
    st = bal_take(send, entries, what);
    if (bal_failed(st))
        return st;
    t->place[0] = 0;
    for (int r = 1; r < t->c->size; r++)
        t->place[r] = t->place[r - 1] + t->to[r - 1];
    for (bal_size l = first; l < end; l++) {
        const bal_csr_row *row = &t->rows->row[l];
        for (bal_size e = 0; e < row->count; e++) {
            bal_lidx j = row->index[e];
            (*send)[t->place[t->owner[j]]++] =
                (item){t->row[j], (int32_t)l, row->value[e]};
        }
    }
    return BAL_OK;
}

/* Appends what came to the blocks, landmark by landmark. */
static bal_status append(transit *t, bal_size first, bal_size end,
                         const item *got)
{
    bal_size many = 0;
    bal_status st;

    for (int r = 0; r < t->c->size; r++)
        many += t->from[r];
    BAL_TRY(bal_alloc(&t->first, end - first + 1, what));
    BAL_TRY(bal_take(&t->sorted, many, what));
    for (bal_size i = 0; i < many; i++)
        t->first[got[i].landmark - first + 1]++;
    bal_affinity_cumulate(t->first, end - first);
    for (bal_size i = 0; i < many; i++)
        t->sorted[t->first[got[i].landmark - first]++] = got[i];
    for (bal_size i = 0; i < many; i++) {
        const item *e = &t->sorted[i];
        bal_size block = e->row / t->block_rows, at = t->at[block]++;
        t->a->row[at] = (uint16_t)(e->row % t->block_rows);
        t->a->value[at] = e->value;
        t->landmark[at] = e->landmark;
    }
done:
    bal_free(&t->first);
    bal_free(&t->sorted);
    return st;
}

static bal_verdict move_round(transit *t, bal_size first, bal_size end)
{
    bal_verdict st;
    item *send = NULL;
    void *got = NULL;

    BAL_TRY(bal_agree(t->c, pack(t, first, end, &send)));
    BAL_TRY(bal_exchange(t->c, send, t->to, sizeof *send, &got, t->from));
    bal_free(&send);
    BAL_TRY(bal_agree(t->c, append(t, first, end, got)));
done:
    bal_free(&send);
    bal_mem_free(&got);
    return st;
}

/* Runs of entries of the same landmark. */
static bal_status find_runs(bal_affinity *a, const int32_t *landmark)
{
    bal_size at = 0;
    bal_status st;

    for (bal_size b = 0; b < a->count; b++)
        for (bal_size e = a->entry_first[b]; e < a->entry_first[b + 1]; e++)
            a->run_first[b + 1] +=
                e == a->entry_first[b] || landmark[e] != landmark[e - 1];
    bal_affinity_cumulate(a->run_first, a->count);
    st = bal_take(&a->run, a->run_first[a->count], what);
    if (bal_failed(st))
        return st;
    for (bal_size b = 0; b < a->count; b++)
        for (bal_size e = a->entry_first[b]; e < a->entry_first[b + 1]; e++) {
            if (e == a->entry_first[b] || landmark[e] != landmark[e - 1])
                a->run[at++].landmark = landmark[e];
            a->run[at - 1].end = (int32_t)(e + 1 - a->entry_first[b]);
        }
    return BAL_OK;
}

bal_verdict bal_affinity_by_block(bal_comm *c, const bal_csr *rows,
                                  const bal_order *order, const bal_blocks *x,
                                  bal_size memory, bal_affinity **out)
{
    bal_verdict st;
    transit t = {.c = c, .rows = rows, .order = order};
    bal_size most = memory / 64 < ROUND ? memory / 64 : ROUND;

    *out = NULL;
    t.block_rows = bal_rows_of_block(x->n);
    BAL_TRY(bal_agree(c, bal_affinity_create(rows->m, x->count, x->start,
                                             order->labels->code, &t.a)));
    BAL_TRY(prepare(&t));
    for (int64_t first = 0, end; first < rows->m; first = end) {
        end = round_end(&t, first, most);
        bal_comm_min_i64(c, &end, 1);
        BAL_TRY(move_round(&t, first, end));
    }
    BAL_TRY(bal_agree(c, find_runs(t.a, t.landmark)));
    *out = t.a;
    t.a = NULL;
done:
    release(&t);
    bal_affinity_destroy(&t.a);
    return st;
}
