/* Affinity rows of W landmarks at a time.
 *
 *     d2(i, j) = |z_i - z_j|^2
 *     s2(i, b) = k-th smallest d2(i, j) over j != i in batch b
 *     a(i, j)  = exp(-d2 / s2(i, b_j))
 *
 * Pass 1 computes distances, selects, and stores candidates; pass 2 drops what
 * will not be kept and counts the rest by bin (row_scan.c). Between them the k
 * smallest are merged over threads and ranks (row_scale.c). The counts of all
 * ranks give the elbow; pass 3 gathers, and only what it keeps gets an
 * exponential.
 *
 * Nearly all entries that reach the floor lie far below the elbow. Their number
 * is needed, their bins hardly ever: from rows before follows a bin below which
 * nothing is counted one by one, and bal_elbow() says whether the bend can lie
 * there. If so, the row's distances are computed once more and counted in full.
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
#include "balans/kernel/affinity.h"
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

/* This rank's histogram of landmark i.  Bins below `first`, of which not all
 * has been counted, stand together in the lowest. */
static void add_bins(bal_rows *r, int i, int first)
{
    int64_t *bins = r->bins + (bal_size)i * BAL_BINS, rest = 0;

    for (int t = 0; t < r->threads; t++) {
        const uint32_t *part = bal_bins_of(r, t, i);
        for (int h = first; h < BAL_BINS; h++)
            bins[h] += bal_bins_at(part, h);
        rest += r->thread[t].reaching[i];
    }
    for (int h = first; h < BAL_BINS && first > 0; h++)
        rest -= bins[h];
    if (first > 0)
        bins[0] = rest;
    bins[BAL_BINS - 1] += r->self[i] >= 0; /* the landmark itself */
}

/* Elbows of the rows whose bend may lie among the bins that were not counted:
 * these rows are counted in full.  Collective, as all ranks see the same. */
static void find_low_elbows(bal_comm *c, bal_rows *r, int w)
{
    int low = 0;

    for (int i = 0; i < w; i++)
        low += r->elbow[i] < 0;
    if (low == 0)
        return;
    memset(r->bins, 0, (size_t)w * BAL_BINS * sizeof *r->bins);
    for (int i = 0; i < w; i++)
        if (r->elbow[i] < 0) {
            bal_rows_recount(r, i);
            add_bins(r, i, 0);
        }
    bal_comm_sum_i64(c, r->bins, (bal_size)w * BAL_BINS);
    for (int i = 0; i < w; i++)
        if (r->elbow[i] < 0)
            r->elbow[i] = bal_elbow(r->bins + (bal_size)i * BAL_BINS, 0);
}

/*
 * The bin from which a row like row i is best counted.  With b bins counted
 * below the bend h*, no bin below these can be the bend where they hold more
 * than h* N / H entries (see bal_elbow()); twice that is safe for rows that
 * differ a little.
 */
static int count_from(const bal_rows *r, int i)
{
    const int64_t *bins = r->bins + (bal_size)i * BAL_BINS;
    int64_t total = 0, held = 0;
    int h = r->elbow[i];

    for (int q = 0; q < BAL_BINS; q++)
        total += bins[q];
    while (h > r->first && held * BAL_BINS <= 2 * r->elbow[i] * total)
        held += bins[--h];
    return held * BAL_BINS > 2 * r->elbow[i] * total ? h : h / 2;
}

/* The affinity from which each row keeps its entries. */
static void find_thresholds(bal_comm *c, bal_rows *r, int w)
{
    int next = BAL_BINS;

    for (int i = 0; i < w; i++)
        r->threshold[i] = FLT_MIN; /* whatever is not 0 */
    if (r->par.sparsify == BAL_SCALE)
        return;
    memset(r->bins, 0, (size_t)w * BAL_BINS * sizeof *r->bins);
    for (int i = 0; i < w; i++)
        add_bins(r, i, r->first);
    bal_comm_sum_i64(c, r->bins, (bal_size)w * BAL_BINS);
    for (int i = 0; i < w; i++) {
        r->elbow[i] = bal_elbow(r->bins + (bal_size)i * BAL_BINS, r->first);
        int from = r->elbow[i] < 0 ? r->first / 2 : count_from(r, i);
        next = from < next ? from : next;
    }
    find_low_elbows(c, r, w);
    for (int i = 0; i < w; i++)
        r->threshold[i] = bal_affinity_edges()[r->elbow[i]];
    r->first = next;
    r->ratio = bal_affinity_ratio(bal_affinity_edges()[next]);
}

/* Entries of landmark i that this rank will keep, itself not counted: from this
 * rank's part of the histogram, or all that is left where there is none. */
static bal_size count_kept(const bal_rows *r, int i)
{
    bal_size count = 0;

    for (int k = 0; k < r->threads; k++) {
        if (r->par.sparsify == BAL_SCALE)
            count += r->thread[k].held[i];
        else
            for (int h = r->elbow[i]; h < BAL_BINS; h++)
                count += bal_bins_at(bal_bins_of(r, k, i), h);
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

/* Pass 3 for one landmark and one part, from entry `at` of the row on.
 * @return the entry after the last */
static bal_size gather_part(const bal_rows *r, int i, int thread, bal_size from,
                            bal_size to, bal_size at, bal_csr_row *out)
{
    const uint16_t *found = r->found + i * r->l->tiles;
    bal_size lb = bal_batch_here(r, from),
             place = *bal_place_of(r, i, thread, lb);
    const float *value = r->value + i * r->l->lanes;
    float ratio = r->par.sparsify == BAL_SCALE
                      ? 1.0f
                      : bal_affinity_ratio(r->threshold[i]);
    bal_reach reach = bal_reach_for(r->s2[i * r->locals + lb], ratio);
    bal_lidx self = r->self[i];

    for (bal_size t = from; t < to; t++) {
        const bal_tile *tile = &r->l->tile[t];
        int n = 0;
        if (found[t] > 0)
            n = bal_affinity_keep(value + place, bal_mask_of(r, i, t), found[t],
                                  &reach, r->threshold[i], tile->first,
                                  out->value + at, out->index + at);
        if (self >= tile->first && self < tile->first + tile->m)
            insert_self(self, n++, out->value + at, out->index + at);
        at += n;
        place += bal_rows_segment(found[t]);
    }
    return at;
}

static bal_size gather_run(const bal_rows *r, int i, int thread, bal_size at,
                           bal_csr_row *out)
{
    bal_size to = bal_run_start(r, thread + 1), end;

    for (bal_size from = bal_run_start(r, thread); from < to; from = end) {
        end = bal_part_end(r, from, to);
        at = gather_part(r, i, thread, from, end, at, out);
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
        at = gather_run(r, i, k, at, out);
    BAL_REQUIRE(at == entries);
    return BAL_OK;
}

/* Threads keep their own record of a failure, so only the status comes back. */
static bal_status gather_all(const bal_rows *r, int w, bal_csr_row *out)
{
    int failed = 0;

#pragma omp parallel for schedule(dynamic, 1) num_threads(r->threads) \
    reduction(|                                                       \
              : failed)
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
    bal_rows_scan(r, w);
    bal_scales_find(c, r, w, pos);
    bal_rows_weigh(r, w);
    find_thresholds(c, r, w);
    for (int i = 0; i < w; i++)
        out[i].landmark = pos[i];
    if (!bal_failed(*mine))
        *mine = bal_fault("row");
    if (!bal_failed(*mine))
        *mine = gather_all(r, w, out);
}
