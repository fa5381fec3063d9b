/* The pilot: space and sampler on a sample of the file.
 *
 * How many landmarks a run draws depends on how the points lie, which no shape
 * tells; so the sampler itself is tried on part of them (pilot_rows.c says on
 * which).  All ranks read the sample and build the distance space together;
 * rank 0 then runs the sampler on ever larger parts of it, as far as a budget
 * of work reaches.
 *
 * How long a row is hangs on k against the points of a batch.  Where the sample
 * has whole batches, or such a part that k times the part is still a number of
 * neighbours, its trials have more and more batches, and that k.  Else they
 * have every batch, more and more of its points, and the run's k.
 *
 * Where all profiles are the sample, and the budget reaches, the last trial is
 * the run's first pass.
 *
 * Cost: the sample's, and WORK_MOST steps of the sampler's inner loop: about
 * half a second. */
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"
#include "pilot_internal.h"

enum {
    FEATURES_MOST = 1024, /* wider profiles are thinned: eigenvectors cost the
                              cube of their number */
    TRIAL_MEMORY = 256 << 20, /* work space of a trial, at least */
};

#define WORK_MOST 8e9

/* ---- rows in the layout of a communicator ---- */

/* Some points, laid out as a run would. */
typedef struct set {
    bal_labels labels;
    bal_layout *layout;
    bal_route *route;
    bal_shard *x;
} set;

static void set_finish(set *s)
{
    bal_shard_destroy(&s->x);
    bal_route_destroy(&s->route);
    bal_layout_destroy(&s->layout);
    bal_free(&s->labels.code);
    bal_free(&s->labels.size);
}

/* Numbers the batches that occur 0, 1, ...: `map` holds the points of each
 * before, and its number after. */
static void compact(bal_size batches, int64_t *map, bal_labels *l)
{
    l->count = 0;
    for (bal_size b = 0; b < batches; b++)
        if (map[b] > 0) {
            l->size[l->count] = map[b];
            map[b] = l->count++;
        }
    for (bal_size i = 0; i < l->m; i++)
        l->code[i] = (int32_t)map[l->code[i]];
}

/* Lays out m rows of this rank, with batches `code` out of `batches`. */
static bal_verdict set_make(bal_comm *c, const float *rows, const int32_t *code,
                            bal_size m, bal_size d, bal_size batches, set *s)
{
    bal_verdict st;
    bal_status mine;
    int64_t *map = NULL, sum = m;

    mine = bal_alloc(&map, batches, "the pilot");
    if (!bal_failed(mine))
        mine = bal_alloc(&s->labels.code, m, "the pilot");
    if (!bal_failed(mine))
        mine = bal_alloc(&s->labels.size, batches, "the pilot");
    BAL_TRY(bal_agree(c, mine));
    memcpy(s->labels.code, code, (size_t)m * sizeof *code);
    for (bal_size i = 0; i < m; i++)
        map[code[i]]++;
    bal_comm_exscan_i64(c, &sum, 1, &s->labels.first);
    bal_comm_sum_i64(c, &sum, 1);
    bal_comm_sum_i64(c, map, batches);
    s->labels.n = sum;
    s->labels.m = m;
    compact(batches, map, &s->labels);
    BAL_TRY(bal_agree(c, bal_layout_create(s->labels.size, s->labels.count,
                                           c->rank, c->size, &s->layout)));
    BAL_TRY(bal_route_create(c, &s->labels, s->layout, &s->route));
    BAL_TRY(bal_agree(c, bal_shard_create(s->layout, d, &s->x)));
    BAL_TRY(bal_route_scatter(c, s->route, 0, m, rows, s->x));
done:
    bal_free(&map);
    return st;
}

/* Keeps FEATURES_MOST features of each row, evenly spread. */
static void thin_features(bal_pilot_rows *s)
{
    bal_size d = s->d, less = FEATURES_MOST;

    if (d <= less)
        return;
    for (bal_size i = 0; i < s->m; i++)
        for (bal_size f = 0; f < less; f++)
            s->rows[i * less + f] = s->rows[i * d + f * d / less];
    s->d = less;
}

/* ---- the space ---- */

/* Builds the space of every `stride`-th row; `z` may be NULL.
 * @return by `seconds` what it took */
