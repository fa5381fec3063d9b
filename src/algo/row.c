/* Affinity rows of W landmarks at a time.
 *
 *     d2(i, j) = |z_i - z_j|^2
 *     s2(i, b) = k-th smallest d2(i, j) over j != i in batch b
 *     a(i, j)  = exp(-d2 / s2(i, b_j))
 *
 * Pass 1 goes through the tiles, which are in batch order. For a tile it
 * computes all W distances to its points into a scratch block that stays in
 * cache, offers them to the W selections of the tile's batch, and compacts what
 * may still matter: a point farther than BAL_AFFINITY_REACH times the k-th
 * smallest distance *so far* cannot reach the affinity floor at the end, since
 * that distance only falls. Threads take runs of tiles; where a run ends inside
 * a batch, its selections are merged with the next thread's.
 *
 * Then the k smallest of batches that several ranks hold are merged over ranks,
 * which gives the scales; pass 2 turns candidates into affinities and counts
 * them by bin; the counts of all ranks give the elbow; pass 3 gathers.
 *
 * The point itself is no candidate: its distance is set to infinity in pass 1,
 * and its entry, 1, is added in pass 3.
 *
 * Memory for W landmarks: 4 bytes and a bit a point and landmark for candidates
 * where tiles are full, else a bit for each place of a tile (the bytes touched
 * only where there are some), lists of the k smallest, and scratch per thread.
 * Cost: 3 W p flops a point, then passes over candidates.
 * Reference: arXiv 2601.22331, Definition 1, Algorithm 3; docs/algorithm.md. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/watch.h"
#include "balans/kernel/affinity.h"
#include "balans/kernel/distance.h"
#include "row_internal.h"

/* Coordinates and positions of the landmarks, from their owners to all: the
 * owner fills in words, the others leave them 0, and all are or-ed. */
void bal_rows_place(bal_comm *c, bal_rows *r, int w, bal_gidx *pos)
{
    int p = r->z->p;
    bal_gidx first = r->l->rank_first[r->l->rank];

    memset(r->word, 0, (size_t)w * (size_t)(p + 2) * sizeof *r->word);
    for (int i = 0; i < w; i++) {
        uint32_t *word = r->word + (bal_size)i * (p + 2);
        r->self[i] = pos[i] >= 0 ? (bal_lidx)(pos[i] - first) : -1;
        if (r->self[i] < 0)
            continue;
        bal_tiles_point(r->z, r->self[i], r->landmark + (bal_size)i * p);
        memcpy(word, r->landmark + (bal_size)i * p, (size_t)p * sizeof *word);
        word[p] = (uint32_t)pos[i];
        word[p + 1] = (uint32_t)(pos[i] >> 32);
    }
    bal_comm_or_u32(c, r->word, (bal_size)w * (p + 2));
    for (int i = 0; i < w; i++) {
        const uint32_t *word = r->word + (bal_size)i * (p + 2);
        memcpy(r->landmark + (bal_size)i * p, word, (size_t)p * sizeof *word);
        pos[i] = (bal_gidx)(word[p] | (uint64_t)word[p + 1] << 32);
    }
}

int bal_rows_pick(bal_rows *r, int w, const bool *want, bal_gidx *pos)
{
    int p = r->z->p, count = 0;

    for (int i = 0; i < w; i++) {
        if (!want[i])
            continue;
        memmove(r->landmark + (bal_size)count * p,
                r->landmark + (bal_size)i * p,
                (size_t)p * sizeof *r->landmark);
        r->self[count] = r->self[i];
        pos[count++] = pos[i];
    }
    return count;
}

/* Starts the selections of a batch in one thread. */
static void begin_batch(const bal_rows *r, bal_row_scratch *s, int w,
                        bal_size lb)
{
    bal_size k = r->local[lb].k, cap = bal_kselect_capacity(k);

    for (int i = 0; i < w; i++)
        bal_kselect_init(&s->select[i], k, s->buffer + i * cap);
}

