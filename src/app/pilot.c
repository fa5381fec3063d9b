/* The pilot: space and sampler on a sample of the file.
 *
 * How many landmarks a run draws depends on how the points lie, which no shape
 * tells; so the sampler itself is tried on part of them. The sample is runs of
 * consecutive rows spread evenly over the file, so that a compressed file is
 * decompressed in few places and one sorted by batch shows all of its batches;
 * which rows it has does not depend on the number of ranks. All ranks read it
 * and build the distance space together; rank 0 then runs the sampler on
 * eighths, quarters, halves and all of it, as far as a budget of work reaches.
 *
 * A file of no more rows than the sample has is the sample, and the trial is
 * the run.
 *
 * Cost: at most ROWS_MOST rows or FLOATS_MOST numbers to read, and WORK_MOST
 * steps of the sampler's inner loop: about half a second. */
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"
#include "forecast.h"

enum {
    ROWS_MOST = 1 << 16, /* of the sample, over all ranks */
    FLOATS_MOST = 10 << 20,
    FEATURES_MOST = 1024, /* wider profiles are thinned: eigenvectors cost the
                              cube of their number */
    RUNS_MOST = 256,      /* of consecutive rows */
    RUNS_LEAST = 8,
    DECODE_MOST = 64 << 20, /* bytes of chunks to decompress for the runs */
    STRETCH = 8 << 20,      /* bytes of rows read at one go for their rate */
};

#define WORK_MOST 6e9

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

/* ---- which rows ---- */

/* `count` runs of `length` rows each; run i starts at n i / count. */
typedef struct runs {
    bal_size n, count, length;
} runs;

/* Rows that are decompressed together. */
static bal_size rows_of_chunk(const bal_matrix_info *info)
{
    bal_size entries = info->nnz / (info->n > 0 ? info->n : 1) + 1;

    if (!info->chunked)
        return 1;
    return info->storage == BAL_DENSE ? info->chunk[0]
                                      : info->chunk[0] / entries + 1;
}

static runs choose_runs(const bal_matrix_info *info)
{
    bal_size n = info->n, rows = FLOATS_MOST / info->d;
    bal_size chunk = 4 * info->d * rows_of_chunk(info);
    bal_size count = info->filters[0] != '\0' ? DECODE_MOST / chunk : RUNS_MOST;

    rows = rows < ROWS_MOST ? rows : ROWS_MOST;
    rows = rows > RUNS_LEAST ? rows : RUNS_LEAST;
    count = count < RUNS_MOST ? count : RUNS_MOST;
    count = count > RUNS_LEAST ? count : RUNS_LEAST;
    if (n <= rows + rows / 4)
        return (runs){n, 1, n};
    return (runs){n, count, rows / count > 1 ? rows / count : 1};
}

/* The part of run i that lies in rows first .. end - 1: its start, and its
 * number of rows. */
static bal_size part_of(const runs *r, bal_size i, bal_gidx first, bal_gidx end,
                        bal_gidx *start)
{
    bal_gidx a = bal_slab_first(r->n, (int)i, (int)r->count);
    bal_gidx b = a + r->length;

    a = a > first ? a : first;
    b = b < end ? b : end;
    *start = a;
    return b > a ? b - a : 0;
}

/* ---- reading ---- */

typedef struct sample {
    bal_size m, d;
    float *rows;   /* [m, d] */
    int32_t *code; /* [m] */
} sample;

static void sample_finish(sample *s)
{
    bal_free(&s->rows);
    bal_free(&s->code);
}

static bal_status read_runs(bal_job *j, const runs *r, sample *s)
{
    bal_gidx first = j->labels->first, end = first + j->labels->m, at;
    bal_size done = 0, d = j->info.d;
    bal_status st = BAL_OK;

    for (bal_size i = 0; i < r->count && !bal_failed(st); i++) {
        bal_size m = part_of(r, i, first, end, &at);
        if (m == 0)
            continue;
        st = bal_h5ad_read_rows(j->file, at, m, s->rows + done * d);
        memcpy(s->code + done, j->labels->code + (at - first),
               (size_t)m * sizeof *s->code);
        done += m;
    }
    return st;
}

static bal_status sample_read(bal_job *j, const runs *r, sample *s)
{
    bal_status st;
    bal_gidx first = j->labels->first, end = first + j->labels->m, at;

    for (bal_size i = 0; i < r->count; i++)
        s->m += part_of(r, i, first, end, &at);
    s->d = j->info.d;
    BAL_TRY(bal_alloc(&s->rows, s->m * s->d, "the pilot"));
    BAL_TRY(bal_alloc(&s->code, s->m, "the pilot"));
    BAL_TRY(read_runs(j, r, s));
done:
    return st;
}

/* Seconds a row takes when many are read at one go. */
static bal_status read_stretch(bal_job *j, bal_pilot *p)
{
    bal_status st;
    bal_size m = STRETCH / (4 * j->info.d) + 1;
    float *rows = NULL;

    m = m < j->labels->m ? m : j->labels->m;
    BAL_TRY(bal_alloc(&rows, m * j->info.d, "the pilot"));
    double start = bal_now();
    BAL_TRY(bal_h5ad_read_rows(
        j->file, j->labels->first + (j->labels->m - m) / 2, m, rows));
    p->read_row = m > 0 ? (bal_now() - start) / (double)m : 0;
done:
    bal_free(&rows);
    return st;
}

