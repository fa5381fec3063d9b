/*
 * The kernels and a whole step of the sampler against the bare matrix product
 * of the same shape.
 *
 * n points in 5 batches and W landmarks in p dimensions; on one core, in one
 * process, the contestants take turns, so that they meet the same machine, and
 * what is printed are medians over the rounds of the ratio within a round.
 * The table is of processor time, so that other programs disturb less; rates
 * are of wall time, as the program's own reports are.
 *
 *   sgemm     cblas_sgemm() on the same points, landmarks and dimensions (2 n W
 *             p flops), in three forms: tile by tile as the tiles stand, tile
 *             by tile with points as rows, and all points in one call; the
 *             fastest of a round counts.  It has products only, no norms.
 *   distance  bal_distance_tile(), tile after tile
 *   select    bal_kselect_offer() on all distances, read from memory, as of
 *             one batch
 *   affinity  bal_candidates() and bal_affinity_bin() on all distances
 *   step      bal_rows_compute(): all that the sampler does for W landmarks but
 *             the draw, from coordinates to sparse rows
 *   triad     a = b + s c on arrays larger than caches, over as many bytes as
 *             the points and the distances, these once written and once read
 *
 * The points fill 64 MiB, more than the caches hold.
 *
 *     kernels table [all]     a table in Markdown; all: every instruction set
 *     kernels rate P W        core, and ns of sgemm, step and triad for a pair
 *     kernels rows            ns of a row for a point, by sparsifier, k and W
 *
 * Wants OPENBLAS_CORETYPE where OpenBLAS does not know the processor, or the
 * comparison flatters.
 */
#include <cblas.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "balans/algo/row.h"
#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/kernel/affinity.h"
#include "balans/kernel/cpu.h"
#include "balans/kernel/distance.h"
#include "balans/kernel/kselect.h"

enum {
    POINTS_BYTES = 64 << 20,
    BATCHES = 5,
    CLUSTERS = 10,
    W_MOST = 64,
    ROUNDS_MOST = 99,
    TRIAD = 1 << 24 /* elements in each of its arrays */
};

/* What the timed pieces work on. */
typedef struct bench {
    double (*clock)(void); /* in seconds */
    bal_comm comm;
    bal_layout *layout;
    bal_tiles *z;
    bal_rows *rows;
    float *y;     /* [W, p] */
    float *d2;    /* [W, BAL_TILE] */
    float *all;   /* [tiles, W, BAL_TILE], or [n, W] */
    float *triad; /* [3, TRIAD] */
    float *value;
    uint64_t mask[BAL_MASK_WORDS];
    uint32_t *bins;
    bal_kselect select[W_MOST];
    float *buffer;
    bal_gidx pos[W_MOST]; /* of the landmarks */
    bal_size n, tiles, kept;
    int p, w, k;
    bal_sparsify sparsify;
    double share; /* of each batch, where k is one */
} bench;

static double processor_time(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void need(bal_status st)
{
    if (bal_failed(st)) {
        fprintf(stderr, "kernels: %s\n", bal_error_get()->text);
        exit(1);
    }
}

static float *row_of(const bench *b, bal_size t, int w)
{
    return b->all + (t * b->w + w) * BAL_TILE;
}

static void sgemm_tiles(bench *b)
{
    for (bal_size t = 0; t < b->tiles; t++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, b->w, BAL_TILE,
                    b->p, -2.0f, b->y, b->p, bal_tiles_block(b->z, t), BAL_TILE,
                    0.0f, b->d2, BAL_TILE);
}

static void sgemm_rows(bench *b)
{
    for (bal_size t = 0; t < b->tiles; t++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, BAL_TILE, b->w,
                    b->p, -2.0f, bal_tiles_block(b->z, t), b->p, b->y, b->p,
                    0.0f, b->d2, b->w);
}

static void sgemm_all(bench *b)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)b->n, b->w, b->p,
                -2.0f, b->z->at, b->p, b->y, b->p, 0.0f, b->all, b->w);
}