static bal_verdict build(bal_job *j, const bal_pilot_rows *s, bal_size stride,
                         set *x, bal_space **space, double *seconds)
{
    bal_verdict st;
    bal_space_params par = bal_job_space_params(j);
    bal_size m = (s->m + stride - 1) / stride;
    bal_pilot_rows less = {.m = m, .d = s->d};
    bal_status mine = bal_alloc(&less.rows, m * s->d, "the pilot");

    if (!bal_failed(mine))
        mine = bal_alloc(&less.code, m, "the pilot");
    BAL_TRY(bal_agree(j->comm, mine));
    for (bal_size i = 0; i < m; i++) {
        memcpy(less.rows + i * s->d, s->rows + i * stride * s->d,
               (size_t)s->d * sizeof *s->rows);
        less.code[i] = s->code[i * stride];
    }
    BAL_TRY(
        set_make(j->comm, less.rows, less.code, m, s->d, j->labels->count, x));
    bal_comm_barrier(j->comm);
    double start = bal_now();
    BAL_TRY(bal_space_create(j->comm, x->x, &par, space));
    *seconds = bal_now() - start;
done:
    bal_pilot_rows_finish(&less);
    return st;
}

/* How the time of the space grows: that of a quarter of the sample against that
 * of all of it. Thinned features make the parts of the covariance and of the
 * eigenvectors smaller by their square and cube. */
static bal_verdict time_space(bal_job *j, const bal_pilot_rows *s, double all,
                              bal_pilot *p)
{
    bal_verdict st;
    set x = {0};
    bal_space *space = NULL;
    int64_t m = s->m;
    double part = 0, wide = (double)j->info.d / (double)s->d;

    BAL_TRY(build(j, s, 4, &x, &space, &part));
    bal_comm_max_i64(j->comm, &m, 1);
    p->space_row = all > part && m > 3 ? (all - part) / (0.75 * (double)m) : 0;
    p->space_fixed = all - p->space_row * (double)m;
    p->space_fixed = p->space_fixed > 0 ? p->space_fixed : 0;
    p->space_row *= wide * wide;
    p->space_fixed *= wide * wide * wide;
done:
    bal_space_destroy(&space);
    set_finish(&x);
    return st;
}

/* ---- Z on every rank ---- */

/* Sends `count` records of every rank to rank 0, in the order of ranks, and
 * from there to all: `n` in all. */
static bal_verdict collect(bal_comm *c, const void *mine, bal_size count,
                           size_t size, bal_size n, void **out)
{
    bal_verdict st;
    bal_size *to = NULL, *from = NULL;
    bal_status own = bal_alloc(&to, c->size, "the pilot");

    if (!bal_failed(own))
        own = bal_alloc(&from, c->size, "the pilot");
    BAL_TRY(bal_agree(c, own));
    to[0] = count;
    BAL_TRY(bal_exchange(c, mine, to, size, out, from));
    if (c->rank != 0) {
        bal_mem_free(out);
        own = bal_mem_alloc(out, n, size, "the pilot");
    }
    BAL_TRY(bal_agree(c, own));
    bal_comm_bcast(c, *out, n * (bal_size)size, 0);
done:
    bal_free(&to);
    bal_free(&from);
    return st;
}

static bal_verdict share_space(bal_job *j, const bal_pilot_rows *s,
                               const set *x, bal_space *space, bal_pilot *p)
{
    bal_verdict st;
    bal_shard *z = NULL;
    float *rows = NULL;
    bal_status mine = bal_shard_create(x->layout, space->p, &z);

    if (!bal_failed(mine))
        mine = bal_alloc(&rows, s->m * space->p, "the pilot");
    BAL_TRY(bal_agree(j->comm, mine));
    bal_tiles_to_rows(space->z, z);
    BAL_TRY(bal_route_gather(j->comm, x->route, 0, s->m, z, rows));
    p->n = x->labels.n;
    p->p = (int)space->p;
    BAL_TRY(collect(j->comm, rows, s->m, sizeof(float) * (size_t)p->p, p->n,
                    (void **)&p->z));
    BAL_TRY(collect(j->comm, s->code, s->m, sizeof(int32_t), p->n,
                    (void **)&p->code));
done:
    bal_free(&rows);
    bal_shard_destroy(&z);
    return st;
}

