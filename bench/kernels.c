/*
 * The kernels against the bare matrix product of the same shape.
 *
 * All times are the best of several rounds in which the contestants take turns
 * in one process on one core, so that they meet the same machine.  Printed is
 * the time of each kernel as a multiple of that of cblas_sgemm() for the same
 * tile, landmarks and features (T x W x p, 2 T W p flops), over tiles that
 * together are larger than the second-level cache.
 *
 *     OPENBLAS_NUM_THREADS=1 kernels
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/kernel/affinity.h"
#include "balans/kernel/cpu.h"
#include "balans/kernel/distance.h"
#include "balans/kernel/kselect.h"

enum {
    TILES = 256,
    ROUNDS = 7,
    W_MOST = 64,
    P_MOST = 128,
    K_MOST = 1000,
    TRIAD_MOST = 1 << 24
};

/* What the timed pieces work on; allocated once. */
typedef struct bench {
    float *z;  /* [TILES, p, BAL_TILE] */
    float *y;  /* [W, p] */
    float *d2; /* [W, BAL_TILE] */
    float *all; /* [TILES, W, BAL_TILE], distances of a whole run */
    float *value;
    uint8_t *lane;
    uint32_t *bins;
    bal_kselect select[W_MOST];
    float *buffer;
    bal_size kept;
    int p, w, k;
} bench;

static double now(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void need(bal_status st)
{
    if (bal_failed(st)) {
        fprintf(stderr, "kernels: %s\n", bal_error_get()->text);
        exit(1);
    }
}

static float *tile_of(const bench *b, int t)
{
    return b->z + (size_t)t * (size_t)b->p * BAL_TILE;
}

static float *row_of(const bench *b, int t, int w)
{
    return b->all + ((size_t)t * (size_t)b->w + (size_t)w) * BAL_TILE;
}

static void run_sgemm(bench *b)
{
    for (int t = 0; t < TILES; t++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, b->w, BAL_TILE,
                    b->p, -2.0f, b->y, b->p, tile_of(b, t), BAL_TILE, 0.0f,
                    b->d2, BAL_TILE);
}

/* The other layout: points as rows. */
static void run_sgemm_rows(bench *b)
{
    for (int t = 0; t < TILES; t++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, BAL_TILE, b->w,
                    b->p, -2.0f, tile_of(b, t), b->p, b->y, b->p, 0.0f, b->d2,
                    b->w);
}

static void run_distance(bench *b)
{
    for (int t = 0; t < TILES; t++)
        bal_distance_tile(tile_of(b, t), BAL_TILE, b->p, b->y, b->w, b->d2);
}

static void run_distance_out(bench *b)
{
    for (int t = 0; t < TILES; t++)
        bal_distance_tile(tile_of(b, t), BAL_TILE, b->p, b->y, b->w,
                          row_of(b, t, 0));
}

static void select_init(bench *b)
{
    for (int w = 0; w < b->w; w++)
        bal_kselect_init(&b->select[w], b->k,
                         b->buffer + w * bal_kselect_capacity(K_MOST));
}

static void run_select(bench *b)
{
    select_init(b);
    for (int t = 0; t < TILES; t++)
        for (int w = 0; w < b->w; w++)
            bal_kselect_offer(&b->select[w], row_of(b, t, w), BAL_TILE);
    for (int w = 0; w < b->w; w++)
        b->kept += bal_kselect_finish(&b->select[w]);
}

/* Candidates of the whole run by the final bounds, then their affinities. */
static void run_affinity(bench *b)
{
    for (int t = 0; t < TILES; t++)
        for (int w = 0; w < b->w; w++) {
            float s2 = b->select[w].at[b->select[w].len - 1];
            int n = bal_candidates(row_of(b, t, w), BAL_TILE,
                                   BAL_AFFINITY_REACH * s2, b->value, b->lane);
            b->kept +=
                bal_affinity_bin(b->value, b->lane, n, s2, b->bins);
        }
}

/* One step of the sampler on one rank, without its bookkeeping. */
static void run_step(bench *b)
{
    select_init(b);
    for (int t = 0; t < TILES; t++) {
        bal_distance_tile(tile_of(b, t), BAL_TILE, b->p, b->y, b->w, b->d2);
        for (int w = 0; w < b->w; w++) {
            bal_kselect *s = &b->select[w];
            const float *row = b->d2 + (size_t)w * BAL_TILE;
            bal_kselect_offer(s, row, BAL_TILE);
            int n = bal_candidates(row, BAL_TILE,
                                   BAL_AFFINITY_REACH * s->bound, b->value,
                                   b->lane);
            b->kept += bal_affinity_bin(b->value, b->lane, n,
                                        isinf(s->bound) ? 1.0f : s->bound,
                                        b->bins);
        }
    }
}

/* a = b + s c on arrays far larger than any cache, over as many bytes as the
 * tiles hold, and the distances twice: written once and read once. */
static void run_triad(bench *b)
{
    bal_size left = TILES * (bal_size)BAL_TILE * (b->p + 2 * b->w) / 3;

    while (left > 0) {
        bal_size n = left < TRIAD_MOST / 4 ? left : TRIAD_MOST / 4;
        float *a = b->all, *c = b->all + TRIAD_MOST / 4,
              *d = b->all + TRIAD_MOST / 2;
        for (bal_size i = 0; i < n; i++)
            a[i] = c[i] + 3.0f * d[i];
        left -= n;
    }
}

typedef struct piece {
    const char *name;
    void (*run)(bench *);
    double best;
} piece;

static void measure(bench *b, piece *pieces, int n)
{
    for (int i = 0; i < n; i++)
        pieces[i].best = INFINITY;
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < n; i++) {
            double t = now();
            pieces[i].run(b);
            t = now() - t;
            pieces[i].best = t < pieces[i].best ? t : pieces[i].best;
        }
}

