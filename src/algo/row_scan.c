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
#include "balans/kernel/sums.h"
#include "row_internal.h"

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

/* Hands the selections of a part over to the lists. */
static void hand_over(bal_rows *r, bal_row_scratch *s, int w, bal_size lb)
{
    const bal_local_batch *b = &r->local[lb];

    for (int i = 0; i < w; i++)
        bal_kselect_finish(&s->select[i]);
#pragma omp critical(bal_rows_lists)
    for (int i = 0; i < w; i++) {
        bal_size *len = &r->list_len[i * r->locals + lb];
        *len = merge_into(r->list + i * r->lists + b->list, *len, b->room,
                          s->select[i].at, s->select[i].len);
    }
}

/* The scales of a batch of which there is no other part.  Nobody looks at more
 * of its lists than the last element. */
static void find_scales(bal_rows *r, bal_row_scratch *s, int w, bal_size lb)
{
    float kth;

    for (int i = 0; i < w; i++) {
        bal_size n = bal_kselect_last(&s->select[i], &kth);
        if (n > 0)
            r->list[i * r->lists + r->local[lb].list + n - 1] = kth;
        r->list_len[i * r->locals + lb] = n;
        r->s2[i * r->locals + lb] = n > 0 ? kth : -1.0f;
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

/* Pass 1 on one tile for landmarks i .. i + w - 1: distances, selections,
 * candidates. */
static void scan_tile(bal_rows *r, bal_row_scratch *s, int i, int w, bal_size t)
{
    const bal_tile *tile = &r->l->tile[t];
    float reach = r->par.sparsify == BAL_SCALE ? 1.0f : BAL_AFFINITY_REACH;
    const float *d2 = s->d2;

    measure_tile(r, t, i, w, s->d2);
    for (int end = i + w; i < end; i++, d2 += tile->ld) {
        float *value = r->value + i * r->l->lanes + s->fill[i];
        int found = bal_kselect_scan(&s->select[i], d2, tile->m, reach, value,
                                     bal_mask_of(r, i, t));
        r->found[i * r->l->tiles + t] = (uint16_t)found;
        s->fill[i] += bal_rows_segment(found);
        fetch_ahead(value + bal_rows_segment(found), found);
    }
    bal_alive();
}

static bal_size points_of(const bal_rows *r, bal_size from, bal_size to)
{
    const bal_tile *last = &r->l->tile[to - 1];

    return last->first + last->m - r->l->tile[from].first;
}

/* Starts the selection of landmark i in a part. */
static void begin(const bal_rows *r, bal_row_scratch *s, int i, bal_size k)
{
    bal_size cap = bal_kselect_capacity(r->k_most);

    bal_kselect_init(&s->select[i], k, s->buffer + i * cap);
}

/*
 * Bounds to start with where k is a good part of the points: until k points
 * have been seen there is no bound, and until it has come down, far more are
 * selected and cut away again than k.  In a sample of every STRIDE-th tile the
 * k-th smallest is about the (k / STRIDE)-th; some more keep it from being too
 * small, nearly always.  @return whether there are any
 */
static bool guess_bounds(const bal_rows *r, bal_row_scratch *s, int w,
                         bal_size from, bal_size to)
{
    enum { STRIDE = 16, LEAST = 4 * STRIDE, SMALL = 400 };
    bal_size n = points_of(r, from, to);
    bal_size k = r->local[bal_batch_here(r, from)].k;
    double share = (double)k / STRIDE;
    bal_size rank = (bal_size)(share + 3 * sqrt(share)) + 2;

    if (to - from < LEAST || k <= BAL_KSELECT_SORTED || k > n / 4 ||
        k < n / SMALL)
        return false;
    for (int i = 0; i < w; i++)
        begin(r, s, i, rank);
    for (bal_size t = from + STRIDE / 2; t < to; t += STRIDE) {
        measure_tile(r, t, 0, w, s->d2);
        for (int i = 0; i < w; i++)
            bal_kselect_offer(&s->select[i],
                              s->d2 + (bal_size)i * r->l->tile[t].ld,
                              r->l->tile[t].m);
    }
    for (int i = 0; i < w; i++)
        s->guess[i] = bal_kselect_finish(&s->select[i]) == rank
                          ? s->select[i].at[rank - 1]
                          : INFINITY;
    return true;
}

/* Pass 1 on a part: its k smallest, and candidates under bounds of this part,
 * which are never too small.  Where a guess was, landmark and part are scanned
 * again without one. */
static void select_part(bal_rows *r, bal_row_scratch *s, int thread, int w,
                        bal_size from, bal_size to)
{
    bal_size lb = bal_batch_here(r, from), k = r->local[lb].k;
    bool guessed = guess_bounds(r, s, w, from, to);

    for (int i = 0; i < w; i++) {
        *bal_place_of(r, i, thread, lb) = s->fill[i];
        begin(r, s, i, k);
        if (guessed)
            s->select[i].bound = s->guess[i];
    }
    for (bal_size t = from; t < to; t++)
        scan_tile(r, s, 0, w, t);
    for (int i = 0; i < w; i++) {
        if (guessed && s->select[i].len < k) {
            s->fill[i] = *bal_place_of(r, i, thread, lb);
            begin(r, s, i, k);
            for (bal_size t = from; t < to; t++)
                scan_tile(r, s, i, 1, t);
        }
    }
}

/* Pass 2 on the candidates of landmark i in a part: drops those that will not
 * be kept for certain, and counts the others by bin.  Where the scale decides
 * what is kept, there are few of them, and their number is all that is wanted.
 * @return the place after the last */
static bal_size weigh_part(bal_rows *r, int thread, int i, bal_size from,
                           bal_size to)
{
    bal_row_scratch *s = &r->thread[thread];
    bal_size lb = bal_batch_here(r, from);
    bal_reach reach = bal_reach_for(r->s2[i * r->locals + lb], r->ratio);
    bool sift = r->par.sparsify == BAL_ELBOW;
    uint16_t *found = r->found + i * r->l->tiles;
    float *value = r->value + i * r->l->lanes;
    bal_size start = *bal_place_of(r, i, thread, lb), at = start, end = start;

    for (bal_size t = from; t < to; t++) {
        int count = found[t];
        if (sift && count > 0)
            found[t] = (uint16_t)bal_affinity_sift(
                value + at, count, bal_mask_of(r, i, t), &reach, value + end,
                &s->reaching[i]);
        at += bal_rows_segment(count);
        end += bal_rows_segment(found[t]);
    }
    if (sift && reach.s2 >= 0)
        bal_affinity_bin(value + start, end - start, reach.s2,
                         bal_bins_of(r, thread, i));
    if (!sift)
        s->held[i] +=
            bal_count_up_to(value + start, (int)(end - start), reach.keep);
    return end;
}

/* Passes 1 and, where the scales are known then, 2 on a part. */
static void scan_part(bal_rows *r, int thread, int w, bal_size from,
                      bal_size to)
{
    bal_row_scratch *s = &r->thread[thread];
    bal_size lb = bal_batch_here(r, from);

    select_part(r, s, thread, w, from, to);
    if (!is_whole(r, from, to)) {
        hand_over(r, s, w, lb);
        return;
    }
    find_scales(r, s, w, lb);
    for (int i = 0; i < w; i++)
        s->fill[i] = weigh_part(r, thread, i, from, to);
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
        bal_size lb = bal_batch_here(r, from), start;
        float s2 = r->s2[i * r->locals + lb];
        end = bal_part_end(r, from, to);
        at = from == bal_run_start(r, thread) ? r->l->tile[from].offset : at;
        *bal_place_of(r, i, thread, lb) = start = at;
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
            bal_affinity_bin(value + start, at - start, s2,
                             bal_bins_of(r, thread, i));
    }
}

void bal_rows_recount(bal_rows *r, int i)
{
#pragma omp parallel for schedule(static, 1) num_threads(r->threads)
    for (int k = 0; k < r->threads; k++)
        recount_run(r, k, i);
}
