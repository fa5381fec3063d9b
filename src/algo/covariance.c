#include "balans/algo/covariance.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/sums.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "balans/par/sum.h"
#include "slices.h"

enum { BLOCK = BAL_GRAM * BAL_GRAM };

typedef struct work {
    bal_blocks *x;
    const bal_standard *s;
    int threads;
    bal_size first, pairs; /* the panel */
    bal_size most_pairs;   /* of any panel */
    bal_scale scale;
    double *unit;   /* [d], powers of two */
    double *points; /* [threads, BAL_TILE, d] */
    double *block;  /* [threads, BLOCK] */
    bal_fixed *sum; /* [threads, most_pairs, BLOCK] */
    bal_fixed *all; /* [threads, d], sums of v */
} work;

/* Pairs of blocks whose sums fit what is left beside the scratch. */
static bal_size panel(bal_size d, bal_size memory, int threads)
{
    bal_size all = bal_pair_count(d);
    bal_size scratch = threads * (BAL_TILE * d + BLOCK) * 8;
    bal_size fit =
        (memory - scratch) / (threads * BLOCK * (bal_size)sizeof(bal_fixed));

    if (fit > all)
        fit = all;
    return fit > 1 ? fit : 1;
}

bal_size bal_covariance_memory(bal_size d, bal_size memory, int threads)
{
    bal_size sums = panel(d, memory, threads) * BLOCK;

    return d * 8 + threads * ((BAL_TILE * d + BLOCK) * 8 +
                              (sums + d) * (bal_size)sizeof(bal_fixed));
}

static bal_status allot(work *w, const double *most)
{
    bal_status st;
    bal_size d = w->x->d;

    BAL_TRY(bal_alloc(&w->unit, d, "the covariance"));
    BAL_TRY(bal_alloc(&w->points, w->threads * BAL_TILE * d,
                      "slices of clipped profiles"));
    BAL_TRY(bal_alloc(&w->block, w->threads * BLOCK, "the covariance"));
    BAL_TRY(bal_alloc(&w->sum, w->threads * w->most_pairs * BLOCK,
                      "the sums of the covariance"));
    BAL_TRY(bal_alloc(&w->all, w->threads * d, "the features' sums"));
    for (bal_size f = 0; f < d; f++) {
        int exponent = 0;
        if (most[f] > 0)
            (void)frexp(most[f], &exponent);
        w->unit[f] = ldexp(1, -exponent);
    }
done:
    return st;
}

static void release(work *w)
{
    bal_free(&w->unit);
    bal_free(&w->points);
    bal_free(&w->block);
    bal_free(&w->sum);
    bal_free(&w->all);
}

static void add_block(bal_fixed *sum, const double *block, bal_pair pair,
                      bal_scale scale)
{
    for (int i = 0; i < pair.ni; i++) {
        int from = i * pair.nj + (pair.i == pair.j ? i : 0);
        bal_fixed_add_all(&sum[from].hi, block + from, (i + 1) * pair.nj - from,
                          scale.up_hi, scale.up_lo);
    }
}

/* Columns of a slice, each one chain over its rows. */
static void add_columns(const work *w, const double *points, double *part,
                        bal_fixed *sum)
{
    bal_size d = w->x->d;

    for (bal_size first = 0; first < d; first += BLOCK) {
        bal_size count = d - first < BLOCK ? d - first : BLOCK;
        memset(part, 0, (size_t)count * sizeof *part);
        for (int i = 0; i < BAL_TILE; i++)
            for (bal_size f = 0; f < count; f++)
                part[f] += points[i * d + first + f];
        bal_fixed_add_all(&sum[first].hi, part, count, w->scale.up_hi,
                          w->scale.up_lo);
    }
}

