/* Smoothing and residual correction with the sparse affinities A (m x n).
 *
 *     w(l)     = sum_j A_lj,           mu(l)    = sum_j A_lj x_j / w(l)
 *     w(l, b)  = the same over j in b, mu(l, b) likewise
 *     R_lj     = A_lj / w(l),          P_jl     = R_lj / sum_l R_lj
 *     smooth     xhat_j = sum_l P_jl mu(l)
 *     residual   xhat_j = x_j + sum_l P_jl (mu(l) - mu(l, b_j))
 *
 * Features are taken in panels that fit the work space. In a panel, the sums of
 * all rows are made and reduced; then points are corrected tile by tile, in
 * place, because a panel of x is not needed any more once its sums are known.
 * For the residual form the sums of one batch after the other are made from its
 * points just before these are corrected, so that memory does not grow with the
 * number of batches; only batches that several ranks hold are reduced.
 *
 * Sums over points: in double within a tile, exact across tiles (par/sum), with
 * bounds (most entries of a row) max|x_f|. The weight w is one more column.
 * Sums over landmarks: in double, in canonical order.
 *
 * Memory: 24 m bytes a feature of the panel, 2 KiB a feature and thread.
 * Cost: 4 flops an entry and feature (6 for residual), one reduction of 16 m d
 * bytes (and as much for each batch on several ranks).
 * Reference: arXiv 2601.22331, section 3, Algorithm 4; docs/algorithm.md. */
#include "balans/algo/correct.h"

#include <math.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/kernel/spmm.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"

enum { PANEL_MOST = 512 };

/* Everything a panel needs. `width` is the panel's features and the weight. */
typedef struct panel {
    bal_comm *comm;
    const bal_csr *a;
    const bal_layout *layout;
    bal_shard *x;
    int threads;
    bal_size room;   /* most features in a panel */
    bal_size first;  /* first feature */
    bal_size count;  /* features */
    bal_size width;  /* count + 1 */
    float *most;     /* [room] max |x_f| */
    bal_scale *scale; /* [room + 1] */
    double *up;      /* [room + 1] the scales' 2^e */
    int64_t *sum;    /* [m, 2, width] high and low limbs */
    double *mu;      /* [m, width] means, the last column w(l) */
    double *partial; /* [threads, room + 1] of one tile */
    double *point;   /* [threads, BAL_TILE, room + 1] */
    bal_size *cursor; /* [threads, m] first entry of a row not yet passed */
    int64_t longest; /* entries of the longest row */
} panel;

/* A run of this rank's tiles. */
typedef struct run {
    bal_size from, to;
} run;

static bal_size choose_panel(const bal_csr *a, bal_size d, bal_size memory,
                             int threads)
{
    bal_size each = 24 * a->m + 8 * (bal_size)threads * (BAL_TILE + 1) + 40;
    bal_size fixed = 8 * (bal_size)threads * a->m;
    bal_size most = (memory - fixed) / each - 1;

    most = most < PANEL_MOST ? most : PANEL_MOST;
    most = most < d ? most : d;
    return most > 1 ? most : 1;
}

static bal_status panel_create(panel *p)
{
    bal_status st;
    bal_size m = p->a->m, wide = p->room + 1, threads = p->threads;

    BAL_TRY(bal_alloc(&p->most, p->room, "the correction"));
    BAL_TRY(bal_alloc(&p->scale, wide, "the correction"));
    BAL_TRY(bal_alloc(&p->up, wide, "the correction"));
    BAL_TRY(bal_alloc(&p->sum, 2 * m * wide, "the consensus of the landmarks"));
    BAL_TRY(bal_alloc(&p->mu, m * wide, "the consensus of the landmarks"));
    BAL_TRY(bal_alloc(&p->partial, threads * wide, "the correction"));
    BAL_TRY(bal_alloc(&p->point, threads * BAL_TILE * wide, "the correction"));
    BAL_TRY(bal_alloc(&p->cursor, threads * m, "the correction"));
done:
    return st;
}

static void panel_finish(panel *p)
{
    bal_free(&p->most);
    bal_free(&p->scale);
    bal_free(&p->up);
    bal_free(&p->sum);
    bal_free(&p->mu);
    bal_free(&p->partial);
    bal_free(&p->point);
    bal_free(&p->cursor);
}