static void run_distance(bench *b)
{
    for (bal_size t = 0; t < b->tiles; t++)
        bal_distance_tile(bal_tiles_block(b->z, t), BAL_TILE, b->p, b->y, b->w,
                          b->d2);
}

/* Not timed: what select and affinity read. */
static void store_distances(bench *b)
{
    for (bal_size t = 0; t < b->tiles; t++)
        bal_distance_tile(bal_tiles_block(b->z, t), BAL_TILE, b->p, b->y, b->w,
                          row_of(b, t, 0));
}

static void run_select(bench *b)
{
    for (int w = 0; w < b->w; w++)
        bal_kselect_init(&b->select[w], b->k,
                         b->buffer + w * bal_kselect_capacity(b->k));
    for (bal_size t = 0; t < b->tiles; t++)
        for (int w = 0; w < b->w; w++)
            bal_kselect_offer(&b->select[w], row_of(b, t, w), BAL_TILE);
    for (int w = 0; w < b->w; w++)
        bal_kselect_finish(&b->select[w]);
}

static void run_affinity(bench *b)
{
    for (bal_size t = 0; t < b->tiles; t++)
        for (int w = 0; w < b->w; w++) {
            float s2 = b->select[w].at[b->k - 1];
            int n = bal_candidates(row_of(b, t, w), BAL_TILE,
                                   BAL_AFFINITY_REACH * s2, b->value, b->mask);
            n = (n + BAL_LANES - 1) / BAL_LANES * BAL_LANES;
            bal_affinity_bin(b->value, n, s2, b->bins);
        }
}

static void run_step(bench *b)
{
    bal_csr_row row[W_MOST];
    bal_gidx pos[W_MOST];
    bal_status st = BAL_OK;

    memcpy(pos, b->pos, sizeof pos);
    bal_rows_compute(&b->comm, b->rows, b->w, pos, row, &st);
    need(st);
    b->kept = 0;
    for (int w = 0; w < b->w; w++) {
        b->kept += row[w].count;
        bal_csr_row_finish(&row[w]);
    }
}

static void run_triad(bench *b)
{
    bal_size left = b->n * (b->p + 2 * b->w) / 3;
    float *to = b->triad, *x = to + TRIAD, *y = x + TRIAD;

    for (; left > 0; left -= TRIAD) {
        bal_size n = left < TRIAD ? left : TRIAD;
        for (bal_size i = 0; i < n; i++)
            to[i] = x[i] + 3.0f * y[i];
    }
}

enum {
    SGEMM,
    SGEMM_ROWS,
    SGEMM_ALL,
    DISTANCE,
    SELECT,
    AFFINITY,
    STEP,
    STREAM,
    PIECES
};

static void (*const piece[PIECES])(bench *) = {
    [SGEMM] = sgemm_tiles,   [SGEMM_ROWS] = sgemm_rows,
    [SGEMM_ALL] = sgemm_all, [DISTANCE] = run_distance,
    [SELECT] = run_select,   [AFFINITY] = run_affinity,
    [STEP] = run_step,       [STREAM] = run_triad};

/* Seconds by piece and round; after measure() the fastest sgemm of a round is
 * at SGEMM. */
static double took[PIECES][ROUNDS_MOST];

static int rounds(void)
{
    const char *text = getenv("BENCH_ROUNDS");
    int r = text != NULL ? atoi(text) : 0;

    return r < 1 ? 7 : r < ROUNDS_MOST ? r : ROUNDS_MOST;
}

