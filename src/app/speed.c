/* How fast this machine is: the sampler and the correction, as they are, on
 * made-up points, by all ranks with all their threads at the same time, so that
 * whatever they share is shared here too.
 *
 * The points fill the batches in the proportions of the file, as many as the
 * bounds below allow. Each is a point of the sample moved at random, in each
 * dimension by up to half of what a near neighbour in its batch is off: so rows
 * keep about as many entries as those of the run, and no two points are equal.
 * The sampler draws blocks that are shorter than the run's, in as many at a
 * time.
 *
 * Cost: ROWS_WORK and ENTRIES_WORK bound it to some tenths of a second. */
#include <math.h>
#include <string.h>

#include "balans/algo/correct.h"
#include "balans/base/mem.h"
#include "balans/base/rng.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
#include "forecast.h"

enum {
    POINTS_MOST = 400000,   /* of a rank: more than caches hold */
    FLOATS_MOST = 16 << 20, /* of a rank's X */
    MEMORY = 256 << 20,     /* work space, at least */
    STEPS_LEAST = 2,        /* of a block */
    PIVOTS = 48,            /* of a batch, most */
    CANDIDATES = 32,        /* looked at for a near neighbour, in a cell */
};

#define ROWS_WORK    3e9
#define ENTRIES_WORK 3e8
#define SEED         0x5bd1e995u

/* Points of the sample, batch by batch, and in a batch cell by cell: those that
 * have the same pivot nearest. */
typedef struct donors {
    const bal_pilot *p;
    bal_size *first; /* [batches + 1], into `order` */
    bal_size *order; /* [p->n] */
    bal_size *near;  /* [p->n], a near point of the same batch */
} donors;

static double unit(uint64_t a, uint64_t b)
{
    uint64_t r = bal_rng_u64(SEED, (uint32_t)a, (uint32_t)(a >> 32),
                             (uint32_t)b, (uint32_t)(b >> 32));

    return (double)(r >> 11) * 0x1p-53;
}

static bal_size pick(const donors *d, bal_size first, bal_size end, uint64_t a,
                     uint64_t b)
{
    return d->order[first + (bal_size)(unit(a, b) * (double)(end - first))];
}

static float distance(const bal_pilot *p, bal_size i, bal_size k)
{
    const float *a = p->z + i * p->p, *b = p->z + k * p->p;
    float sum = 0;

    for (int f = 0; f < p->p; f++)
        sum += (a[f] - b[f]) * (a[f] - b[f]);
    return sum;
}

/* The pivot, of `count` evenly spread over the batch, that is nearest to
 * point i. */
static int nearest_pivot(const donors *d, bal_size first, bal_size m, int count,
                         bal_size i)
{
    float best = INFINITY;
    int at = 0;

    for (int c = 0; c < count; c++) {
        float d2 = distance(d->p, i, d->order[first + c * m / count]);
        if (d2 < best) {
            best = d2;
            at = c;
        }
    }
    return at;
}

static void find_near(const donors *d, bal_size first, bal_size end, bal_size i)
{
    float best = INFINITY;

    d->near[i] = i;
    for (uint64_t t = 0; t < CANDIDATES; t++) {
        bal_size k = pick(d, first, end, (uint64_t)i, t);
        float d2 = distance(d->p, i, k);
        if (d2 > 0 && d2 < best) {
            best = d2;
            d->near[i] = k;
        }
    }
}

/* Sorts the points first .. end - 1 of `order` by cells, and looks for a near
 * point in the own one: far points of a clustered batch are in others. */
static void sort_batch(const donors *d, bal_size first, bal_size end, int *cell,
                       bal_size *spare)
{
    bal_size m = end - first, at[PIVOTS + 1] = {0}, next[PIVOTS];
    int count = m / CANDIDATES < PIVOTS ? (int)(m / CANDIDATES) + 1 : PIVOTS;

    for (bal_size i = 0; i < m; i++) {
        cell[i] = nearest_pivot(d, first, m, count, d->order[first + i]);
        at[cell[i] + 1]++;
    }
    for (int c = 0; c < count; c++) {
        at[c + 1] += at[c];
        next[c] = at[c];
    }
    for (bal_size i = 0; i < m; i++)
        spare[next[cell[i]]++] = d->order[first + i];
    memcpy(d->order + first, spare, (size_t)m * sizeof *spare);
    for (int c = 0; c < count; c++)
        for (bal_size i = at[c]; i < at[c + 1]; i++)
            find_near(d, first + at[c], first + at[c + 1], d->order[first + i]);
}

