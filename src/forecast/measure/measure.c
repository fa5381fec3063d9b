/* The sampler on a sample of the file, and what everything takes.
 *
 * How many affinities a run finds, and without --landmarks M how many
 * landmarks, depends on how the points lie, which no shape tells; so the
 * sampler itself is tried on part of them (rows.c says on which): on ever
 * larger parts of the sample, as far as a budget of work reaches.
 *
 * How long a row is hangs on k against the points of a batch. Where the sample
 * has whole batches, or such a part that k times the part is still a number of
 * neighbours, its trials have more and more batches, and that k. Else they have
 * every batch, more and more of its points, and the run's k.
 *
 * Where all profiles are the sample, and the budget reaches, the last trial is
 * the run's first pass. Its affinities also serve to time what follows.
 *
 * Cost: the sample's, and up to twice WORK_MOST steps of the sampler's inner
 * loop: less than a second.
 */
#include "balans/forecast/measure.h"

#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
#include "rows.h"

enum {
    TRIAL_MEMORY = 64 << 20, /* work space, at least */
    CONSENSUS = 200,    /* bytes of it a landmark and batch, at least */
    POINT_STEPS = 20,   /* of the inner loop that a point costs a row, beside */
    BATCH_STEPS = 2000, /* its dimensions, and a batch: they bound the work */
};

#define WORK_MOST 5e9 /* of a trial, these steps */

/* The sample in the making; all is on this rank alone. */
typedef struct trials {
    bal_comm *self;
    const bal_workload *w;
    bal_measured *m;
    bal_sample_rows rows;
    bal_size *number;  /* [w->batches] of those that occur, from 0 */
    bal_size batches;  /* that occur ... */
    double share;      /* ... and what part of their points the sample has */
    bal_size k;        /* of the trials */
    float *z;          /* [rows.m, p] */
} trials;

static bal_size work_space(const trials *t)
{
    bal_size memory = t->w->sample.memory;

    return memory > TRIAL_MEMORY ? memory : TRIAL_MEMORY;
}

/* ---- the space ---- */

static bal_verdict take_coordinates(void *arg, bal_size first, bal_size count,
                                    const float *z)
{
    trials *t = arg;

    if (count > 0)
        memcpy(t->z + first * t->m->p, z,
               (size_t)(count * t->m->p) * sizeof *z);
    return bal_agree(t->self, BAL_OK);
}

/* Builds the space of every `stride`-th row. */
static bal_verdict build(trials *t, bal_size stride, double *seconds)
{
    const bal_sample_rows *r = &t->rows;
    bal_space_params par = t->w->space;
    bal_size m = (r->m + stride - 1) / stride;
    bal_blocks *x = NULL;
    bal_space *space = NULL;
    bal_status mine = bal_blocks_create(m, r->d, 0, 1, &x);
    bal_verdict st;

    par.solver = BAL_PCA_LAPACK;
    par.memory = work_space(t);
    if (!bal_failed(mine))
        mine = bal_blocks_reside(x);
    BAL_TRY(bal_agree(t->self, mine));
    for (bal_size i = 0; i < m; i++)
        memcpy(x->at + i * r->d, r->rows + i * stride * r->d,
               (size_t)r->d * sizeof *x->at);
    double start = bal_now();
    BAL_TRY(bal_space_fit(t->self, x, &par, &space));
    t->m->p = space->p;
    BAL_TRY(bal_agree(t->self, t->z != NULL ? BAL_OK
                                            : bal_alloc(&t->z, r->m * space->p,
                                                        "the sample")));
    BAL_TRY(bal_space_project(t->self, space, x, par.memory, par.threads,
                              take_coordinates, t));
    *seconds = bal_now() - start;
done:
    bal_space_destroy(&space);
    bal_blocks_destroy(&x);
    return st;
}

/* The coordinates; and how the time of the space grows: that of a quarter of
 * the sample against that of all of it. Thinned features make the parts of the
 * covariance and of the eigenvectors smaller by their square and cube. */
