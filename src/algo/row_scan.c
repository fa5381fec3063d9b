/* Passes over the tiles: distances, candidates, and their counts.
 *
 * Pass 1 goes through the tiles, which are in batch order. For a tile it
 * computes all W distances to its points into a scratch block that stays in
 * cache, offers them to the W selections of the tile's batch, and compacts what
 * may still matter: a point farther than BAL_AFFINITY_REACH times the k-th
 * smallest distance *so far* cannot reach the affinity floor at the end, since
 * that distance only falls. Threads take runs of tiles; where a run ends inside
 * a batch, its selections are merged with the next thread's.
 *
 * Pass 2 needs the scales. It drops what will not be kept for certain, and
 * counts the rest by bin. For a batch that lies in one thread's run it follows
 * at once, while the candidates are in cache; for others after the k smallest
 * have been merged over threads and ranks.
 *
 * Cost: 3 W p flops a point, then passes over candidates.
 * Reference: docs/algorithm.md. */
#include <math.h>
#include <string.h>

#include "balans/base/watch.h"
#include "balans/kernel/affinity.h"
#include "balans/kernel/distance.h"
#include "row_internal.h"

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

/* Whether the scales of a part's batch follow from this part alone. */
static bool is_whole(const bal_rows *r, bal_size from, bal_size to)
{
    const bal_tile *tile = r->l->tile;

    return !r->local[bal_batch_here(r, from)].split && !(r->par.gate > 0) &&
           (from == 0 || tile[from - 1].batch != tile[from].batch) &&
           (to == r->l->tiles || tile[to].batch != tile[from].batch);
}

/* Has the places fetched where the candidates of the next tile will go,
 * supposing that there are about as many: for so many landmarks at a time the
 * processor does not see where each goes on. */
static void fetch_ahead(const float *value, int count)
{
    for (int e = 0; e <= count; e += BAL_LANES)
        __builtin_prefetch(value + e, 1, 2);
}

/* Distances of a tile to landmarks i .. i + w - 1; none to itself. */
static void measure_tile(const bal_rows *r, bal_size t, int i, int w, float *d2)
{
    const bal_tile *tile = &r->l->tile[t];

    bal_distance_tile(bal_tiles_block(r->z, t), tile->ld, r->z->p,
                      r->landmark + (bal_size)i * r->z->p, w, d2);
    for (int q = 0; q < w; q++) {
        bal_lidx lane = r->self[i + q] - tile->first;
        if (r->self[i + q] >= 0 && lane >= 0 && lane < tile->m)
            d2[(bal_size)q * tile->ld + lane] = INFINITY;
    }
}

/* Pass 1 on one tile: distances, selections, candidates. */
static void scan_tile(bal_rows *r, bal_row_scratch *s, int w, bal_size t)
{
    const bal_tile *tile = &r->l->tile[t];
    float reach = r->par.sparsify == BAL_SCALE ? 1.0f : BAL_AFFINITY_REACH;

    measure_tile(r, t, 0, w, s->d2);
    for (int i = 0; i < w; i++) {
        bal_size at = i * r->l->lanes + s->fill[i];
        int found = bal_kselect_scan(
            &s->select[i], s->d2 + (bal_size)i * tile->ld, tile->m, reach,
            r->value + at, bal_mask_of(r, i, t));
        r->found[i * r->l->tiles + t] = (uint16_t)found;
        s->fill[i] += bal_rows_segment(found);
        fetch_ahead(r->value + at + bal_rows_segment(found), found);
    }
}

/* Pass 2 on the candidates of landmark i in a part: drops those that will not
 * be kept for certain, and counts the others by bin.  @return the place after
 * the last */
static bal_size weigh_part(bal_rows *r, int thread, int i, bal_size from,
                           bal_size to)
{
    bal_row_scratch *s = &r->thread[thread];
    bal_size lb = bal_batch_here(r, from);
    float s2 = r->s2[i * r->locals + lb];
    bal_reach reach = bal_reach_for(s2, r->ratio);
    uint16_t *found = r->found + i * r->l->tiles;
    float *value = r->value + i * r->l->lanes;
    bal_size begin = *bal_place_of(r, i, thread, lb), at = begin, end = begin;

    for (bal_size t = from; t < to; t++) {
        int count = found[t];
        if (count == 0)
            continue;
        found[t] =
            (uint16_t)bal_affinity_sift(value + at, count, bal_mask_of(r, i, t),
                                        &reach, value + end, &s->reaching[i]);
        at += bal_rows_segment(count);
        end += bal_rows_segment(found[t]);
        s->held[i] += found[t];
    }
    if (r->par.sparsify == BAL_ELBOW && s2 >= 0)
        bal_affinity_bin(value + begin, end - begin, s2,
                         bal_bins_of(r, thread, i));
    return end;
}

