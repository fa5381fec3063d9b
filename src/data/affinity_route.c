/* A from batch order to file order.
 *
 * Entries travel to the ranks that hold the rows of their points, landmarks in
 * ascending order and as many at a time as the work space takes.  A rank holds
 * a run of positions, so what comes from the ranks in their order is in the
 * order of positions for each landmark, which is that of (batch, row);
 * appending it to the blocks landmark by landmark, and rank by rank for each,
 * therefore leaves every block as it is to be.
 *
 * Threads take runs of landmarks, both where entries are sent from and where
 * they are appended: what each counts of a destination or of a block says where
 * it puts its own. */
#include <string.h>

#include "affinity_internal.h"
#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"

/* Entries that a rank sends at a time: few enough that the buffers of a round
 * are not large ones (base/mem.c), whose pages would be cleared for each, but
 * are used again by the next, and stay in a cache. */
enum { ROUND = 1 << 18 };

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
    int threads;
    int shift; /* a block has 2^shift rows */
    bal_affinity *a;
    int32_t *landmark;   /* [entries of a], of each entry */
    bal_size *at;        /* [blocks] where the next entry goes */
    bal_size *to, *from; /* [ranks] */
    bal_size *begin;     /* [ranks] */
    bal_size *put;       /* [threads, ranks] where entries are sent from */
    bal_size *cursor;    /* [threads, ranks] what comes next from each */
    bal_size *slot;      /* [threads, blocks] where entries go */
    bal_size *cut;       /* [threads + 1] landmarks of each in a round */
    int *owner;          /* [points] who holds the row of a point ... */
    uint32_t *row;       /* ... and which of his rows it is */
} transit;

/* Finds out once where each of the rank's points belongs. */
static bal_status address(transit *t)
{
    bal_size m = t->rows->layout->m, n = t->rows->layout->n;
    bal_status st;

    BAL_TRY(bal_take(&t->owner, m, what));
    BAL_TRY(bal_take(&t->row, m, what));
#pragma omp parallel for schedule(static) num_threads(t->threads)
    for (bal_size j = 0; j < m; j++) {
        bal_gidx row = t->order->row[j];
        t->owner[j] = bal_slab_owner(n, t->c->size, row);
        t->row[j] =
            (uint32_t)(row - bal_slab_first(n, t->owner[j], t->c->size));
    }
    BAL_TRY(bal_alloc(&t->to, t->c->size, what));
    BAL_TRY(bal_alloc(&t->from, t->c->size, what));
    BAL_TRY(bal_alloc(&t->begin, t->c->size, what));
    BAL_TRY(bal_alloc(&t->put, t->threads * t->c->size, what));
    BAL_TRY(bal_alloc(&t->cursor, t->threads * t->c->size, what));
    BAL_TRY(bal_alloc(&t->cut, t->threads + 1, what));
    BAL_TRY(bal_alloc(&t->at, t->a->count, what));
    BAL_TRY(bal_alloc(&t->slot, t->threads * t->a->count, what));
done:
    return st;
}

static void release(transit *t)
{
    bal_free(&t->landmark);
    bal_free(&t->at);
    bal_free(&t->to);
    bal_free(&t->from);
    bal_free(&t->begin);
    bal_free(&t->put);
    bal_free(&t->cursor);
    bal_free(&t->slot);
    bal_free(&t->cut);
    bal_free(&t->owner);
    bal_free(&t->row);
}

/* Entries of every block, from all ranks: how many each rank's part of it is
 * travels as (block, count). */
typedef struct share {
    int32_t block;
    int32_t count;
} share;

static bal_status too_many(bal_size entries)
{
    return BAL_FAIL(BAL_ERANGE,
                    "cannot hold %lld affinities of one block; use fewer "
                    "landmarks",
                    (long long)entries);
}

/* This rank's entries of every block, [blocks]. */
static bal_status count_entries(transit *t, bal_size blocks, bal_size **out)
{
    bal_size *count = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&count, t->threads * blocks, what));
    bal_affinity_cut(t->rows, 0, t->rows->m, t->threads, t->cut);