/* Keeps FEATURES_MOST features of each row, evenly spread. */
static void thin_features(sample *s)
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
static bal_verdict build(bal_job *j, const sample *s, bal_size stride, set *x,
                         bal_space **space, double *seconds)
{
    bal_verdict st;
    bal_space_params par = bal_job_space_params(j);
    bal_size m = (s->m + stride - 1) / stride;
    sample less = {.m = m, .d = s->d};
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
    sample_finish(&less);
    return st;
}

/* How the time of the space grows: that of a quarter of the sample against that
 * of all of it. Thinned features make the parts of the covariance and of the
 * eigenvectors smaller by their square and cube. */
static bal_verdict time_space(bal_job *j, const sample *s, double all,
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

static bal_verdict share_space(bal_job *j, const sample *s, const set *x,
                               bal_space *space, bal_pilot *p)
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

/* The sampler on every `stride`-th point from `from` on. */
static bal_verdict try_part(bal_comm *self, const bal_job *j,
                            const bal_pilot *p, bal_size stride, bal_size from,
                            bal_trial *t)
{
    bal_verdict st;
    bal_row_params rows = bal_job_row_params(j);
    bal_sample_params par = bal_job_sample_params(j, 1);
    bal_size m = (p->n - from + stride - 1) / stride;
    sample s = {.m = m, .d = p->p};
    set x = {0};
    bal_tiles *z = NULL;
    bal_csr *a = NULL;
    bal_status mine = bal_alloc(&s.rows, m * p->p, "the pilot");

    if (!bal_failed(mine))
        mine = bal_alloc(&s.code, m, "the pilot");
    BAL_TRY(bal_agree(self, mine));
    for (bal_size i = 0; i < m; i++) {
        bal_size k = from + i * stride;
        memcpy(s.rows + i * p->p, p->z + k * p->p, (size_t)p->p * sizeof *p->z);
        s.code[i] = p->code[k];
    }
    BAL_TRY(set_make(self, s.rows, s.code, m, p->p, j->labels->count, &x));
    BAL_TRY(bal_agree(self, bal_tiles_create(x.layout, p->p, &z)));
    bal_tiles_from_rows(z, x.x);
    /* Other draws for other parts: chance shall not repeat itself. */
    par.seed += (uint64_t)from;
    par.max_landmarks = p->whole && stride == 1 ? par.max_landmarks : 0;
    t->n = m;
    t->batches = x.labels.count;
    BAL_TRY(bal_sample(self, z, x.route, &rows, &par, &a, &t->report));
    bal_sample_report_finish(&t->report);
done:
    bal_csr_destroy(&a);
    bal_tiles_destroy(&z);
    set_finish(&x);
    sample_finish(&s);
    return st;
}

/* Steps of the inner loop that a trial of n points costs; rows grow by the
 * square root or faster. */
static double work_of(const bal_pilot *p, bal_size n)
{
    const bal_trial *t = &p->trial[p->trials - 1];
    double rows = p->trials > 0 ? 1.7 * (double)t->report.rows : 400;

    return rows * (double)n * (p->p + 20);
}

static bal_verdict try_parts(bal_comm *self, const bal_job *j, bal_pilot *p)
{
    enum { PARTS = 3, FEW = 4096 };
    bal_verdict st = {BAL_OK};
    double left = WORK_MOST;

    for (bal_size stride = p->n > FEW ? 8 : 1; stride > 0; stride /= 2) {
        bal_size n = p->n / stride;
        double work = work_of(p, n);
        if (p->trials > 0 && work > left)
            break;
        for (bal_size k = 0; k < PARTS && k < stride; k++) {
            if (k > 0 && work > 0.02 * WORK_MOST)
                break;
            BAL_TRY(try_part(self, j, p, stride, k, &p->trial[p->trials]));
            p->trials++;
            left -= work;
        }
    }
    p->whole = p->whole && p->trial[p->trials - 1].n == p->n;
done:
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
done:
    return st;
}

bal_verdict bal_pilot_run(bal_job *j, bal_pilot *p)
{
    bal_verdict st;
    bal_status mine;
    sample s = {0};
    set x = {0};
    bal_space *space = NULL;
    runs r = choose_runs(&j->info);
    double seconds = 0;

    *p = (bal_pilot){0};
    mine = read_stretch(j, p);
    if (!bal_failed(mine))
        mine = sample_read(j, &r, &s);
    BAL_TRY(bal_agree(j->comm, mine));
    thin_features(&s);
    p->whole = r.length == r.n && s.d == j->info.d;
    double start = bal_now();
    BAL_TRY(build(j, &s, 1, &x, &space, &seconds));
    p->route_row = s.m > 0 ? (bal_now() - start - seconds) / (double)s.m : 0;
    BAL_TRY(time_space(j, &s, seconds, p));
    double rate[] = {p->read_row, p->route_row, p->space_row, p->space_fixed};
    bal_comm_max_f64(j->comm, rate, 4);
    p->read_row = rate[0];
    p->route_row = rate[1];
    p->space_row = rate[2];
    p->space_fixed = rate[3];
    BAL_TRY(share_space(j, &s, &x, space, p));
    bal_space_destroy(&space);
    set_finish(&x);
    x = (set){0};
    sample_finish(&s);
    BAL_TRY(try_all(j, p));
done:
    bal_space_destroy(&space);
    set_finish(&x);
    sample_finish(&s);
    if (bal_failed(st))
        bal_pilot_finish(p);
    return st;
}

void bal_pilot_finish(bal_pilot *p)
{
    bal_free(&p->z);
    bal_free(&p->code);
}