static bal_verdict build_space(trials *t)
{
    enum { ROWS_LEAST = 256 }; /* of a quarter */
    bal_measured *m = t->m;
    double part = 0, all = 0, wide = (double)t->w->d / (double)t->rows.d;
    double rows = (double)t->rows.m;
    bal_verdict st;

    if (t->rows.m >= 4 * ROWS_LEAST)
        BAL_TRY(build(t, 4, &part));
    BAL_TRY(build(t, 1, &all));
    m->space_row = all > part && part > 0 ? (all - part) / (0.75 * rows) : 0;
    m->space_fixed = all - m->space_row * rows;
    m->space_fixed = m->space_fixed > 0 ? m->space_fixed : 0;
    m->space_row *= wide * wide;
    m->space_fixed *= wide * wide * wide;
done:
    return st;
}

/* ---- trials ---- */

/* Some points, laid out as a run would. */
typedef struct points {
    bal_labels labels;
    bal_order *order;
    bal_tiles *z;
} points;

static void points_finish(points *p)
{
    bal_tiles_destroy(&p->z);
    bal_order_destroy(&p->order);
    bal_free(&p->labels.code);
    bal_free(&p->labels.size);
}

/* Numbers the batches of the sample 0, 1, ..., and says what part of them it
 * has. */
static void look_at_batches(trials *t)
{
    double sizes = 0;

    for (bal_size i = 0; i < t->rows.m; i++)
        t->number[t->rows.code[i]]++;
    for (bal_size b = 0; b < t->w->batches; b++)
        if (t->number[b] > 0) {
            sizes += (double)t->w->batch_size[b];
            t->number[b] = t->batches++;
        }
    t->share = (double)t->rows.m / sizes;
}

static void choose_axis(trials *t)
{
    enum { K_LEAST = 3 };
    bal_measured *m = t->m;
    bal_size k = t->w->rows.neighbors.k;
    double part = (double)k * t->share;

    m->by_batch = t->batches >= BAL_BATCHES_LEAST &&
                  (k == 0 || t->share > 0.99 || part >= K_LEAST);
    t->k = m->by_batch ? (bal_size)(part + 0.5) : k;
    m->stretch = m->by_batch && t->k > 0 ? part / (double)t->k : 1;
}

/* Labels and coordinates of every `stride`-th batch, or row; batches are
 * numbered anew. */
static bal_status label(const trials *t, bal_size stride, float *z,
                        bal_labels *l)
{
    bal_size *count = NULL, p = t->m->p;
    bal_status st;

    BAL_TRY(bal_alloc(&count, t->batches, "the sample"));
    BAL_TRY(bal_alloc(&l->code, t->rows.m, "the sample"));
    BAL_TRY(bal_alloc(&l->size, t->batches, "the sample"));
    for (bal_size i = 0; i < t->rows.m; i++) {
        bal_size by = t->m->by_batch ? t->number[t->rows.code[i]] : i;
        if (by % stride != 0)
            continue;
        memcpy(z + l->m * p, t->z + i * p, (size_t)p * sizeof *z);
        l->code[l->m] = (int32_t)t->number[t->rows.code[i]];
        count[l->code[l->m++]]++;
    }
    for (bal_size b = 0; b < t->batches; b++)
        if (count[b] > 0) {
            l->size[l->count] = count[b];
            count[b] = l->count++;
        }
    for (bal_size i = 0; i < l->m; i++)
        l->code[i] = (int32_t)count[l->code[i]];
    l->n = l->m;
done:
    bal_free(&count);
    return st;
}