static bal_status donors_create(const bal_pilot *p, bal_size batches, donors *d)
{
    bal_status st;
    bal_size *at = NULL;
    int *cell = NULL;

    d->p = p;
    BAL_TRY(bal_alloc(&d->first, batches + 1, "the calibration"));
    BAL_TRY(bal_alloc(&d->order, p->n, "the calibration"));
    BAL_TRY(bal_alloc(&d->near, p->n, "the calibration"));
    BAL_TRY(bal_alloc(&at, batches > p->n ? batches : p->n, "the calibration"));
    BAL_TRY(bal_alloc(&cell, p->n, "the calibration"));
    for (bal_size i = 0; i < p->n; i++)
        d->first[p->code[i] + 1]++;
    for (bal_size b = 0; b < batches; b++) {
        d->first[b + 1] += d->first[b];
        at[b] = d->first[b];
    }
    for (bal_size i = 0; i < p->n; i++)
        d->order[at[p->code[i]]++] = i;
    for (bal_size b = 0; b < batches; b++)
        sort_batch(d, d->first[b], d->first[b + 1], cell, at);
done:
    bal_free(&at);
    bal_free(&cell);
    return st;
}

static void donors_finish(donors *d)
{
    bal_free(&d->first);
    bal_free(&d->order);
    bal_free(&d->near);
}

/* Point number `a` of batch b; a batch that has none takes those of another. */
static void make_point(const donors *d, int32_t b, uint64_t a, float *out,
                       bal_size stride)
{
    const bal_pilot *p = d->p;
    bal_size first = d->first[b], end = d->first[b + 1];
    bal_size i = end > first ? pick(d, first, end, a, UINT64_C(1) << 32)
                             : pick(d, 0, p->n, a, UINT64_C(1) << 32);

    uint64_t r = bal_rng_u64(SEED, (uint32_t)a, (uint32_t)(a >> 32), 0, 1);
    for (int f = 0; f < p->p; f++) {
        double at = p->z[i * p->p + f], off = p->z[d->near[i] * p->p + f] - at;
        r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[f * stride] =
            (float)(at + off * ((double)(r >> 40) * 0x1p-24 - 0.5));
    }
}

static void make_points(const donors *d, bal_tiles *z)
{
    const bal_layout *l = z->layout;
    bal_gidx first = l->rank_first[l->rank];

    for (bal_size t = 0; t < l->tiles; t++) {
        const bal_tile *tile = &l->tile[t];
        float *block = bal_tiles_block(z, t);
        for (int k = 0; k < tile->m; k++)
            make_point(d, tile->batch, (uint64_t)(first + tile->first + k),
                       block + k, tile->ld);
    }
}

/* ---- the field ---- */

typedef struct field {
    double share; /* of the points of the file */
    bal_layout *layout;
    bal_tiles *z;
    bal_shard *x;
    bal_route route;
} field;

static void field_finish(field *f)
{
    bal_shard_destroy(&f->x);
    bal_tiles_destroy(&f->z);
    bal_layout_destroy(&f->layout);
}

/* Steps that a row costs for each point: its part of a batch is in it. */
static double steps_of(const bal_job *j, int p)
{
    return p + BAL_POINT_STEPS +
           BAL_BATCH_STEPS * (double)j->labels->count / (double)j->info.n;
}

/* Points of a rank. */
static double points_most(const bal_job *j, const bal_pilot *p, int width)
{
    double least_rows = STEPS_LEAST * (2 * width - 1);
    double most = fmin(POINTS_MOST, (double)FLOATS_MOST / (double)j->info.d);

    most = fmin(most, ROWS_WORK / (steps_of(j, p->p) * least_rows));
    return fmax(most, BAL_TILE);
}

static bal_status lay_out(const bal_job *j, double points, field *f)
{
    bal_status st;
    bal_size *size = NULL;

    f->share = fmin(points * j->comm->size / (double)j->info.n, 1);
    BAL_TRY(bal_alloc(&size, j->labels->count, "the calibration"));
    for (bal_size b = 0; b < j->labels->count; b++)
        size[b] = (bal_size)ceil(f->share * (double)j->labels->size[b]);
    BAL_TRY(bal_layout_create(size, j->labels->count, j->comm->rank,
                              j->comm->size, &f->layout));
done:
    bal_free(&size);
    return st;
}

