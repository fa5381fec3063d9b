/* The scales s2(i, b) of W landmarks: the k-th smallest distance in each batch.
 *
 * Batches that lie on one rank need no communication: their k-th smallest is in
 * that rank's list. Lists of batches that several ranks hold are merged by one
 * reduction (par/kmerge), and with a gate the list of the landmark's own batch
 * goes along, since every rank compares with its scale. Lists that do not exist
 * on a rank are empty there.
 *
 * Memory: W (split batches) k floats. Reference: docs/algorithm.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/kmerge.h"
#include "row_internal.h"

__extension__ typedef unsigned __int128 wide;

/* ceil(share * size), exactly: the digits of the share as an integer. */
static bal_size part_of(double share, bal_size size)
{
    enum { DIGITS = 15, FAR = 36 };
    char text[32];
    int64_t digits = 0;
    wide unit = 1;

    /* d.dddddddddddddde-xx */
    snprintf(text, sizeof text, "%.*e", DIGITS - 1, share);
    for (const char *at = text; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits = 10 * digits + (*at - '0');
    long zeros = DIGITS - 1 - strtol(strchr(text, 'e') + 1, NULL, 10);
    if (zeros > FAR) /* far below one point, whatever the size */
        return 1;
    for (long i = 0; i < zeros; i++)
        unit *= 10;
    return (bal_size)(((wide)digits * (wide)size + unit - 1) / unit);
}

bal_size bal_neighbors_in(bal_neighbors neighbors, bal_size batch_size)
{
    bal_size part =
        neighbors.share > 0 ? part_of(neighbors.share, batch_size) : 1;

    part = part > 1 ? part : 1;
    return neighbors.k > part ? neighbors.k : part;
}

bal_status bal_scales_create(bal_rows *r, int w)
{
    bal_status st = BAL_OK;
    bal_size rows = w * r->merges;

    BAL_TRY(bal_alloc(&r->raw, w * r->locals, "scales"));
    BAL_TRY(bal_alloc(&r->kth, rows, "merging neighbours"));
    if (r->k_merge <= BAL_KMERGE_MOST) {
        BAL_TRY(bal_alloc(&r->merge, rows * r->k_merge, "merging neighbours"));
        goto done;
    }
    BAL_TRY(bal_alloc(&r->counting.value, rows, "counting neighbours"));
    BAL_TRY(bal_alloc(&r->counting.count, rows, "counting neighbours"));
    BAL_TRY(bal_alloc(&r->counting.k, rows, "counting neighbours"));
    BAL_TRY(bal_alloc(&r->counting.work, rows * BAL_KRADIX_WORK,
                      "counting neighbours"));
done:
    return st;
}

void bal_scales_destroy(bal_rows *r)
{
    bal_free(&r->raw);
    bal_free(&r->kth);
    bal_free(&r->merge);
    bal_free(&r->counting.value);
    bal_free(&r->counting.count);
    bal_free(&r->counting.k);
    bal_free(&r->counting.work);
}

/* Neighbours a landmark at `pos` can have at most in batch b. */
static bal_size neighbours_in(const bal_rows *r, bal_gidx pos, bal_size b)
{
    bal_size k = bal_rows_wanted(r->l, &r->par, b);
    bal_size n = bal_batch_size(r->l, b);

    if (bal_layout_batch(r->l, pos) == b)
        n--;
    return k < n ? k : n;
}

/* The local number of batch b, -1 where this rank holds nothing of it. */
static bal_size local_number(const bal_rows *r, bal_size b)
{
    bal_size lb = r->locals > 0 ? b - r->local[0].batch : -1;

    return lb < r->locals ? lb : -1;
}

/* Scales of batches that lie on this rank alone. */
static void find_local(bal_rows *r, int w, const bal_gidx *pos)
{
    for (int i = 0; i < w; i++)
        for (bal_size lb = 0; lb < r->locals; lb++) {
            const bal_local_batch *b = &r->local[lb];
            bal_size k = neighbours_in(r, pos[i], b->batch);
            if (!b->split)
                r->s2[i * r->locals + lb] =
                    k > 0 ? r->list[i * r->lists + b->list + k - 1] : -1.0f;
        }
}

/* The batch of merged list q of a landmark at `pos`. */
static bal_size batch_of(const bal_rows *r, bal_gidx pos, bal_size q)
{
    return q < r->splits ? r->split[q] : bal_layout_batch(r->l, pos);
}

/* This rank's list of batch b for landmark i. */
static const float *list_of(const bal_rows *r, int i, bal_size b,
                            bal_size *count)
{
    bal_size lb = local_number(r, b);

    *count = 0;
    if (lb < 0)
        return NULL;
    *count = r->list_len[i * r->locals + lb];
    return r->list + i * r->lists + r->local[lb].list;
}

static void merge_lists(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos)
{
    bal_size k = r->k_merge, rows = w * r->merges, count;

    for (bal_size i = 0; i < rows * k; i++)
        r->merge[i] = INFINITY;
    for (bal_size i = 0; i < rows; i++) {
        int mark = (int)(i / r->merges);
        bal_size b = batch_of(r, pos[mark], i % r->merges);
        const float *list = list_of(r, mark, b, &count);
        if (count > 0)
            memcpy(r->merge + i * k, list, (size_t)count * sizeof *list);
    }
    bal_kmerge(c, r->merge, rows, (int)k);
    for (bal_size i = 0; i < rows; i++) {
        bal_gidx p = pos[i / r->merges];
        bal_size want = neighbours_in(r, p, batch_of(r, p, i % r->merges));
        r->kth[i] = want > 0 ? r->merge[i * k + want - 1] : -1.0f;
    }
}

static void count_lists(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos)
{
    bal_counting *a = &r->counting;
    bal_size rows = w * r->merges;

    for (bal_size i = 0; i < rows; i++) {
        int mark = (int)(i / r->merges);
        bal_size b = batch_of(r, pos[mark], i % r->merges);
        bal_size want = neighbours_in(r, pos[mark], b);
        a->value[i] = list_of(r, mark, b, &a->count[i]);
        a->k[i] = want > 0 ? want : 1;
    }
    bal_kradix(c, a->value, a->count, a->k, rows, a->work, r->kth);
    for (bal_size i = 0; i < rows; i++) {
        bal_gidx p = pos[i / r->merges];
        if (neighbours_in(r, p, batch_of(r, p, i % r->merges)) == 0)
            r->kth[i] = -1.0f;
    }
}

/* A batch beyond the gate gets the scale -1: none of its entries count. */
static void close_gates(bal_rows *r, int i, float own, bal_size own_batch)
{
    if (!(own > 0))
        return;
    for (bal_size lb = 0; lb < r->locals; lb++) {
        float *s2 = &r->s2[i * r->locals + lb];
        if (r->local[lb].batch != own_batch &&
            (double)*s2 > r->par.gate * (double)own)
            *s2 = -1.0f;
    }
}

/* Scales of batches that several ranks hold. */
static void find_split(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos)
{
    if (r->k_merge <= BAL_KMERGE_MOST)
        merge_lists(c, r, w, pos);
    else
        count_lists(c, r, w, pos);
    for (int i = 0; i < w; i++)
        for (bal_size q = 0; q < r->splits; q++) {
            bal_size lb = local_number(r, r->split[q]);
            if (lb >= 0)
                r->s2[i * r->locals + lb] = r->kth[i * r->merges + q];
        }
}

void bal_scales_find(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos)
{
    bal_size scales = w * r->locals;

    find_local(r, w, pos);
    if (r->merges > 0)
        find_split(c, r, w, pos);
    if (scales > 0)
        memcpy(r->raw, r->s2, (size_t)scales * sizeof *r->raw);
    for (int i = 0; i < w && r->par.gate > 0; i++)
        close_gates(r, i, r->kth[(i + 1) * r->merges - 1],
                    bal_layout_batch(r->l, pos[i]));
}

const float *bal_rows_scales(const bal_rows *r, int i, bal_size *first_batch,
                             bal_size *batches)
{
    *first_batch = r->locals > 0 ? r->local[0].batch : 0;
    *batches = r->locals;
    return r->raw + i * r->locals;
}
