/* A by tile, and what is asked of either arrangement.  By tile, entries stay on
 * their rank: a pass counts, another places them.  Threads take runs of
 * landmarks: what each counts of a tile says where it puts its own. */

#include <stdlib.h>
#include <string.h>

#include "affinity_internal.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"

static const char what[] = "the affinities by blocks";

bal_status bal_affinity_create(bal_size m, bal_size count,
                               const bal_size *start, const int32_t *batch,
                               bal_affinity **out)
{
    bal_status st;

    BAL_TRY(bal_alloc(out, 1, what));
    (*out)->m = m;
    (*out)->count = count;
    (*out)->start = start;
    (*out)->batch = batch;
    BAL_TRY(bal_alloc(&(*out)->run_first, count + 1, what));
    BAL_TRY(bal_alloc(&(*out)->entry_first, count + 1, what));
done:
    return st;
}

void bal_affinity_destroy(bal_affinity **a)
{
    if (*a == NULL)
        return;
    bal_free(&(*a)->run_first);
    bal_free(&(*a)->run);
    bal_free(&(*a)->entry_first);
    bal_free(&(*a)->row);
    bal_free(&(*a)->value);
    bal_free(a);
}

void bal_affinity_cumulate(bal_size *first, bal_size count)
{
    for (bal_size b = 0; b < count; b++)
        first[b + 1] += first[b];
}

bal_status bal_affinity_make_room(bal_affinity *a)
{
    bal_status st;
    bal_size entries = a->entry_first[a->count];

    BAL_TRY(bal_take(&a->row, entries, what));
    BAL_TRY(bal_take(&a->value, entries, what));
done:
    return st;
}

void bal_affinity_cut(const bal_csr *rows, bal_size first, bal_size end,
                      int threads, bal_size *from)
{
    bal_size all = 0, at = 0, l = first;

    for (bal_size i = first; i < end; i++)
        all += rows->row[i].count;
    for (int k = 0; k < threads; k++) {
        for (; l < end && at < all * k / threads; l++)
            at += rows->row[l].count;
        from[k] = l;
    }
    from[threads] = end;
}

void bal_affinity_place(bal_size *count, int threads, bal_size classes,
                        bal_size *first)
{
    for (bal_size b = 0; b < classes; b++)
        for (int k = 0; k < threads; k++) {
            bal_size here = count[k * classes + b];
            count[k * classes + b] = first[b];
            first[b] += here;
        }
}

/* ---- By tile ---- */

/* Visits the tiles in which a row of A has entries. */
typedef struct piece {
    const bal_csr_row *row;
    const bal_layout *layout;
    bal_size tile, from, to; /* its entries there */
} piece;

static bool next_piece(piece *p)
{
    const bal_csr_row *row = p->row;

    p->from = p->to;
    if (p->from == row->count)
        return false;
    const bal_tile *tile = &p->layout->tile[p->tile];
    while (row->index[p->from] >= tile->first + tile->m)
        tile = &p->layout->tile[++p->tile];
    while (p->to < row->count && row->index[p->to] < tile->first + tile->m)
        p->to++;
    return true;
}

typedef struct tiling {
    const bal_csr *rows;
    bal_affinity *a;
    int threads;
    bal_size *from;  /* [threads + 1] the landmarks of each */
    bal_size *run;   /* [threads, tiles] runs counted, then where they go */
    bal_size *entry; /* [threads, tiles] the same of entries */
} tiling;

static void count_pieces(const tiling *t, int thread)
{
    const bal_layout *layout = t->rows->layout;
    bal_size *run = t->run + thread * layout->tiles;
    bal_size *entry = t->entry + thread * layout->tiles;

    for (bal_size l = t->from[thread]; l < t->from[thread + 1]; l++) {
        piece p = {.row = &t->rows->row[l], .layout = layout};
        while (next_piece(&p)) {
            run[p.tile]++;
            entry[p.tile] += p.to - p.from;
        }
        bal_alive();
    }
}

