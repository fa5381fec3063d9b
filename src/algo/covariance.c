#include "balans/algo/covariance.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/sums.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"

enum { BLOCK = BAL_GRAM * BAL_GRAM };

typedef struct work {
    const bal_shard *x;
    const bal_standard *s;
    int threads;
    bal_size first, pairs; /* the panel */
    bal_size most_pairs;   /* of any panel */
    bal_scale scale;
    double *unit;   /* [d], powers of two */
    double *points; /* [threads, BAL_TILE, d] */
    double *block;  /* [threads, BLOCK] */
    bal_fixed *sum; /* [threads, most_pairs, BLOCK] */
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
                              sums * (bal_size)sizeof(bal_fixed));
}

static bal_status allot(work *w, const double *most)
{
    bal_status st;
    bal_size d = w->x->d;

    BAL_TRY(bal_alloc(&w->unit, d, "the covariance"));
    BAL_TRY(bal_alloc(&w->points, w->threads * BAL_TILE * d,
                      "tiles of standardised points"));
    BAL_TRY(bal_alloc(&w->block, w->threads * BLOCK, "the covariance"));
    BAL_TRY(bal_alloc(&w->sum, w->threads * w->most_pairs * BLOCK,
                      "the sums of the covariance"));
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
}

static void add_block(bal_fixed *sum, const double *block, bal_pair pair,
                      bal_scale scale)
{
    for (int i = 0; i < pair.ni; i++) {
        int from = i * pair.nj + (pair.i == pair.j ? i : 0);
        bal_fixed_add_all(&sum[from].hi, block + from,
                          (i + 1) * pair.nj - from, scale.up_hi, scale.up_lo);
    }
}

static void add_tile(const work *w, bal_size t, int thread)
{
    const bal_tile *tile = &w->x->layout->tile[t];
    bal_size d = w->x->d;
    double *points = w->points + thread * BAL_TILE * d;
    double *block = w->block + thread * BLOCK;
    bal_fixed *sum = w->sum + thread * w->most_pairs * BLOCK;

    bal_alive();
    bal_tile_standardise(w->x->at + tile->first * d, tile->m, w->s, w->unit,
                         points);
    for (bal_size q = 0; q < w->pairs; q++) {
        bal_pair pair = bal_pair_at(d, w->first + q);
        bal_tile_gram(points, d, pair.i, pair.ni, pair.j, pair.nj, block);
        add_block(sum + q * BLOCK, block, pair, w->scale);
    }
}

/* Sums of this rank's tiles, in the first thread's part of w->sum. */
static void sum_tiles(work *w)
{
    bal_size entries = w->pairs * BLOCK, stride = w->most_pairs * BLOCK;

#pragma omp parallel num_threads(w->threads)
    {
        int thread = omp_get_thread_num();
        memset(w->sum + thread * stride, 0, (size_t)entries * sizeof *w->sum);
#pragma omp for schedule(static)
        for (bal_size t = 0; t < w->x->layout->tiles; t++)
            add_tile(w, t, thread);
        for (int other = 1; other < omp_get_num_threads(); other++) {
#pragma omp for schedule(static)
            for (bal_size e = 0; e < entries; e++)
                bal_fixed_merge(&w->sum[e], w->sum[other * stride + e]);
        }
    }
}

/* Turns the sums of the panel into entries of C. */
static void hand_over(const work *w, bal_pca *pca, double *total)
{
    bal_size n = w->x->layout->n;
    double divisor = n > 1 ? (double)(n - 1) : 1;

    for (bal_size q = 0; q < w->pairs; q++) {
        bal_pair pair = bal_pair_at(w->x->d, w->first + q);
        const bal_fixed *sum = w->sum + q * BLOCK;
        for (int e = 0; e < pair.ni * pair.nj; e++) {
            bal_size i = pair.i + e / pair.nj, j = pair.j + e % pair.nj;
            double scaled = bal_fixed_value(sum[e], &w->scale) / divisor;
            w->block[e] = scaled / w->unit[i] / w->unit[j];
            if (i == j)
                *total += w->block[e];
        }
        bal_pca_put(pca, pair, w->block);
    }
}

bal_verdict bal_covariance(bal_comm *c, const bal_shard *x,
                           const bal_standard *s, const double *most,
                           bal_size memory, int threads, bal_pca *pca,
                           double *total)
{
    const bal_layout *layout = x->layout;
    bal_size all = bal_pair_count(x->d);
    work w = {
        .x = x,
        .s = s,
        .threads = threads,
        .most_pairs = panel(x->d, memory, threads),
        .scale = bal_scale_for((double)layout->n, layout->all_tiles),
    };
    bal_verdict st;

    *total = 0;
    bal_comm_min_i64(c, &w.most_pairs, 1);
    BAL_TRY(bal_agree(c, allot(&w, most)));
    bal_blas_one_thread();
    /* Ranks wait for the slowest, and a panel takes long. */
    bal_watch_grant(2.0 * BLOCK * (double)w.most_pairs / threads *
                    ((double)layout->n / c->size + BAL_TILE));
    for (w.first = 0; w.first < all; w.first += w.most_pairs) {
        bal_size left = all - w.first;
        w.pairs = left < w.most_pairs ? left : w.most_pairs;
        BAL_TRY(bal_pause(c));
        sum_tiles(&w);
        bal_fixed_reduce(c, w.sum, w.pairs * BLOCK);
        hand_over(&w, pca, total);
    }
done:
    bal_watch_grant(0);
    release(&w);
    return st;
}