/* ---- trials, on rank 0 ---- */

/* Numbers the batches of the sample 0, 1, ... in `number`, and says what part
 * of them the sample has. */
static void look_at_batches(const bal_job *j, bal_size *number, bal_pilot *p)
{
    double points = 0;

    memset(number, 0, (size_t)j->labels->count * sizeof *number);
    for (bal_size i = 0; i < p->n; i++)
        number[p->code[i]]++;
    p->batches = 0;
    for (bal_size b = 0; b < j->labels->count; b++)
        if (number[b] > 0) {
            points += (double)j->labels->size[b];
            number[b] = p->batches++;
        }
    p->share = (double)p->n / points;
}

/* Whether trials may differ in the number of batches alone: then k is that part
 * of the run's that the sample has of a batch, and how long rows are is seen.
 * Else they have part of the points of every batch and the run's k. */
static void choose_axis(const bal_job *j, bal_pilot *p)
{
    enum { K_LEAST = 3, DEEP = 100 };
    bal_size k = j->par->neighbors.k;
    double part = (double)k * p->share;
    double depth = (double)p->n / (double)p->batches;

    p->by_batch = p->batches >= BAL_BATCHES_LEAST &&
                  (k == 0 || p->share > 0.99 || part >= K_LEAST);
    p->k = p->by_batch ? (bal_size)(part + 0.5) : k;
    p->stretch = p->by_batch && p->k > 0 ? part / (double)p->k : 1;
    p->thin = !p->by_batch && !p->whole && depth < DEEP * (double)k;
}

static bool is_in(const bal_pilot *p, const bal_size *number, bal_size i,
                  bal_size stride, bal_size from)
{
    return (p->by_batch ? number[p->code[i]] : i) % stride == from;
}

static bal_status part_create(const bal_pilot *p, const bal_size *number,
                              bal_size stride, bal_size from, bal_pilot_rows *s)
{
    bal_status st;
    bal_size m = 0;

    for (bal_size i = 0; i < p->n; i++)
        m += is_in(p, number, i, stride, from);
    s->d = p->p;
    BAL_TRY(bal_alloc(&s->rows, m * p->p, "the pilot"));
    BAL_TRY(bal_alloc(&s->code, m, "the pilot"));
    for (bal_size i = 0; i < p->n; i++) {
        if (!is_in(p, number, i, stride, from))
            continue;
        memcpy(s->rows + s->m * p->p, p->z + i * p->p,
               (size_t)p->p * sizeof *p->z);
        s->code[s->m++] = p->code[i];
    }
done:
    return st;
}

/* The sampler on part `from` of `stride` of the sample. */
static bal_verdict try_part(bal_comm *self, const bal_job *j,
                            const bal_pilot *p, const bal_size *number,
                            bal_size stride, bal_size from, bal_trial *t)
{
    bal_verdict st;
    bal_row_params rows = bal_job_row_params(j);
    bal_sample_params par = bal_job_sample_params(j, 1);
    bal_pilot_rows s = {0};
    set x = {0};
    bal_tiles *z = NULL;
    bal_csr *a = NULL;

    rows.neighbors.k = p->k;
    BAL_TRY(bal_agree(self, part_create(p, number, stride, from, &s)));
    BAL_TRY(set_make(self, s.rows, s.code, s.m, p->p, j->labels->count, &x));
    BAL_TRY(bal_agree(self, bal_tiles_create(x.layout, p->p, &z)));
    bal_tiles_from_rows(z, x.x);
    /* Other draws for other parts: chance shall not repeat itself. */
    par.seed += (uint64_t)from;
    if (!p->whole || stride > 1)
        par.landmarks = par.max_landmarks = 0;
    par.memory = par.memory > TRIAL_MEMORY ? par.memory : TRIAL_MEMORY;
    t->n = s.m;
    t->batches = x.labels.count;
    BAL_TRY(bal_sample(self, z, x.route, &rows, &par, &a, &t->report));
    bal_sample_report_finish(&t->report);
done:
    bal_csr_destroy(&a);
    bal_tiles_destroy(&z);
    set_finish(&x);
    bal_pilot_rows_finish(&s);
    return st;
}