/* Merges ascending `from` into the ascending list in place, keeping at most
 * `room`.  @return the new length */
static bal_size merge_into(float *list, bal_size len, bal_size room,
                           const float *from, bal_size count)
{
    bal_size total = len + count < room ? len + count : room;

    /* Drop the largest until both fit, then merge from the back. */
    while (len + count > total) {
        if (count > 0 && (len == 0 || from[count - 1] >= list[len - 1]))
            count--;
        else
            len--;
    }
    for (bal_size at = total; count > 0;) {
        at--;
        if (len > 0 && list[len - 1] > from[count - 1])
            list[at] = list[--len];
        else
            list[at] = from[--count];
    }
    return total;
}

/* Hands the selections of a thread's part of a batch over to the lists. */
static void end_batch(bal_rows *r, bal_row_scratch *s, int w, bal_size lb)
{
    const bal_local_batch *b = &r->local[lb];

    for (int i = 0; i < w; i++) {
        bal_size n = bal_kselect_finish(&s->select[i]);
        bal_size *len = &r->list_len[i * r->locals + lb];
        *len = merge_into(r->list + i * r->lists + b->list, *len, b->room,
                          s->select[i].at, n);
    }
}

/* Which lanes of a tile are candidates of landmark i. */
static uint64_t *mask_of(const bal_rows *r, int i, bal_size tile)
{
    return r->mask + (i * r->l->tiles + tile) * BAL_MASK_WORDS;
}

/* Has the places fetched where the candidates of the next tile will go,
 * supposing that there are about as many: for so many landmarks at a time the
 * processor does not see where each goes on. */
static void fetch_ahead(const float *value, int count)
{
    for (int e = 0; e <= count; e += BAL_LANES)
        __builtin_prefetch(value + e, 1, 2);
}

/* Pass 1 on one tile: distances, selections, candidates. */
static void scan_tile(bal_rows *r, bal_row_scratch *s, int w, bal_size t)
{
    const bal_tile *tile = &r->l->tile[t];
    float reach = r->par.sparsify == BAL_SCALE ? 1.0f : BAL_AFFINITY_REACH;

    bal_distance_tile(bal_tiles_block(r->z, t), tile->ld, r->z->p, r->landmark,
                      w, s->d2);
    for (int i = 0; i < w; i++) {
        float *d2 = s->d2 + (bal_size)i * tile->ld;
        bal_size at = i * r->l->lanes + s->fill[i];
        bal_lidx lane = r->self[i] - tile->first;
        if (r->self[i] >= 0 && lane >= 0 && lane < tile->m)
            d2[lane] = INFINITY;
        int found = bal_kselect_scan(&s->select[i], d2, tile->m, reach,
                                     r->value + at, mask_of(r, i, t));
        r->found[i * r->l->tiles + t] = (uint16_t)found;
        s->fill[i] += bal_rows_segment(found);
        fetch_ahead(r->value + at + bal_rows_segment(found), found);
    }
}

/* Pass 1 on a run of tiles in one thread.  Candidates are stored under bounds
 * of this thread's part of the batch, which are never too small. */
static void scan_run(bal_rows *r, bal_row_scratch *s, int w, bal_size from,
                     bal_size to)
{
    bal_size current = -1;

    for (int i = 0; i < w && from < to; i++)
        s->fill[i] = r->l->tile[from].offset;
    for (bal_size t = from; t < to; t++) {
        bal_size lb = r->l->tile[t].batch - r->local[0].batch;
        if (lb != current) {
            if (current >= 0) {
#pragma omp critical(bal_rows_lists)
                end_batch(r, s, w, current);
            }
            begin_batch(r, s, w, lb);
            current = lb;
        }
        scan_tile(r, s, w, t);
        bal_alive();
    }
    if (current >= 0) {
#pragma omp critical(bal_rows_lists)
        end_batch(r, s, w, current);
    }
}

