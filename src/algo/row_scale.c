/* The scales s2(i, b) of W landmarks: the k-th smallest distance in each batch.
 *
 * Batches that lie on one rank need no communication: their k-th smallest is in
 * that rank's list. The ranks that share a batch search it together
 * (par/select). With a gate every rank has to compare with the scale of the
 * landmark's own batch, so those that know it tell the others: W floats.
 *
 * Reference: docs/algorithm.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
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

/* The largest k for each shared batch. */
static void largest(const bal_layout *l, const bal_row_params *par,
                    bal_size k[2])
{
    bal_size batch[2];
    int shares = bal_select_batches(l, batch);

    k[0] = k[1] = 0;
    for (int x = 0; x < shares; x++)
        k[x] = bal_rows_wanted(l, par, batch[x]);
}

bal_size bal_scales_memory(const bal_layout *l, const bal_row_params *par,
                           int w)
{
    bal_size k[2];

    largest(l, par, k);
    return bal_select_memory(l, k, w) + 36 * w;
}

bal_status bal_scales_create(bal_rows *r, int w)
{
    bal_status st;
    bal_size k[2], batch[2];

    largest(r->l, &r->par, k);
    r->shares = bal_select_batches(r->l, batch);
    for (int x = 0; x < r->shares; x++)
        r->shared[x] = batch[x] - r->local[0].batch;
    BAL_TRY(bal_select_create(r->l, k, w, &r->select));
    BAL_TRY(bal_alloc(&r->raw, w * r->locals, "scales"));
    BAL_TRY(bal_alloc(&r->want, 2 * (bal_size)w, "scales"));
    BAL_TRY(bal_alloc(&r->kth, 2 * (bal_size)w, "scales"));
    BAL_TRY(bal_alloc(&r->own, w, "scales"));
    BAL_TRY(bal_alloc(&r->found_first, 2 * (bal_size)w, "scales"));
done:
    return st;
}

void bal_scales_destroy(bal_rows *r)
{
    bal_select_destroy(&r->select);
    bal_free(&r->raw);
    bal_free(&r->want);
    bal_free(&r->kth);
    bal_free(&r->own);
    bal_free(&r->found_first);
}

/* Neighbours that a landmark of batch `own` has at most in a local batch. */
static bal_size neighbours_in(const bal_rows *r, const bal_local_batch *b,
                              bal_size own)
{
    bal_size n = bal_batch_size(r->l, b->batch) - (b->batch == own);

    return b->k < n ? b->k : n;
}

/* Scales of batches that lie on this rank alone. */
static void find_local(bal_rows *r, int i, bal_size own)
{
    const float *list = r->list + i * r->lists;
    float *s2 = r->s2 + i * r->locals;

    for (bal_size lb = 0; lb < r->locals; lb++) {
        const bal_local_batch *b = &r->local[lb];
        bal_size k = neighbours_in(r, b, own);
        if (!b->split)
            s2[lb] = k > 0 ? list[b->list + k - 1] : -1.0f;
    }
}

/* Scales of batches that several ranks hold: of two points or more, so there
 * is a neighbour. */
static void find_shared(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos)
{
    bal_query query[2] = {{0}};

    for (int x = 0; x < r->shares; x++) {
        bal_size lb = r->shared[x];
        const bal_local_batch *b = &r->local[lb];
        bal_size *want = r->want + (bal_size)x * r->w_most;
        for (int i = 0; i < w; i++)
            want[i] = neighbours_in(r, b, bal_layout_batch(r->l, pos[i]));
        query[x] = (bal_query){
            .list = r->list + b->list,
            .stride = r->lists,
            .count = r->list_len + lb,
            .skip = r->locals,
            .k = want,
            .kth = r->kth + (bal_size)x * r->w_most,
        };
    }
    bal_select_find(c, r->select, w, query);
    for (int x = 0; x < r->shares; x++)
        for (int i = 0; i < w; i++)
            r->s2[i * r->locals + r->shared[x]] = query[x].kth[i];
}

/* A batch beyond the gate gets the scale -1: none of its entries count. */
static void close_gates(bal_rows *r, int i, bal_size own)
{
    float *s2 = r->s2 + i * r->locals;

    if (!(r->own[i] > 0))
        return;
    for (bal_size lb = 0; lb < r->locals; lb++)
        if (r->local[lb].batch != own &&
            (double)s2[lb] > r->par.gate * (double)r->own[i])
            s2[lb] = -1.0f;
}