/* Steps of the inner loop that a trial of a part of the sample costs; rows grow
 * by the square root or faster.  A batch of few points costs as much as one of
 * more. */
static double work_of(const bal_pilot *p, double part)
{
    double rows = 400, batches = (double)p->batches;

    if (p->trials > 0)
        rows = 1.7 * (double)p->trial[p->trials - 1].report.rows;
    if (p->by_batch)
        batches *= part;
    return rows * (part * (double)p->n * (p->p + BAL_POINT_STEPS) +
                   batches * BAL_BATCH_STEPS);
}

static bal_verdict try_parts(bal_comm *self, const bal_job *j, bal_pilot *p)
{
    enum { PARTS = 3, FEW = 4096 };
    bal_verdict st;
    double left = WORK_MOST;
    bal_size *number = NULL, stride = p->n > FEW ? 32 : 1;

    BAL_TRY(bal_agree(self, bal_alloc(&number, j->labels->count, "the pilot")));
    look_at_batches(j, number, p);
    choose_axis(j, p);
    while (stride > (p->by_batch ? (p->batches + 1) / 2 : 8))
        stride /= 2;
    for (; stride > 0; stride /= 2) {
        double work = work_of(p, 1 / (double)stride);
        if (p->trials > 0 && work > left)
            break;
        for (bal_size k = 0; k < PARTS && k < stride; k++) {
            if (k > 0 && work > 0.02 * WORK_MOST)
                break;
            BAL_TRY(
                try_part(self, j, p, number, stride, k, &p->trial[p->trials]));
            p->trials++;
            left -= work;
        }
    }
    p->whole = p->whole && p->trial[p->trials - 1].n == p->n;
done:
    bal_free(&number);
    return st;
}

static bal_verdict try_all(bal_job *j, bal_pilot *p)
{
    bal_verdict st;
    bal_status mine = BAL_OK;
    bal_comm self;

    if (j->comm->rank == 0) {
        bal_comm_init(&self, MPI_COMM_SELF);
        mine = try_parts(&self, j, p).code;
        bal_comm_finish(&self);
    }
    BAL_TRY(bal_agree(j->comm, mine));
    bal_comm_bcast(j->comm, p->trial, sizeof p->trial, 0);
    bal_comm_bcast(j->comm, &p->trials, sizeof p->trials, 0);
    bal_comm_bcast(j->comm, &p->whole, sizeof p->whole, 0);
    bal_comm_bcast(j->comm, &p->by_batch, sizeof p->by_batch, 0);
    bal_comm_bcast(j->comm, &p->thin, sizeof p->thin, 0);
    bal_comm_bcast(j->comm, &p->stretch, sizeof p->stretch, 0);
done:
    return st;
}

bal_verdict bal_pilot_run(bal_job *j, bal_pilot *p)
{
    bal_verdict st;
    bal_pilot_rows s = {0};
    set x = {0};
    bal_space *space = NULL;
    double seconds = 0;

    *p = (bal_pilot){0};
    BAL_TRY(bal_pilot_read(j, p, &s));
    thin_features(&s);
    p->whole = p->whole && s.d == j->info.d;
    double start = bal_now();
    BAL_TRY(build(j, &s, 1, &x, &space, &seconds));
    p->route_row = s.m > 0 ? (bal_now() - start - seconds) / (double)s.m : 0;
    BAL_TRY(time_space(j, &s, seconds, p));
    double rate[] = {p->read_band, p->route_row, p->space_row, p->space_fixed};
    bal_comm_max_f64(j->comm, rate, 4);
    p->read_band = rate[0];
    p->route_row = rate[1];
    p->space_row = rate[2];
    p->space_fixed = rate[3];
    BAL_TRY(share_space(j, &s, &x, space, p));
    bal_space_destroy(&space);
    set_finish(&x);
    x = (set){0};
    bal_pilot_rows_finish(&s);
    BAL_TRY(try_all(j, p));
done:
    bal_space_destroy(&space);
    set_finish(&x);
    bal_pilot_rows_finish(&s);
    if (bal_failed(st))
        bal_pilot_finish(p);
    return st;
}

void bal_pilot_finish(bal_pilot *p)
{
    bal_free(&p->z);
    bal_free(&p->code);
}