/* The first entry of a row whose point is at or after j. */
static bal_size entry_at(const bal_csr_row *row, bal_lidx j)
{
    bal_size low = 0, high = row->count;

    while (low < high) {
        bal_size middle = low + (high - low) / 2;
        if (row->index[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The local index at which tile t starts; one past the end for the last. */
static bal_lidx tile_start(const bal_layout *l, bal_size t)
{
    return t < l->tiles ? l->tile[t].first : l->m;
}

static void choose_scales(panel *p)
{
    const bal_shard *x = p->x;

    for (bal_size f = 0; f < p->count; f++)
        p->most[f] = 0;
    for (bal_lidx j = 0; j < x->m; j++) {
        const float *row = x->at + (bal_size)j * x->d + p->first;
        for (bal_size f = 0; f < p->count; f++)
            p->most[f] = fmaxf(p->most[f], fabsf(row[f]));
    }
    bal_comm_max_f32(p->comm, p->most, p->count);
    for (bal_size f = 0; f < p->count; f++)
        p->scale[f] = bal_scale_for((double)p->longest * (double)p->most[f],
                                    p->layout->all_tiles);
    p->scale[p->count] =
        bal_scale_for((double)p->longest, p->layout->all_tiles);
    for (bal_size f = 0; f < p->width; f++)
        p->up[f] = p->scale[f].up_hi;
}

/* The limbs of row l, and column f of them as a number. */
static int64_t *limbs(const panel *p, bal_size l)
{
    return p->sum + 2 * l * p->width;
}

static double total(const panel *p, bal_size l, bal_size f)
{
    const int64_t *sum = limbs(p, l);

    return bal_fixed_value((bal_fixed){sum[f], sum[p->width + f]},
                           &p->scale[f]);
}

/* Adds up row l over a run of tiles: one partial sum for each tile. */
static void sum_row(const panel *p, bal_size l, run tiles, double *partial)
{
    const bal_csr_row *row = &p->a->row[l];
    bal_size e = entry_at(row, tile_start(p->layout, tiles.from));
    bal_size end = entry_at(row, tile_start(p->layout, tiles.to));
    int64_t *sum = limbs(p, l);
    /* A column whose bound is 0 holds zeros, whatever its low limb's scale. */
    double up_lo = p->scale[p->count].up_lo;

    memset(sum, 0, (size_t)(2 * p->width) * sizeof *sum);
    for (bal_size t = tiles.from; e < end; t++) {
        bal_size first = e;
        bal_lidx stop = tile_start(p->layout, t + 1);
        while (e < end && row->index[e] < stop)
            e++;
        if (e == first)
            continue;
        bal_spmm_sum(p->x->at + p->first, p->x->d, row->index + first,
                     row->value + first, e - first, p->count, partial);
        bal_fixed_flush(p->up, up_lo, p->width, partial, sum, sum + p->width);
    }
}

static void sum_rows(panel *p, run tiles)
{
    bal_size m = p->a->m, chunk = m / p->threads + 1;

#pragma omp parallel for schedule(static, 1) num_threads(p->threads)
    for (int i = 0; i < p->threads; i++) {
        double *partial = p->partial + i * (p->room + 1);
        bal_size end = (i + 1) * chunk < m ? (i + 1) * chunk : m;
        memset(partial, 0, (size_t)p->width * sizeof *partial);
        for (bal_size l = i * chunk; l < end; l++)
            sum_row(p, l, tiles, partial);
    }
}

/* Sums become means; the weight stays. */
static void find_means(panel *p)
{
    for (bal_size l = 0; l < p->a->m; l++) {
        double *mu = p->mu + l * p->width;
        double w = total(p, l, p->count);
        for (bal_size f = 0; f < p->count; f++)
            mu[f] = total(p, l, f) / w;
        mu[p->count] = w;
    }
}

/* What landmark l adds to a point: its mean, or its mean less the batch's (the
 * sums then are those of the batch), which is made in `room`. */
static const double *contribution(const panel *p, bal_size l, bool residual,
                                  double *room)
{
    const double *mu = p->mu + l * p->width;

    if (!residual)
        return mu;
    double w = total(p, l, p->count);
    for (bal_size f = 0; f < p->count; f++)
        room[f] = w > 0 ? mu[f] - total(p, l, f) / w : 0;
    return room;
}

/* Adds what row l has to say about the points of tile t. */
static void add_row(const panel *p, bal_size l, const bal_tile *tile,
                    bool residual, bal_size *cursor, double *room,
                    double *point)
{
    const bal_csr_row *row = &p->a->row[l];
    bal_size first = *cursor, e = first;
    bal_lidx stop = tile->first + tile->m;

    while (e < row->count && row->index[e] < stop)
        e++;
    if (e == first)
        return;
    bal_spmm_spread(contribution(p, l, residual, room),
                    p->mu[l * p->width + p->count], row->index + first,
                    row->value + first, e - first, tile->first, p->count,
                    point);
    *cursor = e;
}

static void store_tile(const panel *p, const bal_tile *tile, bool residual,
                       const double *point)
{
    for (int j = 0; j < tile->m; j++) {
        const double *at = point + j * p->width;
        float *x = p->x->at + (bal_size)(tile->first + j) * p->x->d + p->first;
        if (!(at[p->count] > 0))
            continue;
        for (bal_size f = 0; f < p->count; f++)
            x[f] = (float)(at[f] / at[p->count] +
                           (residual ? (double)x[f] : 0));
    }
}

/* Corrects the points of a run of tiles in one thread. */
static void correct_run(const panel *p, run tiles, bool residual, int thread)
{
    bal_size m = p->a->m;
    bal_size *cursor = p->cursor + thread * m;
    double *point = p->point + thread * BAL_TILE * (p->room + 1);
    double *room = p->partial + thread * (p->room + 1);

    for (bal_size l = 0; l < m; l++)
        cursor[l] =
            entry_at(&p->a->row[l], tile_start(p->layout, tiles.from));
    for (bal_size t = tiles.from; t < tiles.to; t++) {
        const bal_tile *tile = &p->layout->tile[t];
        memset(point, 0, (size_t)(tile->m * p->width) * sizeof *point);
        for (bal_size l = 0; l < m; l++)
            add_row(p, l, tile, residual, &cursor[l], room, point);
        store_tile(p, tile, residual, point);
    }
}

static void correct_tiles(const panel *p, run tiles, bool residual)
{
    bal_size count = tiles.to - tiles.from;

#pragma omp parallel for schedule(static, 1) num_threads(p->threads)
    for (int i = 0; i < p->threads; i++) {
        run part = {tiles.from + count * i / p->threads,
                    tiles.from + count * (i + 1) / p->threads};
        correct_run(p, part, residual, i);
    }
}

static run all_tiles(const bal_layout *l)
{
    return (run){0, l->tiles};
}

/* This rank's tiles of batch b, from the first tile `at` not yet passed. */
static run tiles_of(const bal_layout *l, bal_size at, bal_size b)
{
    run r = {at, at};

    while (r.to < l->tiles && l->tile[r.to].batch == b)
        r.to++;
    return r;
}

static void correct_by_batch(panel *p)
{
    const bal_layout *l = p->layout;
    run tiles = {0, 0};

    for (bal_size b = 0; b < l->batches; b++) {
        bool split = bal_layout_owner(l, l->batch_first[b]) !=
                     bal_layout_owner(l, l->batch_first[b + 1] - 1);
        tiles = tiles_of(l, tiles.to, b);
        if (!split && tiles.from == tiles.to)
            continue;
        sum_rows(p, tiles);
        if (split)
            bal_comm_sum_i64(p->comm, p->sum, 2 * p->a->m * p->width);
        correct_tiles(p, tiles, true);
    }
}

static void correct_panel(panel *p, bal_size first, bal_correction form)
{
    p->first = first;
    p->count = p->x->d - first < p->room ? p->x->d - first : p->room;
    p->width = p->count + 1;
    choose_scales(p);
    sum_rows(p, all_tiles(p->layout));
    bal_comm_sum_i64(p->comm, p->sum, 2 * p->a->m * p->width);
    find_means(p);
    if (form == BAL_RESIDUAL)
        correct_by_batch(p);
    else
        correct_tiles(p, all_tiles(p->layout), false);
}

static bal_verdict longest_row(bal_comm *c, const bal_csr *a, int64_t *out)
{
    bal_verdict st;
    int64_t *size = NULL;

    *out = 0;
    BAL_TRY(bal_agree(c, bal_alloc(&size, a->m, "the correction")));
    bal_csr_row_sizes(c, a, size);
    for (bal_size l = 0; l < a->m; l++)
        *out = size[l] > *out ? size[l] : *out;
done:
    bal_free(&size);
    return st;
}

bal_verdict bal_correct(bal_comm *c, const bal_csr *a, bal_correction form,
                        bal_size memory, int threads, bal_shard *x)
{
    bal_verdict st;
    bal_status mine;
    panel p = {
        .comm = c,
        .a = a,
        .layout = a->layout,
        .x = x,
        .threads = threads > 0 ? threads : 1,
    };

    BAL_TRY(longest_row(c, a, &p.longest));
    p.room = choose_panel(a, x->d, memory, p.threads);
    bal_comm_min_i64(c, &p.room, 1);
    mine = bal_fault("correct");
    if (!bal_failed(mine))
        mine = panel_create(&p);
    BAL_TRY(bal_agree(c, mine));
    for (bal_size f = 0; f < x->d; f += p.room)
        correct_panel(&p, f, form);
done:
    panel_finish(&p);
    return st;
}