static void measure(bench *b)
{
    run_step(b);
    for (int r = 0; r < rounds(); r++) {
        for (int i = 0; i < PIECES; i++) {
            if (i == SELECT) /* sgemm_all() wrote over them */
                store_distances(b);
            double start = b->clock();
            piece[i](b);
            took[i][r] = b->clock() - start;
        }
        took[SGEMM][r] =
            fmin(took[SGEMM][r], fmin(took[SGEMM_ROWS][r], took[SGEMM_ALL][r]));
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median over rounds of the time of one piece, in multiples of another's; of
 * the time itself if that is none. */
static double median(int of, int by)
{
    double x[ROUNDS_MOST];
    int n = rounds();

    for (int r = 0; r < n; r++)
        x[r] = by < PIECES ? took[of][r] / took[by][r] : took[of][r];
    qsort(x, (size_t)n, sizeof *x, compare);
    return n % 2 != 0 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

static float noise(uint64_t *x)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(*x >> 40) * 0x1p-23f - 1.0f;
}

/* Points around CLUSTERS centres; landmarks are points, spread over all. */
static void fill(bench *b)
{
    float *centre = NULL;
    uint64_t x = 1;

    need(bal_alloc(&centre, CLUSTERS * b->p, "centres"));
    for (int i = 0; i < CLUSTERS * b->p; i++)
        centre[i] = 3.0f * noise(&x);
    for (bal_size t = 0; t < b->tiles; t++)
        for (int f = 0; f < b->p; f++)
            for (int j = 0; j < BAL_TILE; j++)
                bal_tiles_block(b->z, t)[f * BAL_TILE + j] =
                    centre[(t * 7 + j) % CLUSTERS * b->p + f] + noise(&x) +
                    noise(&x);
    for (int w = 0; w < b->w; w++) {
        b->pos[w] = (b->n / b->w) * w + w;
        bal_tiles_point(b->z, (bal_lidx)b->pos[w], b->y + w * b->p);
    }
    bal_free(&centre);
}

/* k = 0: a share of each batch. */
static void start(bench *b, int p, int w, int k)
{
    bal_row_params par = {.neighbors = {.k = k, .share = k > 0 ? 0 : b->share},
                          .sparsify = b->sparsify,
                          .threads = 1};
    bal_size each = POINTS_BYTES / (4 * BAL_TILE * BATCHES * p) + 1;
    bal_size sizes[BATCHES];

    b->p = p;
    b->w = w;
    b->k = (int)bal_neighbors_in(par.neighbors, each * BAL_TILE);
    for (int i = 0; i < BATCHES; i++)
        sizes[i] = each * BAL_TILE;
    need(bal_layout_create(sizes, BATCHES, 0, 1, &b->layout));
    b->n = b->layout->n;
    b->tiles = b->layout->tiles;
    need(bal_tiles_create(b->layout, p, &b->z));
    need(bal_alloc(&b->y, (bal_size)w * p, "landmarks"));
    need(bal_alloc(&b->d2, (bal_size)w * BAL_TILE, "distances"));
    need(bal_alloc(&b->all, b->n * w, "distances"));
    need(bal_alloc(&b->buffer, w * bal_kselect_capacity(b->k), "selections"));
    fill(b);
    need(bal_rows_create(b->z, &par, w, &b->rows));
}

static void end(bench *b)
{
    bal_rows_destroy(&b->rows);
    bal_tiles_destroy(&b->z);
    bal_layout_destroy(&b->layout);
    bal_free(&b->y);
    bal_free(&b->d2);
    bal_free(&b->all);
    bal_free(&b->buffer);
}

static void print_row(bench *b, int p, int w, int k)
{
    char k_text[32];

    start(b, p, w, k);
    measure(b);
    if (k > 0)
        snprintf(k_text, sizeof k_text, "%d", k);
    else
        snprintf(k_text, sizeof k_text, "0.1 %% = %d", b->k);
    printf("| %d | %d | %s | %.2f | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f | "
           "%.2f |\n",
           p, w, k_text, 100.0 * (double)b->kept / ((double)b->n * w),
           2e-9 * (double)b->n * w * p / median(SGEMM, PIECES),
           median(DISTANCE, SGEMM), median(SELECT, SGEMM),
           median(AFFINITY, SGEMM), median(STEP, SGEMM),
           median(STEP, SGEMM_ROWS), median(STEP, STREAM));
    fflush(stdout);
    end(b);
}

static void print_table(bench *b, bal_isa isa)
{
    static const int ps[] = {10, 50, 128}, ws[] = {16, 64}, ks[] = {10, 0};

    b->clock = processor_time;
    bal_isa_use(isa);
    printf("\nKernels: %s; OpenBLAS core: %s; %d rounds\n\n", bal_isa_name(isa),
           openblas_get_corename(), rounds());
    printf("| p | W | k | pairs kept, %% | sgemm, GF/s | distance / sgemm | "
           "select / sgemm | affinity / sgemm | step / sgemm | step / sgemm by "
           "rows | step / triad |\n"
           "| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: "
           "|\n");
    for (int l = 0; l < 2; l++)
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 2; j++)
                print_row(b, ps[i], ws[j], ks[l]);
}

static void print_rate(bench *b, int p, int w)
{
    double pairs;

    b->clock = bal_now;
    start(b, p, w, 10);
    measure(b);
    pairs = (double)b->n * w;
    printf("%s %.6f %.6f %.6f\n", openblas_get_corename(),
           1e9 * median(SGEMM, PIECES) / pairs,
           1e9 * median(STEP, PIECES) / pairs,
           1e9 * median(STREAM, PIECES) / pairs);
    end(b);
}

/* A row: distances, neighbours, affinities, what is kept of them; in ns of
 * processor time a point, the fastest of the rounds. */
static void print_rows(bench *b)
{
    static const int ks[] = {10, 0}, ws[] = {8, 64};

    b->clock = processor_time;
    b->share = 0.01;
    printf("| sparsify | k | W | kept, %% | distances | row |\n"
           "| :-- | --: | --: | --: | --: | --: |\n");
    for (int i = 0; i < 8; i++) {
        double best[2] = {INFINITY, INFINITY}, pairs;
        b->sparsify = i < 4 ? BAL_ELBOW : BAL_SCALE;
        start(b, 30, ws[i % 2], ks[i / 2 % 2]);
        run_step(b);
        for (int turn = 0; turn < 2 * rounds(); turn++) {
            double from = b->clock();
            (turn % 2 == 0 ? run_distance : run_step)(b);
            best[turn % 2] = fmin(best[turn % 2], b->clock() - from);
        }
        pairs = (double)b->n * b->w;
        printf("| %s | %d | %d | %.2f | %.2f | %.2f |\n",
               i < 4 ? "elbow" : "scale", b->k, b->w,
               100.0 * (double)b->kept / pairs, 1e9 * best[0] / pairs,
               1e9 * best[1] / pairs);
        fflush(stdout);
        end(b);
    }
}

static int run(bench *b, int argc, char **argv)
{
    int p = argc == 4 ? atoi(argv[2]) : 0, w = argc == 4 ? atoi(argv[3]) : 0;

    if (argc == 4 && strcmp(argv[1], "rate") == 0 && p > 0 && w > 0 &&
        w <= W_MOST) {
        print_rate(b, p, w);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "rows") == 0) {
        print_rows(b);
        return 0;
    }
    if (argc < 2 || argc > 3 || strcmp(argv[1], "table") != 0 ||
        (argc == 3 && strcmp(argv[2], "all") != 0)) {
        fprintf(stderr, "usage: kernels table [all] | rate P W | rows\n");
        return 2;
    }
    for (int isa = BAL_ISA_COUNT - 1; isa >= 0; isa--)
        if (bal_isa_usable((bal_isa)isa)) {
            print_table(b, (bal_isa)isa);
            if (argc == 2)
                break;
        }
    return 0;
}

int main(int argc, char **argv)
{
    bench b = {.share = 0.001};
    int code;

    MPI_Init(&argc, &argv);
    bal_comm_init(&b.comm, MPI_COMM_WORLD);
    need(bal_alloc(&b.triad, 3 * TRIAD, "the triad"));
    need(bal_alloc(&b.value, BAL_TILE, "candidates"));
    need(bal_alloc(&b.bins, BAL_BINS_ROOM, "bins"));
    for (bal_size i = 0; i < 3 * (bal_size)TRIAD; i++)
        b.triad[i] = 1.0f; /* pages of its own */
    openblas_set_num_threads(1);
    code = run(&b, argc, argv);
    bal_free(&b.triad);
    bal_free(&b.value);
    bal_free(&b.bins);
    bal_comm_finish(&b.comm);
    MPI_Finalize();
    return code;
}