/* The i-th of `parts` nearly equal runs of tiles. */
static bal_size run_start(const bal_rows *r, int i)
{
    return r->l->tiles * i / r->threads;
}

static void scan(bal_rows *r, int w)
{
    memset(r->list_len, 0,
           (size_t)(r->locals * r->w_most) * sizeof *r->list_len);
#pragma omp parallel for schedule(static, 1) num_threads(r->threads)
    for (int i = 0; i < r->threads; i++)
        scan_run(r, &r->thread[i], w, run_start(r, i), run_start(r, i + 1));
}

/* Pass 2 on the candidates of one landmark in one batch, `count` of them. */
static bal_size weigh_batch(const bal_rows *r, float *value, bal_size count,
                            float s2, uint32_t *bins)
{
    if (s2 < 0) /* no neighbour in this batch, or beyond the gate */
        memset(value, 0, (size_t)count * sizeof *value);
    else if (r->par.sparsify == BAL_SCALE)
        return bal_affinity_within(value, count, s2);
    else
        bal_affinity_bin(value, count, s2, bins);
    return 0;
}

/* Pass 2 on the candidates of landmark i in a run of tiles.  @return how many
 * are within the scale, where that is what is kept */
static bal_size weigh_run(bal_rows *r, int i, bal_size from, bal_size to,
                          uint32_t *bins)
{
    const uint16_t *found = r->found + i * r->l->tiles;
    const float *s2 = r->s2 + i * r->locals;
    bal_size at = i * r->l->lanes + (from < to ? r->l->tile[from].offset : 0);
    bal_size within = 0;

    for (bal_size t = from; t < to;) {
        int32_t batch = r->l->tile[t].batch;
        bal_size start = at;
        for (; t < to && r->l->tile[t].batch == batch; t++)
            at += bal_rows_segment(found[t]);
        within += weigh_batch(r, r->value + start, at - start,
                              s2[batch - r->local[0].batch], bins);
    }
    return within;
}

static void weigh(bal_rows *r, int w)
{
#pragma omp parallel for schedule(static, 1) num_threads(r->threads)
    for (int k = 0; k < r->threads; k++) {
        uint32_t *bins = r->thread[k].bins;
        memset(bins, 0, (size_t)w * BAL_BINS_ROOM * sizeof *bins);
        for (int i = 0; i < w; i++)
            r->thread[k].within[i] =
                weigh_run(r, i, run_start(r, k), run_start(r, k + 1),
                          bins + (bal_size)i * BAL_BINS_ROOM);
    }
}

/* The affinity from which each row keeps its entries. */
static void find_thresholds(bal_comm *c, bal_rows *r, int w)
{
    for (int i = 0; i < w; i++)
        r->threshold[i] = FLT_MIN; /* whatever is not 0 */
    if (r->par.sparsify == BAL_SCALE)
        return;
    memset(r->bins, 0, (size_t)w * BAL_BINS * sizeof *r->bins);
    for (int i = 0; i < w; i++) {
        int64_t *bins = r->bins + (bal_size)i * BAL_BINS;
        for (int t = 0; t < r->threads; t++) {
            const uint32_t *part =
                r->thread[t].bins + (bal_size)i * BAL_BINS_ROOM;
            for (int h = 0; h < BAL_BINS; h++)
                bins[h] += part[h];
        }
        bins[BAL_BINS - 1] += r->self[i] >= 0; /* the landmark itself */
    }
    bal_comm_sum_i64(c, r->bins, (bal_size)w * BAL_BINS);
    for (int i = 0; i < w; i++) {
        r->elbow[i] = bal_elbow(r->bins + (bal_size)i * BAL_BINS);
        r->threshold[i] = bal_affinity_edges()[r->elbow[i]];
    }
}

/* Entries of landmark i that this rank will keep, itself not counted: from this
 * rank's part of the histogram, or all that is left where there is none. */