static bal_verdict points_make(const trials *t, bal_size stride, points *out)
{
    float *z = NULL;
    bal_status mine = bal_alloc(&z, t->rows.m * t->m->p, "the sample");
    bal_verdict st;

    if (!bal_failed(mine))
        mine = label(t, stride, z, &out->labels);
    BAL_TRY(bal_agree(t->self, mine));
    BAL_TRY(bal_order_create(t->self, &out->labels, &out->order));
    BAL_TRY(bal_agree(t->self, bal_tiles_create(out->order->layout,
                                                (int)t->m->p, &out->z)));
    BAL_TRY(bal_route_to_tiles(t->self, out->order, 0, out->labels.m, z,
                               out->z));
done:
    bal_free(&z);
    return st;
}

/* As many landmarks as in the run, but not all points unless there they are. */
static bal_size landmarks_of(const trials *t, bal_size n)
{
    bal_size wanted = t->w->sample.landmarks, some = (n + 1) / 2;

    if (wanted == 0 || n == t->w->n)
        return wanted;
    if (2 * t->w->n <= 3 * wanted)
        return n;
    return wanted < some ? wanted : some;
}

/* ---- what follows the sampler ---- */

/* Times what is done with A, on the coordinates: the profiles take as long for
 * each feature. */
static bal_verdict time_correct(const trials *t, const points *p,
                                const bal_csr *a, const float *scale)
{
    const bal_workload *w = t->w;
    const bal_layout *l = p->order->layout;
    bool residual = w->form == BAL_RESIDUAL;
    double entries = (double)bal_csr_entries(a) + 1, start = bal_now();
    bal_correct_params par = {.form = w->form,
                              .blend = 1,
                              .memory = work_space(t) +
                                        CONSENSUS * a->m * l->batches,
                              .threads = w->space.threads};
    bal_affinity *by_tile = NULL;
    bal_parts *parts = NULL;
    bal_trust *trust = NULL;
    bal_blocks *z = NULL;
    bal_gidx *landmark = NULL;
    float *most = NULL;
    bal_status mine = bal_alloc(&landmark, a->m, "the sample");
    bal_verdict st;

    if (!bal_failed(mine))
        mine = bal_alloc(&most, p->z->p, "the sample");
    if (!bal_failed(mine))
        mine = bal_affinity_by_tile(a, p->order, w->space.threads, &by_tile);
    BAL_TRY(bal_agree(t->self, mine));
    for (bal_size i = 0; i < a->m; i++)
        landmark[i] = a->row[i].landmark;
    t->m->arrange = (bal_now() - start) / entries;
    start = bal_now();
    BAL_TRY(bal_parts_create(t->self, by_tile, l, residual ? l->batches : 1,
                             &parts));
    if (w->trusts && residual)
        BAL_TRY(bal_trust_create(t->self, w->trust, by_tile, l, parts, scale,
                                 landmark, &trust));
    t->m->weigh = (bal_now() - start) / entries;
    BAL_TRY(bal_agree(t->self, bal_tiles_blocks(p->z, 1 << 20, &z)));
    BAL_TRY(bal_correct_bounds(t->self, z, most));
    par.parts = parts;
    par.trust = trust;
    start = bal_now();
    BAL_TRY(bal_correct(t->self, by_tile, z, &par, most, NULL));
    t->m->correct = (bal_now() - start) / entries / (double)p->z->p;
done:
    bal_trust_destroy(&trust);
    bal_parts_destroy(&parts);
    bal_affinity_destroy(&by_tile);
    bal_blocks_destroy(&z);
    bal_free(&landmark);
    bal_free(&most);
    return st;
}

/* The sampler, and what follows it, on one part of `stride` of the sample. */
static bal_verdict try_part(trials *t, bal_size stride, bal_trial *out)
{
    bal_row_params rows = t->w->rows;
    bal_sample_params par = t->w->sample;
    bal_sample_report r = {0};
    double wide = (double)(t->w->p + POINT_STEPS) /
                  (double)(t->m->p + POINT_STEPS);
    points p = {0};
    bal_csr *a = NULL;
    bal_verdict st;

    rows.neighbors.k = t->k;
    BAL_TRY(points_make(t, stride, &p));
    par.landmarks = landmarks_of(t, p.labels.n);
    par.max_landmarks = t->m->whole && stride == 1 ? par.max_landmarks : 0;
    par.memory = work_space(t);
    double start = bal_now();
    BAL_TRY(bal_sample(t->self, p.z, p.order, &rows, &par, &a, &r));
    t->m->point = wide * (bal_now() - start) / (double)r.rows /
                  (double)p.labels.n;
    *out = (bal_trial){p.labels.n, p.labels.count, r.landmarks,
                       r.filled,   r.rows,         r.entries};
    BAL_TRY(time_correct(t, &p, a, r.scale));
done:
    bal_csr_destroy(&a);
    bal_sample_report_finish(&r);
    points_finish(&p);
    return st;
}

