/*
 * The kernels against the bare matrix product of the same shape.
 *
 * All times are the best of several rounds in which the contestants take turns
 * in one process on one core, so that they meet the same machine.  Printed is
 * the time of each kernel as a multiple of that of cblas_sgemm() for the same
 * tile, landmarks and features (T x W x p, 2 T W p flops; the faster of two
 * layouts), and of that of a triad that moves as many bytes through memory as
 * the tiles hold and the distances written once and read once would be.
 *
 *     OPENBLAS_NUM_THREADS=1 kernels [all]
 *
 * With `all`, every instruction set the processor has, not only the best.  An
 * OpenBLAS that does not know the processor needs OPENBLAS_CORETYPE as well, or
 * the comparison flatters.
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "balans/base/mem.h"
#include "balans/kernel/affinity.h"
#include "balans/kernel/cpu.h"
#include "balans/kernel/distance.h"
#include "balans/kernel/kselect.h"

enum {
    TILES = 256,
    ROUNDS = 25,
    W_MOST = 64,
    P_MOST = 128,
    K_MOST = 1000,
    CLUSTERS = 10,
    TRIAD = 1 << 22 /* elements in each of its arrays */
};

/* What the timed pieces work on; allocated once. */
typedef struct bench {
    float *z;     /* [TILES, p, BAL_TILE] */
    float *y;     /* [W, p] */
    float *d2;    /* [W, BAL_TILE] */
    float *all;   /* [TILES, W, BAL_TILE], distances of a whole run */
    float *triad; /* [3, TRIAD] */
    float *value;
    uint8_t *lane;
    uint32_t *bins;
    bal_kselect select[W_MOST];
    float *buffer;
    bal_size candidates, kept; /* of the latest run_affinity() */
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
        bal_kselect_finish(&b->select[w]);
}

/* Candidates of the whole run by the final bounds, then their affinities. */
static void run_affinity(bench *b)
{
    b->candidates = b->kept = 0;
    for (int t = 0; t < TILES; t++)
        for (int w = 0; w < b->w; w++) {
            float s2 = b->select[w].at[b->k - 1];
            int n = bal_candidates(row_of(b, t, w), BAL_TILE,
                                   BAL_AFFINITY_REACH * s2, b->value, b->lane);
            b->candidates += n;
            b->kept += bal_affinity_bin(b->value, b->lane, n, s2, b->bins);
        }
}

/* Distances, selection, candidates and affinities tile by tile, as a step of the
 * sampler does, with the scales known (those of the selection above). */
static void run_step(bench *b)
{
    float s2[W_MOST];

    for (int w = 0; w < b->w; w++)
        s2[w] = b->select[w].at[b->k - 1];
    select_init(b);
    for (int t = 0; t < TILES; t++) {
        bal_distance_tile(tile_of(b, t), BAL_TILE, b->p, b->y, b->w, b->d2);
        for (int w = 0; w < b->w; w++) {
            const float *row = b->d2 + (size_t)w * BAL_TILE;
            int n;
            bal_kselect_offer(&b->select[w], row, BAL_TILE);
            n = bal_candidates(row, BAL_TILE, BAL_AFFINITY_REACH * s2[w],
                               b->value, b->lane);
            bal_affinity_bin(b->value, b->lane, n, s2[w], b->bins);
        }
    }
    for (int w = 0; w < b->w; w++)
        bal_kselect_finish(&b->select[w]);
}

/* a = b + s c on arrays far larger than any cache, over as many bytes as the
 * tiles hold, and the distances twice: written once and read once. */
static void run_triad(bench *b)
{
    bal_size left = TILES * (bal_size)BAL_TILE * (b->p + 2 * b->w) / 3;
    float *to = b->triad, *x = to + TRIAD, *y = x + TRIAD;

    for (; left > 0; left -= TRIAD) {
        bal_size n = left < TRIAD ? left : TRIAD;
        for (bal_size i = 0; i < n; i++)
            to[i] = x[i] + 3.0f * y[i];
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
    double pairs = (double)TILES * BAL_TILE * b->w;
    double flops = 2.0 * pairs * b->p, base;

    measure(b, pieces, n);
    base = fmin(pieces[0].best, pieces[1].best);
    printf("\n%s, p %d, W %d, k %d: %.1f %% of the pairs are candidates, "
           "%.1f %% reach the floor\n",
           isa, b->p, b->w, b->k, 100.0 * (double)b->candidates / pairs,
           100.0 * (double)b->kept / pairs);
    for (int i = 0; i < n; i++)
        printf("  %-26s %8.3f ms %7.1f GF/s %6.2f x sgemm %6.2f x triad\n",
               pieces[i].name, 1e3 * pieces[i].best,
               flops / pieces[i].best / 1e9, pieces[i].best / base,
               pieces[i].best / pieces[n - 1].best);
}

static float noise(uint64_t *x)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(*x >> 40) * 0x1p-23f - 1.0f;
}

/* Points around CLUSTERS centres, tile after tile, and landmarks likewise. */
static void make_points(bench *b)
{
    static float centre[CLUSTERS][P_MOST];
    uint64_t x = 1;

    for (int c = 0; c < CLUSTERS; c++)
        for (int f = 0; f < b->p; f++)
            centre[c][f] = 3.0f * noise(&x);
    for (int t = 0; t < TILES; t++)
        for (int f = 0; f < b->p; f++)
            for (int j = 0; j < BAL_TILE; j++)
                tile_of(b, t)[f * BAL_TILE + j] =
                    centre[(t * 7 + j) % CLUSTERS][f] + noise(&x) + noise(&x);
    for (int w = 0; w < b->w; w++)
        for (int f = 0; f < b->p; f++)
            b->y[w * b->p + f] =
                centre[w % CLUSTERS][f] + noise(&x) + noise(&x);
}

static void run_all(bench *b, bal_isa isa)
{
    static const int ps[] = {10, 50, 128}, ws[] = {16, 64}, ks[] = {10, 1000};

    bal_isa_use(isa);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            for (int l = 0; l < 2; l++) {
                b->p = ps[i];
                b->w = ws[j];
                b->k = ks[l];
                make_points(b);
                report(b, bal_isa_name(isa));
            }
}

int main(int argc, char **argv)
{
    bench b = {.p = P_MOST, .w = W_MOST};

    need(bal_alloc(&b.z, (bal_size)TILES * P_MOST * BAL_TILE, "tiles"));
    need(bal_alloc(&b.y, W_MOST * P_MOST, "landmarks"));
    need(bal_alloc(&b.d2, W_MOST * BAL_TILE, "distances"));
    need(bal_alloc(&b.all, (bal_size)TILES * W_MOST * BAL_TILE, "distances"));
    need(bal_alloc(&b.triad, 3 * TRIAD, "the triad"));
    need(bal_alloc(&b.value, BAL_TILE, "candidates"));
    need(bal_alloc(&b.lane, BAL_TILE, "candidates"));
    need(bal_alloc(&b.bins, BAL_BINS, "bins"));
    need(bal_alloc(&b.buffer, W_MOST * bal_kselect_capacity(K_MOST), "k"));

    printf("OpenBLAS core: %s\n", openblas_get_corename());
    for (int isa = BAL_ISA_COUNT - 1; isa >= 0; isa--)
        if (bal_isa_usable((bal_isa)isa)) {
            run_all(&b, (bal_isa)isa);
            if (argc < 2 || strcmp(argv[1], "all") != 0)
                break;
        }
    return 0;
}