static void report(bench *b, const char *isa)
{
    piece pieces[] = {{"sgemm, tiles as they are", run_sgemm, 0},
                      {"sgemm, points as rows", run_sgemm_rows, 0},
                      {"distance", run_distance, 0},
                      {"distance, all kept", run_distance_out, 0},
                      {"k-selection", run_select, 0},
                      {"candidates, affinity", run_affinity, 0},
                      {"step: all of these", run_step, 0},
                      {"triad of the same bytes", run_triad, 0}};
    int n = (int)(sizeof pieces / sizeof pieces[0]);
    double flops = 2.0 * TILES * BAL_TILE * b->w * b->p, base;

    measure(b, pieces, n);
    base = fmin(pieces[0].best, pieces[1].best);
    for (int i = 0; i < n; i++)
        printf("%-8s p %3d  W %2d  k %4d  %-24s %8.3f ms  %6.1f GF/s  "
               "%5.2f x sgemm  %5.2f x triad\n",
               isa, b->p, b->w, b->k, pieces[i].name, 1e3 * pieces[i].best,
               flops / pieces[i].best / 1e9, pieces[i].best / base,
               pieces[i].best / pieces[n - 1].best);
}

static void fill(float *v, bal_size n, uint32_t purpose)
{
    uint32_t x = 12345 + purpose;

    for (bal_size i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        v[i] = (float)(x >> 8) * 0x1p-23f - 1.0f;
    }
}

int main(void)
{
    static const int ps[] = {10, 50, 128}, ws[] = {16, 64}, ks[] = {10, 1000};
    bench b = {.p = P_MOST, .w = W_MOST};

    need(bal_alloc(&b.z, (bal_size)TILES * P_MOST * BAL_TILE, "tiles"));
    need(bal_alloc(&b.y, W_MOST * P_MOST, "landmarks"));
    need(bal_alloc(&b.d2, W_MOST * BAL_TILE, "distances"));
    need(bal_alloc(&b.all, TRIAD_MOST, "distances"));
    need(bal_alloc(&b.value, BAL_TILE, "candidates"));
    need(bal_alloc(&b.lane, BAL_TILE, "candidates"));
    need(bal_alloc(&b.bins, BAL_BINS, "bins"));
    need(bal_alloc(&b.buffer, W_MOST * bal_kselect_capacity(K_MOST), "k"));
    fill(b.z, (bal_size)TILES * P_MOST * BAL_TILE, 1);
    fill(b.y, W_MOST * P_MOST, 2);
    fill(b.all, TRIAD_MOST, 3);

    for (int isa = BAL_ISA_COUNT - 1; isa >= 0; isa--) {
        if (!bal_isa_usable((bal_isa)isa))
            continue;
        bal_isa_use((bal_isa)isa);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 2; j++)
                for (int l = 0; l < 2; l++) {
                    b.p = ps[i];
                    b.w = ws[j];
                    b.k = ks[l];
                    report(&b, bal_isa_name((bal_isa)isa));
                }
    }
    printf("(%lld kept)\n", (long long)b.kept);
    return 0;
}