/* The scale of landmark i for a batch whose points have all been offered. */
static float scale_of(const bal_rows *r, int i, bal_size lb)
{
    const bal_local_batch *b = &r->local[lb];
    bal_size n = bal_batch_size(r->l, b->batch), q = i * r->locals + lb;
    bal_lidx first =
        (bal_lidx)(r->l->batch_first[b->batch] - r->l->rank_first[r->l->rank]);
    bal_size others = n - (r->self[i] >= first && r->self[i] - first < n);
    bal_size k = b->k < others ? b->k : others;

    if (k == 0)
        return -1.0f;
    return k <= r->list_len[q] ? r->list[i * r->lists + b->list + k - 1]
                               : INFINITY;
}

/* Passes 1 and, where the scales are known then, 2 on a part.  Candidates are
 * stored under bounds of this part, which are never too small. */
static void scan_part(bal_rows *r, int thread, int w, bal_size from,
                      bal_size to)
{
    bal_row_scratch *s = &r->thread[thread];
    bal_size lb = bal_batch_here(r, from);

    begin_batch(r, s, w, lb);
    for (int i = 0; i < w; i++)
        *bal_place_of(r, i, thread, lb) = s->fill[i];
    for (bal_size t = from; t < to; t++) {
        scan_tile(r, s, w, t);
        bal_alive();
    }
    if (!is_whole(r, from, to)) {
#pragma omp critical(bal_rows_lists)
        end_batch(r, s, w, lb);
        return;
    }
    end_batch(r, s, w, lb);
    for (int i = 0; i < w; i++) {
        r->s2[i * r->locals + lb] = scale_of(r, i, lb);
        s->fill[i] = weigh_part(r, thread, i, from, to);
    }
}

static void scan_run(bal_rows *r, int thread, int w)
{
    bal_row_scratch *s = &r->thread[thread];
    bal_size to = bal_run_start(r, thread + 1), end;

    memset(s->bins, 0, (size_t)w * BAL_BINS_ROOM * sizeof *s->bins);
    memset(s->held, 0, (size_t)w * sizeof *s->held);
    memset(s->reaching, 0, (size_t)w * sizeof *s->reaching);
    for (bal_size from = bal_run_start(r, thread); from < to; from = end) {
        for (int i = 0; i < w && from == bal_run_start(r, thread); i++)
            s->fill[i] = r->l->tile[from].offset;
        end = bal_part_end(r, from, to);
        scan_part(r, thread, w, from, end);
    }
}

void bal_rows_scan(bal_rows *r, int w)
{
    memset(r->list_len, 0,
           (size_t)(r->locals * r->w_most) * sizeof *r->list_len);
#pragma omp parallel for schedule(static, 1) num_threads(r->threads)
    for (int i = 0; i < r->threads; i++)
        scan_run(r, i, w);
}

/* Pass 2 on the parts that had to wait for other threads or ranks. */
void bal_rows_weigh(bal_rows *r, int w)
{
#pragma omp parallel for schedule(static, 1) num_threads(r->threads)
    for (int k = 0; k < r->threads; k++) {
        bal_size to = bal_run_start(r, k + 1), end;
        for (bal_size from = bal_run_start(r, k); from < to; from = end) {
            end = bal_part_end(r, from, to);
            for (int i = 0; i < w && !is_whole(r, from, end); i++)
                (void)weigh_part(r, k, i, from, end);
        }
    }
}

/* Passes 1 and 2 once more for one landmark, whose scales are known, and for
 * everything that reaches the floor. */
static void recount_run(bal_rows *r, int thread, int i)
{
    bal_row_scratch *s = &r->thread[thread];
    bal_size to = bal_run_start(r, thread + 1), at = 0, end;
    float *value = r->value + i * r->l->lanes;

    memset(bal_bins_of(r, thread, i), 0, BAL_BINS_ROOM * sizeof *s->bins);
    for (bal_size from = bal_run_start(r, thread); from < to; from = end) {
        bal_size lb = bal_batch_here(r, from), begin;
        float s2 = r->s2[i * r->locals + lb];
        end = bal_part_end(r, from, to);
        at = from == bal_run_start(r, thread) ? r->l->tile[from].offset : at;
        *bal_place_of(r, i, thread, lb) = begin = at;
        for (bal_size t = from; t < end; t++) {
            measure_tile(r, t, i, 1, s->d2);
            int found =
                bal_candidates(s->d2, r->l->tile[t].m,
                               bal_reach_for(s2, BAL_AFFINITY_REACH).keep,
                               value + at, bal_mask_of(r, i, t));
            r->found[i * r->l->tiles + t] = (uint16_t)found;
            at += bal_rows_segment(found);
        }
        if (s2 >= 0)
            bal_affinity_bin(value + begin, at - begin, s2,
                             bal_bins_of(r, thread, i));
    }
}

void bal_rows_recount(bal_rows *r, int i)
{
#pragma omp parallel for schedule(static, 1) num_threads(r->threads)
    for (int k = 0; k < r->threads; k++)
        recount_run(r, k, i);
}