/* Tells all ranks the scales in the landmarks' own batches. */
static void share_own(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos)
{
    for (int i = 0; i < w; i++) {
        bal_size own = bal_layout_batch(r->l, pos[i]);
        bal_size lb = r->locals > 0 ? own - r->local[0].batch : -1;
        bool here = lb >= 0 && lb < r->locals;
        r->own[i] = here ? r->s2[i * r->locals + lb] : -1.0f;
    }
    bal_comm_max_f32(c, r->own, w);
}

void bal_scales_find(bal_comm *c, bal_rows *r, int w, const bal_gidx *pos)
{
    bal_size scales = w * r->locals;

    for (int i = 0; i < w; i++)
        find_local(r, i, bal_layout_batch(r->l, pos[i]));
    find_shared(c, r, w, pos);
    if (scales > 0)
        memcpy(r->raw, r->s2, (size_t)scales * sizeof *r->raw);
    if (r->par.gate <= 0)
        return;
    share_own(c, r, w, pos);
    for (int i = 0; i < w; i++)
        close_gates(r, i, bal_layout_batch(r->l, pos[i]));
}

/* ---- Foreign landmarks ---- */

/* The scale from the nearest distance, the k-th and the one after it. */
static float scale_of(bool alike, float nearest, float kth, float next)
{
    return alike && (double)nearest <= 1e-9 * (double)next ? next : kth;
}

/* Which of the distances to a batch of n points are asked for. */
static void ranks_of(const bal_rows *r, const bal_local_batch *b,
                     bal_size rank[3])
{
    bal_size n = bal_batch_size(r->l, b->batch), k = r->par.k[b->batch];

    rank[0] = 1;
    rank[1] = k < n ? k : n;
    rank[2] = k + 1 < n ? k + 1 : n;
}

static void find_foreign_local(bal_rows *r, int i, bool alike)
{
    bal_size rank[3];

    for (bal_size lb = 0; lb < r->locals; lb++) {
        const bal_local_batch *b = &r->local[lb];
        const float *list = r->list + i * r->lists + b->list;
        ranks_of(r, b, rank);
        if (!b->split)
            r->s2[i * r->locals + lb] =
                scale_of(alike, list[0], list[rank[1] - 1], list[rank[2] - 1]);
    }
}

/* Three searches, in batches that several ranks hold. */
static void find_foreign_shared(bal_comm *c, bal_rows *r, int w, bool alike)
{
    float *nearest[2] = {NULL, NULL};

    for (int turn = 0; turn < 3; turn++) {
        bal_query query[2] = {{0}};
        for (int x = 0; x < r->shares; x++) {
            bal_size lb = r->shared[x], rank[3];
            bal_size *want = r->want + (bal_size)x * r->w_most;
            ranks_of(r, &r->local[lb], rank);
            for (int i = 0; i < w; i++)
                want[i] = rank[turn];
            nearest[x] = r->found_first + (bal_size)x * r->w_most;
            query[x] = (bal_query){
                .list = r->list + r->local[lb].list,
                .stride = r->lists,
                .count = r->list_len + lb,
                .skip = r->locals,
                .k = want,
                .kth = turn == 0 ? nearest[x]
                                 : r->kth + (bal_size)x * r->w_most,
            };
        }
        bal_select_find(c, r->select, w, query);
        for (int x = 0; x < r->shares; x++)
            for (int i = 0; i < w && turn > 0; i++) {
                float *s2 = &r->s2[i * r->locals + r->shared[x]];
                float got = r->kth[(bal_size)x * r->w_most + i];
                *s2 = turn == 1 ? got
                                : scale_of(alike, nearest[x][i], *s2, got);
            }
    }
}

void bal_scales_foreign(bal_comm *c, bal_rows *r, int w, const bal_foreign *f)
{
    bal_size scales = w * r->locals;

    for (int i = 0; i < w; i++)
        find_foreign_local(r, i, f->alike);
    find_foreign_shared(c, r, w, f->alike);
    if (scales > 0)
        memcpy(r->raw, r->s2, (size_t)scales * sizeof *r->raw);
    for (int i = 0; i < w && r->par.gate > 0; i++) {
        r->own[i] = f->own[i];
        close_gates(r, i, f->home[i]);
    }
}

const float *bal_rows_scales(const bal_rows *r, int i, bal_size *first_batch,
                             bal_size *batches)
{
    *first_batch = r->locals > 0 ? r->local[0].batch : 0;
    *batches = r->locals;
    return r->raw + i * r->locals;
}