static bal_status field_create(const bal_job *j, const bal_pilot *p, int width,
                               field *f)
{
    bal_status st;
    donors d = {0};

    BAL_TRY(lay_out(j, points_most(j, p, width), f));
    f->route.layout = f->layout;
    BAL_TRY(bal_tiles_create(f->layout, p->p, &f->z));
    BAL_TRY(bal_shard_create(f->layout, j->info.d, &f->x));
    BAL_TRY(donors_create(p, j->labels->count, &d));
    make_points(&d, f->z);
    for (bal_size i = 0; i < f->x->m * f->x->d; i++)
        f->x->at[i] = (float)(i % 1021);
done:
    donors_finish(&d);
    return st;
}

/* ---- timing ---- */

/* Steps of a block so short that W = 1, 2, 4, ... width of them cost no more
 * than they may. */
static bal_size short_block(const bal_job *j, const bal_pilot *p,
                            const bal_expected *e, bal_size points, int width)
{
    double share = e->entries.mid / e->landmarks.mid / (double)j->info.n;
    double rows = ROWS_WORK / ((double)points * steps_of(j, p->p));
    double most =
        ENTRIES_WORK / (share * (double)points * (double)j->info.d + 1);
    double block = fmin(rows, most) / (2 * width - 1);

    return block < (double)j->par->block ? (bal_size)fmax(block, STEPS_LEAST)
                                         : j->par->block;
}

static bal_row_params shorten(const bal_job *j, double share)
{
    bal_row_params rows = bal_job_row_params(j);

    if (rows.neighbors.k > 0)
        rows.neighbors.k =
            (bal_size)fmax(ceil(share * (double)rows.neighbors.k), 1);
    return rows;
}

/* Blocks in flight that the run will get to. */
static int last_width(const bal_job *j, const bal_expected *e)
{
    double blocks = ceil(e->rows / (double)j->par->block);
    double w = j->par->landmarks > 0 ? blocks : ceil(blocks / 4);

    return w < e->width ? (int)w : e->width;
}

static bal_verdict time_rows(bal_job *j, const field *f, bal_size points,
                             bal_size block, int width, bal_csr **a,
                             bal_speed *s, int64_t *entries)
{
    bal_verdict st;
    bal_row_params rows = shorten(j, f->share);
    bal_sample_params par = bal_job_sample_params(j, 1);
    bal_sample_report report = {0};

    par.memory = par.memory > MEMORY ? par.memory : MEMORY;
    par.block = block;
    par.uncovered = BAL_KEEP;
    par.most_in_flight = width;
    par.landmarks = 0;
    par.max_landmarks = (2 * width - 1) * block;
    par.patience = par.max_landmarks; /* few points are all drawn soon */
    par.expected = 2 * par.max_landmarks;
    bal_comm_barrier(j->comm);
    double start = bal_now();
    BAL_TRY(bal_sample(j->comm, f->z, &f->route, &rows, &par, a, &report));
    double scale =
        steps_of(j, (int)bal_job_dimensions(j)) / steps_of(j, f->z->p);
    s->row_point =
        scale * (bal_now() - start) / (double)report.rows / (double)points;
    *entries = report.entries;
    bal_sample_report_finish(&report);
done:
    return st;
}

static bal_verdict time_all(bal_job *j, const bal_pilot *p,
                            const bal_expected *e, int width, const field *f,
                            bal_speed *s)
{
    bal_verdict st;
    int64_t points = f->layout->m, entries = 0;
    bal_csr *a = NULL;

    bal_comm_max_i64(j->comm, &points, 1);
    bal_size block = short_block(j, p, e, points, width);
    BAL_TRY(time_rows(j, f, points, block, width, &a, s, &entries));
    bal_comm_barrier(j->comm);
    double start = bal_now();
    BAL_TRY(bal_correct(j->comm, a, (bal_correction)j->par->correction,
                        j->memory, j->threads, f->x));
    s->correct_entry =
        (bal_now() - start) / (double)(entries > 0 ? entries : 1);
    double rate[] = {s->row_point, s->correct_entry};
    bal_comm_max_f64(j->comm, rate, 2);
    *s = (bal_speed){rate[0], rate[1]};
done:
    bal_csr_destroy(&a);
    return st;
}

bal_verdict bal_speed_measure(bal_job *j, const bal_pilot *p,
                              const bal_expected *e, bal_speed *s)
{
    bal_verdict st;
    field f = {0};
    int width = last_width(j, e);

    *s = (bal_speed){0};
    BAL_TRY(bal_agree(j->comm, field_create(j, p, width, &f)));
    BAL_TRY(time_all(j, p, e, width, &f, s));
done:
    field_finish(&f);
    return st;
}