static bal_size count_kept(const bal_rows *r, int i)
{
    bal_size count = 0;

    if (r->par.sparsify == BAL_SCALE) {
        for (int k = 0; k < r->threads; k++)
            count += r->thread[k].within[i];
        return count;
    }
    for (int k = 0; k < r->threads; k++) {
        const uint32_t *bins =
            r->thread[k].bins + (bal_size)i * BAL_BINS_ROOM;
        for (int h = r->elbow[i]; h < BAL_BINS; h++)
            count += bins[h];
    }
    return count;
}

/* Puts the landmark itself among its `n` entries in a tile. */
static void insert_self(bal_lidx self, int n, float *value, bal_lidx *index)
{
    int place = n;

    for (; place > 0 && index[place - 1] > self; place--) {
        index[place] = index[place - 1];
        value[place] = value[place - 1];
    }
    index[place] = self;
    value[place] = 1.0f;
}

/* Pass 3 for one landmark and one run of tiles, from entry `at` of the row on.
 * @return the entry after the last */
static bal_size gather_run(const bal_rows *r, int i, bal_size from, bal_size to,
                           bal_size at, bal_csr_row *out)
{
    const uint16_t *found = r->found + i * r->l->tiles;
    bal_size place =
        i * r->l->lanes + (from < to ? r->l->tile[from].offset : 0);
    bal_lidx self = r->self[i];

    for (bal_size t = from; t < to; t++) {
        const bal_tile *tile = &r->l->tile[t];
        int n = 0;
        if (found[t] > 0)
            n = bal_affinity_keep(r->value + place, mask_of(r, i, t), found[t],
                                  r->threshold[i], tile->first,
                                  out->value + at, out->index + at);
        if (self >= tile->first && self < tile->first + tile->m)
            insert_self(self, n++, out->value + at, out->index + at);
        at += n;
        place += bal_rows_segment(found[t]);
    }
    return at;
}

static bal_status gather(const bal_rows *r, int i, bal_csr_row *out)
{
    bal_size entries = count_kept(r, i) + (r->self[i] >= 0), at = 0;
    bal_status st = bal_csr_row_create(out, entries);

    if (bal_failed(st))
        return st;
    for (int k = 0; k < r->threads; k++)
        at = gather_run(r, i, run_start(r, k), run_start(r, k + 1), at, out);
    BAL_REQUIRE(at == entries);
    return BAL_OK;
}

/* Threads keep their own record of a failure, so only the status comes back. */
static bal_status gather_all(const bal_rows *r, int w, bal_csr_row *out)
{
    int failed = 0;

#pragma omp parallel for schedule(dynamic, 1) num_threads(r->threads) \
    reduction(| : failed)
    for (int i = 0; i < w; i++)
        failed |= bal_failed(gather(r, i, &out[i]));
    if (failed)
        return BAL_FAIL(BAL_ENOMEM, "cannot get memory for rows of affinities; "
                                    "use more ranks on more hosts");
    return BAL_OK;
}

void bal_rows_compute(bal_comm *c, bal_rows *r, int w, bal_gidx *pos,
                      bal_csr_row *out, bal_status *mine)
{
    BAL_REQUIRE(w >= 1 && w <= r->w_most);
    bal_rows_place(c, r, w, pos);
    bal_rows_fill(c, r, w, pos, out, mine);
}

void bal_rows_fill(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos,
                   bal_csr_row *out, bal_status *mine)
{
    for (int i = 0; i < w; i++)
        out[i] = (bal_csr_row){0};
    scan(r, w);
    bal_scales_find(c, r, w, pos);
    weigh(r, w);
    find_thresholds(c, r, w);
    for (int i = 0; i < w; i++)
        out[i].landmark = pos[i];
    if (!bal_failed(*mine))
        *mine = bal_fault("row");
    if (!bal_failed(*mine))
        *mine = gather_all(r, w, out);
}