/* Steps of the inner loop that a trial of a part of the sample costs; without
 * a number wanted, rows grow by the square root or faster. */
static double work_of(const trials *t, double part)
{
    const bal_measured *m = t->m;
    double n = part * (double)t->rows.m, batches = (double)t->batches;
    double rows = (double)landmarks_of(t, (bal_size)n);

    if (t->w->sample.landmarks == 0)
        rows = m->trials > 0 ? 1.7 * (double)m->trial[m->trials - 1].rows : 400;
    if (m->by_batch)
        batches *= part;
    return rows * (n * (double)(m->p + POINT_STEPS) + batches * BATCH_STEPS);
}

static bal_verdict try_parts(trials *t)
{
    enum { FEW = 4096 };
    bal_measured *m = t->m;
    bal_size stride = m->whole && t->rows.m <= FEW ? 1 : 32;
    bal_verdict st = {BAL_OK};

    while (stride > (m->by_batch ? (t->batches + 1) / 2 : 8))
        stride /= 2;
    for (; stride > 0; stride /= 2) {
        if (m->trials > 0 && work_of(t, 1 / (double)stride) > WORK_MOST)
            break;
        BAL_TRY(try_part(t, stride, &m->trial[m->trials]));
        m->trials++;
    }
    m->whole = m->whole && m->trial[m->trials - 1].n == t->w->n;
done:
    return st;
}

/* ---- all ---- */

static bal_verdict measure(trials *t)
{
    bal_verdict st;

    BAL_TRY(bal_agree(t->self, bal_alloc(&t->number, t->w->batches,
                                         "the sample")));
    BAL_TRY(build_space(t));
    look_at_batches(t);
    choose_axis(t);
    BAL_TRY(try_parts(t));
done:
    return st;
}

/* The slowest rank counts. */
static void agree_on_times(bal_comm *c, bal_measured *m)
{
    double *time[] = {&m->opening, &m->read_row, &m->space_fixed, &m->space_row,
                      &m->point,   &m->arrange,  &m->weigh,       &m->correct};

    for (size_t i = 0; i < sizeof time / sizeof *time; i++)
        bal_comm_max_f64(c, time[i], 1);
}

bal_verdict bal_measure(bal_comm *c, bal_h5ad *file, const bal_labels *labels,
                        const bal_workload *w, double opening,
                        bal_measured *out)
{
    const bal_rows_source from = {c, file, &w->matrix, labels};
    bal_comm self;
    trials t = {.self = &self, .w = w, .m = out};
    double start = bal_now();
    bal_status mine;
    bal_verdict st;

    *out = (bal_measured){0};
    BAL_TRY(bal_h5ad_matrix_load(file));
    out->opening = opening + bal_now() - start;
    BAL_TRY(bal_sample_rows_read(&from, out, &t.rows));
    out->n = t.rows.m;
    out->d = t.rows.d;
    out->whole = out->whole && t.rows.d == w->d;
    bal_comm_init(&self, MPI_COMM_SELF);
    mine = measure(&t).code;
    bal_comm_finish(&self);
    BAL_TRY(bal_agree(c, mine));
    agree_on_times(c, out);
done:
    bal_free(&t.number);
    bal_free(&t.z);
    bal_sample_rows_finish(&t.rows);
    return st;
}