static void place_pieces(const tiling *t, int thread)
{
    const bal_layout *layout = t->rows->layout;
    bal_size *run = t->run + thread * layout->tiles;
    bal_size *entry = t->entry + thread * layout->tiles;
    bal_affinity *a = t->a;

    for (bal_size l = t->from[thread]; l < t->from[thread + 1]; l++) {
        piece p = {.row = &t->rows->row[l], .layout = layout};
        while (next_piece(&p)) {
            bal_lidx first = layout->tile[p.tile].first;
            bal_size at = entry[p.tile];
            for (bal_size e = p.from; e < p.to; e++) {
                a->row[at] = (uint16_t)(p.row->index[e] - first);
                a->value[at++] = p.row->value[e];
            }
            entry[p.tile] = at;
            a->run[run[p.tile]++] =
                (bal_run){.landmark = (int32_t)l,
                          .end = (int32_t)(at - a->entry_first[p.tile])};
        }
        bal_alive();
    }
}

/* Adds up what the threads count of each tile. */
static void add_counts(const bal_size *count, int threads, bal_size tiles,
                       bal_size *first)
{
    for (int k = 0; k < threads; k++)
        for (bal_size b = 0; b < tiles; b++)
            first[b + 1] += count[k * tiles + b];
    bal_affinity_cumulate(first, tiles);
}

static bal_status count_tiles(tiling *t)
{
    bal_size tiles = t->rows->layout->tiles;
    bal_affinity *a = t->a;
    bal_status st;

    BAL_TRY(bal_alloc(&t->from, t->threads + 1, what));
    BAL_TRY(bal_alloc(&t->run, t->threads * tiles, what));
    BAL_TRY(bal_alloc(&t->entry, t->threads * tiles, what));
    bal_affinity_cut(t->rows, 0, t->rows->m, t->threads, t->from);
#pragma omp parallel for schedule(static, 1) num_threads(t->threads)
    for (int k = 0; k < t->threads; k++)
        count_pieces(t, k);
    add_counts(t->run, t->threads, tiles, a->run_first);
    add_counts(t->entry, t->threads, tiles, a->entry_first);
    BAL_TRY(bal_affinity_make_room(a));
    BAL_TRY(bal_take(&a->run, a->run_first[tiles], what));
done:
    return st;
}

static bal_status place_tiles(tiling *t)
{
    bal_size tiles = t->rows->layout->tiles, *next = NULL;
    bal_status st;

    BAL_TRY(bal_alloc(&next, tiles + 1, what));
    memcpy(next, t->a->run_first, (size_t)tiles * sizeof *next);
    bal_affinity_place(t->run, t->threads, tiles, next);
    memcpy(next, t->a->entry_first, (size_t)tiles * sizeof *next);
    bal_affinity_place(t->entry, t->threads, tiles, next);
#pragma omp parallel for schedule(static, 1) num_threads(t->threads)
    for (int k = 0; k < t->threads; k++)
        place_pieces(t, k);
done:
    bal_free(&next);
    return st;
}

bal_status bal_affinity_by_tile(const bal_csr *rows, const bal_order *order,
                                int threads, bal_affinity **out)
{
    tiling t = {.rows = rows, .threads = threads};
    bal_status st;

    *out = NULL;
    BAL_TRY(bal_affinity_create(rows->m, rows->layout->tiles,
                                order->tile_start, order->batch, &t.a));
    BAL_TRY(count_tiles(&t));
    BAL_TRY(place_tiles(&t));
    *out = t.a;
    t.a = NULL;
done:
    bal_free(&t.from);
    bal_free(&t.run);
    bal_free(&t.entry);
    bal_affinity_destroy(&t.a);
    return st;
}

/* ---- What is asked of it ---- */

bal_size bal_affinity_entries(const bal_affinity *a)
{
    return a->entry_first[a->count];
}

bal_size bal_affinity_most(const bal_affinity *a)
{
    bal_size most = 0;

    for (bal_size b = 0; b < a->count; b++) {
        bal_size here = a->entry_first[b + 1] - a->entry_first[b];
        most = here > most ? here : most;
    }
    return most;
}

void bal_affinity_coverage(const bal_affinity *a, double *sum)
{
    memset(sum, 0, (size_t)a->start[a->count] * sizeof *sum);
    for (bal_size b = 0; b < a->count; b++)
        for (bal_size e = a->entry_first[b]; e < a->entry_first[b + 1]; e++)
            sum[a->start[b] + a->row[e]] += (double)a->value[e];
}

void bal_affinity_row_sizes(bal_comm *c, const bal_affinity *a, int64_t *size)
{
    memset(size, 0, (size_t)a->m * sizeof *size);
    for (bal_size b = 0; b < a->count; b++)
        for (bal_size r = a->run_first[b]; r < a->run_first[b + 1]; r++)
            size[a->run[r].landmark] +=
                bal_run_end(a, b, r) - bal_run_first(a, b, r);
    bal_comm_sum_i64(c, size, a->m);
}