static void add_slice(void *self, const bal_slice *slice)
{
    const work *w = self;
    bal_size d = w->x->d;
    double *points = w->points + slice->thread * BAL_TILE * d;
    double *block = w->block + slice->thread * BLOCK;
    bal_fixed *sum = w->sum + slice->thread * w->most_pairs * BLOCK;

    bal_tile_clip(slice->rows, slice->m, w->s, w->unit, points);
    if (w->first == 0)
        add_columns(w, points, block, w->all + slice->thread * d);
    for (bal_size q = 0; q < w->pairs; q++) {
        bal_pair pair = bal_pair_at(d, w->first + q);
        bal_tile_gram(points, d, pair.i, pair.ni, pair.j, pair.nj, block);
        add_block(sum + q * BLOCK, block, pair, w->scale);
    }
}

/* Joins what the threads summed, [threads, stride] of which `count`, in the
 * first one's part. */
static void join(const work *w, bal_fixed *sum, bal_size stride, bal_size count)
{
#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (bal_size e = 0; e < count; e++)
        for (int other = 1; other < w->threads; other++)
            bal_fixed_merge(&sum[e], sum[other * stride + e]);
}

/* Sums of this rank's slices, in the first thread's part of w->sum. */
static bal_status sum_slices(work *w)
{
    bal_size entries = w->pairs * BLOCK, stride = w->most_pairs * BLOCK;

#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (int t = 0; t < w->threads; t++)
        memset(w->sum + t * stride, 0, (size_t)entries * sizeof *w->sum);
    bal_status st = bal_slices_sweep(w->x, w->threads, add_slice, w);
    join(w, w->sum, stride, entries);
    return st;
}

static void find_centre(bal_comm *c, const work *w, double *centre)
{
    bal_size d = w->x->d;

    join(w, w->all, d, d);
    bal_fixed_reduce(c, w->all, d);
    for (bal_size f = 0; f < d; f++)
        centre[f] = bal_fixed_value(w->all[f], &w->scale) / (double)w->x->n /
                    w->unit[f];
}

/* Turns the sums of the panel into entries of C. */
static void hand_over(const work *w, bal_pca *pca, const double *centre,
                      double *total)
{
    double n = (double)w->x->n, divisor = n > 1 ? n - 1 : 1;

    for (bal_size q = 0; q < w->pairs; q++) {
        bal_pair pair = bal_pair_at(w->x->d, w->first + q);
        const bal_fixed *sum = w->sum + q * BLOCK;
        for (int e = 0; e < pair.ni * pair.nj; e++) {
            bal_size i = pair.i + e / pair.nj, j = pair.j + e % pair.nj;
            double v =
                bal_fixed_value(sum[e], &w->scale) / w->unit[i] / w->unit[j];
            w->block[e] = (v - n * (centre[i] * centre[j])) / divisor;
            if (i == j)
                *total += w->block[e];
        }
        bal_pca_put(pca, pair, w->block);
    }
}

bal_verdict bal_covariance(bal_comm *c, bal_blocks *x, const bal_standard *s,
                           const double *most, bal_size memory, int threads,
                           bal_pca *pca, double *centre, double *total)
{
    bal_size all = bal_pair_count(x->d);
    work w = {
        .x = x,
        .s = s,
        .threads = threads,
        .most_pairs = panel(x->d, memory, threads),
        .scale = bal_scale_for((double)x->n, bal_slices_all(x)),
    };
    bal_verdict st;

    *total = 0;
    bal_comm_min_i64(c, &w.most_pairs, 1);
    BAL_TRY(bal_agree(c, allot(&w, most)));
    bal_blas_one_thread();
    /* Ranks wait for the slowest, and a panel takes long. */
    bal_watch_grant(2.0 * BLOCK * (double)w.most_pairs / threads *
                    ((double)x->n / c->size + BAL_BLOCK));
    for (w.first = 0; w.first < all; w.first += w.most_pairs) {
        bal_size left = all - w.first;
        w.pairs = left < w.most_pairs ? left : w.most_pairs;
        BAL_TRY(bal_pause(c));
        bal_status mine = sum_slices(&w);
        bal_fixed_reduce(c, w.sum, w.pairs * BLOCK);
        if (w.first == 0)
            find_centre(c, &w, centre);
        BAL_TRY(bal_agree(c, mine));
        hand_over(&w, pca, centre, total);
    }
done:
    bal_watch_grant(0);
    release(&w);
    return st;
}