#pragma omp parallel for schedule(static, 1) num_threads(t->threads)
    for (int k = 0; k < t->threads; k++)
        for (bal_size l = t->cut[k]; l < t->cut[k + 1]; l++) {
            const bal_csr_row *row = &t->rows->row[l];
            for (bal_size e = 0; e < row->count; e++) {
                bal_size b = t->order->row[row->index[e]] >> t->shift;
                count[k * blocks + b]++;
            }
        }
    for (int k = 1; k < t->threads; k++)
        for (bal_size b = 0; b < blocks; b++)
            count[b] += count[k * blocks + b];
    *out = count;
    count = NULL;
done:
    bal_free(&count);
    return st;
}

static bal_status count_shares(transit *t, share **send)
{
    bal_size n = t->rows->layout->n, rows = (bal_size)1 << t->shift, used = 0;
    bal_size all = (n + rows - 1) / rows, *count = NULL;
    bal_status st;

    BAL_TRY(count_entries(t, all, &count));
    BAL_TRY(bal_take(send, all, what));
    for (bal_size b = 0; b < all; b++) {
        int owner = bal_slab_owner(n, t->c->size, b * rows);
        if (count[b] == 0)
            continue;
        if (count[b] > INT32_MAX)
            BAL_TRY(too_many(count[b]));
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
            BAL_TRY(too_many(a->entry_first[b + 1]));
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

/* A thread's entries of the round: counted by destination, or put where
 * t->put says. */
static void pack_rows(transit *t, int thread, item *send)
{
    bal_size *put = t->put + thread * t->c->size;

    for (bal_size l = t->cut[thread]; l < t->cut[thread + 1]; l++) {
        const bal_csr_row *row = &t->rows->row[l];
        for (bal_size e = 0; e < row->count; e++) {
            bal_lidx j = row->index[e];
            bal_size at = put[t->owner[j]]++;
            if (send != NULL)
                send[at] = (item){t->row[j], (int32_t)l, row->value[e]};
        }
    }
}

/* Where what goes to, or comes from, each rank begins.  @return all of it */
static bal_size begin(transit *t, const bal_size *count)
{
    bal_size all = 0;

    for (int r = 0; r < t->c->size; r++) {
        t->begin[r] = all;
        all += count[r];
    }
    return all;
}

/* The entries of landmarks first .. end - 1, by destination and landmark. */
static bal_status pack(transit *t, bal_size first, bal_size end, item **send)
{
    int ranks = t->c->size;
    bal_status st;

    bal_affinity_cut(t->rows, first, end, t->threads, t->cut);
    memset(t->put, 0, (size_t)(t->threads * ranks) * sizeof *t->put);
    memset(t->to, 0, (size_t)ranks * sizeof *t->to);
#pragma omp parallel for schedule(static, 1) num_threads(t->threads)
    for (int k = 0; k < t->threads; k++)
        pack_rows(t, k, NULL);
    for (int k = 0; k < t->threads; k++)
        for (int r = 0; r < ranks; r++)
            t->to[r] += t->put[k * ranks + r];
    st = bal_take(send, begin(t, t->to), what);
    if (bal_failed(st))
        return st;
    bal_affinity_place(t->put, t->threads, ranks, t->begin);
#pragma omp parallel for schedule(static, 1) num_threads(t->threads)
    for (int k = 0; k < t->threads; k++)
        pack_rows(t, k, *send);
    return BAL_OK;
}

/* Of `count` entries the first of landmark l or a later one. */
static bal_size first_of(const item *got, bal_size count, bal_size l)
{
    bal_size low = 0, high = count;

    while (low < high) {
        bal_size mid = low + (high - low) / 2;
        if (got[mid].landmark < l)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* What came of a thread's landmarks, block by block. */
static void count_blocks(transit *t, int thread, const item *got)
{
    bal_size *slot = t->slot + thread * t->a->count;
    bal_size *cursor = t->cursor + thread * t->c->size;

    for (int r = 0; r < t->c->size; r++) {
        const item *part = got + t->begin[r];
        bal_size end = first_of(part, t->from[r], t->cut[thread + 1]);
        cursor[r] = first_of(part, t->from[r], t->cut[thread]);
        for (bal_size e = cursor[r]; e < end; e++)
            slot[part[e].row >> t->shift]++;
    }
}

/* Appends it, landmark by landmark and for each in the order of ranks. */
static void append_blocks(transit *t, int thread, const item *got)
{
    bal_size *slot = t->slot + thread * t->a->count;
    bal_size *cursor = t->cursor + thread * t->c->size;
    uint32_t mask = ((uint32_t)1 << t->shift) - 1;

    for (bal_size l = t->cut[thread]; l < t->cut[thread + 1]; l++)
        for (int r = 0; r < t->c->size; r++) {
            const item *part = got + t->begin[r];
            bal_size e = cursor[r], end = t->from[r];
            for (; e < end && part[e].landmark == l; e++) {
                bal_size at = slot[part[e].row >> t->shift]++;
                t->a->row[at] = (uint16_t)(part[e].row & mask);
                t->a->value[at] = part[e].value;
                t->landmark[at] = part[e].landmark;
            }
            cursor[r] = e;
        }
}

static void append(transit *t, const item *got)
{
    bal_size blocks = t->a->count;

    (void)begin(t, t->from);
    memset(t->slot, 0, (size_t)(t->threads * blocks) * sizeof *t->slot);
#pragma omp parallel for schedule(static, 1) num_threads(t->threads)
    for (int k = 0; k < t->threads; k++)
        count_blocks(t, k, got);
    bal_affinity_place(t->slot, t->threads, blocks, t->at);
#pragma omp parallel for schedule(static, 1) num_threads(t->threads)
    for (int k = 0; k < t->threads; k++)
        append_blocks(t, k, got);
}

/* What a rank alone sends itself stays where it is. */
static bal_verdict swap(transit *t, item **send, void **got)
{
    if (t->c->size > 1)
        return bal_exchange(t->c, *send, t->to, sizeof **send, got, t->from);
    t->from[0] = t->to[0];
    *got = *send;
    *send = NULL;
    return bal_agree(t->c, BAL_OK);
}

static bal_verdict move_round(transit *t, bal_size first, bal_size end)
{
    bal_verdict st;
    item *send = NULL;
    void *got = NULL;

    BAL_TRY(bal_agree(t->c, pack(t, first, end, &send)));
    BAL_TRY(swap(t, &send, &got));
    bal_free(&send);
    append(t, got);
done:
    bal_free(&send);
    bal_mem_free(&got);
    return st;
}

static bool begins_run(const bal_affinity *a, const int32_t *landmark,
                       bal_size block, bal_size e)
{
    return e == a->entry_first[block] || landmark[e] != landmark[e - 1];
}

/* Runs of entries of the same landmark. */
static bal_status find_runs(const transit *t)
{
    bal_affinity *a = t->a;
    bal_status st;

#pragma omp parallel for schedule(static) num_threads(t->threads)
    for (bal_size b = 0; b < a->count; b++)
        for (bal_size e = a->entry_first[b]; e < a->entry_first[b + 1]; e++)
            a->run_first[b + 1] += begins_run(a, t->landmark, b, e);
    bal_affinity_cumulate(a->run_first, a->count);
    st = bal_take(&a->run, a->run_first[a->count], what);
    if (bal_failed(st))
        return st;
#pragma omp parallel for schedule(static) num_threads(t->threads)
    for (bal_size b = 0; b < a->count; b++) {
        bal_run *run = a->run + a->run_first[b] - 1;
        for (bal_size e = a->entry_first[b]; e < a->entry_first[b + 1]; e++) {
            if (begins_run(a, t->landmark, b, e))
                (++run)->landmark = t->landmark[e];
            run->end = (int32_t)(e + 1 - a->entry_first[b]);
        }
    }
    return BAL_OK;
}

bal_verdict bal_affinity_by_block(bal_comm *c, const bal_csr *rows,
                                  const bal_order *order, const bal_blocks *x,
                                  bal_size memory, int threads,
                                  bal_affinity **out)
{
    bal_verdict st;
    transit t = {.c = c, .rows = rows, .order = order, .threads = threads};
    bal_size most = memory / 64 < ROUND ? memory / 64 : ROUND;

    *out = NULL;
    t.shift = __builtin_ctzll((uint64_t)bal_rows_of_block(x->n));
    BAL_TRY(bal_agree(c, bal_affinity_create(rows->m, x->count, x->start,
                                             order->labels->code, &t.a)));
    BAL_TRY(prepare(&t));
    for (int64_t first = 0, end; first < rows->m; first = end) {
        end = round_end(&t, first, most);
        bal_comm_min_i64(c, &end, 1);
        BAL_TRY(move_round(&t, first, end));
    }
    BAL_TRY(bal_agree(c, find_runs(&t)));
    *out = t.a;
    t.a = NULL;
done:
    release(&t);
    bal_affinity_destroy(&t.a);
    return st;
}