/* An entry on its way to the rank that writes its row. */
typedef struct cell {
    bal_gidx column;
    int32_t row; /* from the first row collected */
    float value;
} cell;

static int by_row_and_column(const void *a, const void *b)
{
    const cell *x = a, *y = b;

    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

bal_size bal_affinity_run_from(const bal_affinity *a, bal_size b,
                               bal_size first)
{
    bal_size low = a->run_first[b], high = a->run_first[b + 1];

    while (low < high) {
        bal_size mid = low + (high - low) / 2;
        if (a->run[mid].landmark < first)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

typedef struct request {
    const bal_affinity *a;
    bal_gidx row;
    bal_size first, count;
    int ranks;
} request;

/* The rank that gets row l of the request. */
static int taker(const request *q, bal_size l)
{
    int r = (int)(l * q->ranks / q->count);

    while (r > 0 && bal_share_first(q->count, r, q->ranks) > l)
        r--;
    while (bal_share_first(q->count, r + 1, q->ranks) <= l)
        r++;
    return r;
}

/* Visits this rank's entries of the rows: counts them for each taker, or puts
 * them where `at` says. */
static void visit(const request *q, bal_size *at, cell *out)
{
    const bal_affinity *a = q->a;

    for (bal_size b = 0; b < a->count; b++) {
        bal_size r = bal_affinity_run_from(a, b, q->first);
        for (; r < a->run_first[b + 1]; r++) {
            bal_size l = a->run[r].landmark - q->first;
            if (l >= q->count)
                break;
            bal_size from = bal_run_first(a, b, r), end = bal_run_end(a, b, r);
            bal_size *here = &at[taker(q, l)];
            if (out == NULL) {
                *here += end - from;
                continue;
            }
            for (bal_size e = from; e < end; e++)
                out[(*here)++] = (cell){q->row + a->start[b] + a->row[e],
                                        (int32_t)l, a->value[e]};
        }
    }
}

static bal_status collect(const request *q, cell **out, bal_size **to,
                          bal_size **from)
{
    bal_status st;
    bal_size *at = NULL, entries = 0;

    BAL_TRY(bal_alloc(to, q->ranks, what));
    BAL_TRY(bal_alloc(from, q->ranks, what));
    BAL_TRY(bal_alloc(&at, q->ranks, what));
    visit(q, *to, NULL);
    for (int r = 0; r < q->ranks; r++) {
        at[r] = entries;
        entries += (*to)[r];
    }
    BAL_TRY(bal_take(out, entries, what));
    visit(q, at, *out);
done:
    bal_free(&at);
    return st;
}

static bal_status unpack(cell *got, bal_size entries, bal_affinity_rows *out)
{
    bal_status st;

    BAL_TRY(bal_take(&out->column, entries, what));
    BAL_TRY(bal_take(&out->value, entries, what));
    if (entries > 0)
        qsort(got, (size_t)entries, sizeof *got, by_row_and_column);
    for (bal_size e = 0; e < entries; e++) {
        out->column[e] = got[e].column;
        out->value[e] = got[e].value;
    }
    out->entries = entries;
done:
    return st;
}

bal_verdict bal_affinity_collect(bal_comm *c, const bal_affinity *a,
                                 bal_gidx row, bal_size first, bal_size count,
                                 bal_affinity_rows *out)
{
    bal_verdict st;
    request q = {a, row, first, count, c->size};
    cell *send = NULL;
    void *got = NULL;
    bal_size *to = NULL, *from = NULL, entries = 0;

    *out = (bal_affinity_rows){
        .rows = bal_share_first(count, c->rank + 1, c->size) -
                bal_share_first(count, c->rank, c->size),
    };
    BAL_TRY(bal_agree(c, collect(&q, &send, &to, &from)));
    BAL_TRY(bal_exchange(c, send, to, sizeof *send, &got, from));
    for (int r = 0; r < c->size; r++)
        entries += from[r];
    BAL_TRY(bal_agree(c, unpack(got, entries, out)));
done:
    if (bal_failed(st))
        bal_affinity_rows_finish(out);
    bal_free(&send);
    bal_free(&to);
    bal_free(&from);
    bal_mem_free(&got);
    return st;
}

void bal_affinity_rows_finish(bal_affinity_rows *r)
{
    bal_free(&r->column);
    bal_free(&r->value);
    r->entries = 0;
}
