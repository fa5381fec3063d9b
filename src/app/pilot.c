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
#include <math.h>
#include <stdlib.h>
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
    BATCHES_LEAST = 8,
    DECODE_MOST = 64 << 20, /* bytes of rows to decompress ... */
    READ_MOST = 256 << 20,  /* ... or just to read */
    STRETCH = 8 << 20,      /* bytes of rows read at one go */
    GAP = 1 << 16,          /* bytes that are read for nothing */
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

/* ---- which rows ---- */

/* Every so many-th window of `length` consecutive rows, and of these the rows
 * of chosen batches. */
typedef struct choice {
    bal_size length;
    double share; /* of the windows */
    bool *taken;  /* [batches] */
} choice;

typedef struct sized {
    bal_size size, batch;
} sized;

static int larger_first(const void *a, const void *b)
{
    const sized *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->batch < y->batch ? -1 : 1;
}

/* Takes `count` batches, evenly from the largest to the smallest; fewer, but
 * not below BATCHES_LEAST, if they have more than `most` points.
 * @return by `points` how many they have */
static bal_status take_batches(const bal_labels *l, bal_size count, double most,
                               bool *taken, double *points)
{
    bal_status st;
    sized *order = NULL;

    BAL_TRY(bal_alloc(&order, l->count, "the pilot"));
    for (bal_size b = 0; b < l->count; b++)
        order[b] = (sized){l->size[b], b};
    qsort(order, (size_t)l->count, sizeof *order, larger_first);
    for (;; count -= (count + 15) / 16) {
        *points = 0;
        for (bal_size i = 0; i < count; i++)
            *points += (double)order[i * l->count / count].size;
        if (*points <= most || count <= BATCHES_LEAST)
            break;
    }
    for (bal_size i = 0; i < count; i++)
        taken[order[i * l->count / count].batch] = true;
done:
    bal_free(&order);
    return st;
}

/* Rows that are decompressed together. */
static bal_size rows_of_chunk(const bal_matrix_info *info)
{
    bal_size entries = info->nnz / (info->n > 0 ? info->n : 1) + 1;

    if (!info->chunked || info->filters[0] == '\0')
        return 1;
    return info->storage == BAL_DENSE ? info->chunk[0]
                                      : info->chunk[0] / entries + 1;
}

/* Whether a band of chunks stays in memory once it is decompressed: up to as
 * many bytes as the reader holds (io/h5ad_matrix). */
static bool is_cached(const bal_matrix_info *info)
{
    return (double)rows_of_chunk(info) * (double)info->d *
               (double)info->element_bytes <=
           READ_MOST;
}

/* Whether rows of a batch lie one by one among those of others.  Collective. */
static bool is_mixed(const bal_job *j)
{
    enum { STRETCHES = 16 };
    int64_t changes = 0;

    for (bal_size i = 1; i < j->labels->m; i++)
        changes += j->labels->code[i] != j->labels->code[i - 1];
    bal_comm_sum_i64(j->comm, &changes, 1);
    return changes > j->info.n / STRETCHES;
}

/* What may be taken into the sample. */
static bal_size rows_most(const bal_matrix_info *info)
{
    bal_size rows = FLOATS_MOST / info->d;

    rows = rows < ROWS_MOST ? rows : ROWS_MOST;
    return rows > 1 ? rows : 1;
}

static bool fits_whole(const bal_matrix_info *info)
{
    bal_size rows = rows_most(info);

    return info->n <= rows + rows / 4;
}

/* Whole batches where they can be had, else equal parts of as few as represent
 * the file; how far a point's neighbours are hangs on the points of a batch.
 * Where batches are mixed, or chunks taller than they are, all rows of the
 * windows are read, whoever they belong to. */
static bal_status choose(const bal_job *j, bool mixed, choice *ch)
{
    bal_status st = BAL_OK;
    const bal_matrix_info *info = &j->info;
    bal_size n = info->n, rows = rows_most(info), batches = j->labels->count;
    bal_size chunk = rows_of_chunk(info);
    bool quick = info->storage == BAL_DENSE && info->filters[0] == '\0';
    bal_size readable = (quick ? READ_MOST : DECODE_MOST) / (4 * info->d);
    bal_size runs = readable / chunk, count;
    bal_size least = is_cached(info) ? RUNS_LEAST : 1;
    double read = 1, points;

    if (fits_whole(info)) {
        ch->length = n;
        ch->share = 1;
        memset(ch->taken, true, (size_t)batches * sizeof *ch->taken);
        return BAL_OK;
    }
    runs = runs < RUNS_MOST ? runs : RUNS_MOST;
    runs = runs > least ? runs : least;
    count = (bal_size)((double)rows / (double)n * (double)batches);
    mixed = mixed || (count > BATCHES_LEAST && count > runs && chunk > 1);
    if (mixed) {
        readable = readable > rows ? readable : rows;
        read = fmin((double)readable / (double)n, 1);
        count = (bal_size)((double)rows / ((double)n * read) * (double)batches);
    }
    count = count > BATCHES_LEAST ? count : BATCHES_LEAST;
    count = count < batches ? count : batches;
    BAL_TRY(take_batches(j->labels, count, (double)rows / read, ch->taken,
                         &points));
    ch->share = fmin(read, (double)rows / points);
    ch->length = (bal_size)(ch->share * (double)n / (double)runs);
    ch->length = mixed ? ch->length : rows / runs;
    ch->length = ch->length > 1 ? ch->length : 1;
done:
    return st;
}

/* Whether window w is one to read. */
static bool is_open(const choice *ch, bal_size w)
{
    return floor((double)(w + 1) * ch->share + 0.5) >
           floor((double)w * ch->share + 0.5);
}

/* The first row to take from `at` on, `end` if there is none. */
static bal_gidx next_row(const bal_job *j, const choice *ch, bal_gidx at,
                         bal_gidx end)
{
    while (at < end) {
        bal_size w = at / ch->length;
        if (!is_open(ch, w))
            at = (w + 1) * ch->length;
        else if (ch->taken[j->labels->code[at - j->labels->first]])
            return at;
        else
            at++;
    }
    return end;
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

/* Rows `at` .. at + count - 1 of the file are in `buffer`; keeps those to
 * take. */
static void keep_rows(const bal_job *j, const choice *ch, bal_gidx at,
                      bal_size count, const float *buffer, sample *s)
{
    bal_gidx end = at + count, i = next_row(j, ch, at, end);

    for (; i < end; i = next_row(j, ch, i + 1, end)) {
        memcpy(s->rows + s->m * s->d, buffer + (i - at) * s->d,
               (size_t)s->d * sizeof *s->rows);
        s->code[s->m++] = j->labels->code[i - j->labels->first];
    }
}

/* Reads over gaps that cost less than another call. */
static bal_status read_chosen(bal_job *j, const choice *ch, bal_size most,
                              float *buffer, sample *s)
{
    bal_status st = BAL_OK;
    bal_gidx end = j->labels->first + j->labels->m;
    bal_size gap = GAP / (4 * j->info.d) + rows_of_chunk(&j->info);
    bal_gidx at = next_row(j, ch, j->labels->first, end);

    while (at < end) {
        bal_gidx last = at, next = next_row(j, ch, at + 1, end);
        while (next < end && next - last <= gap && next - at < most) {
            last = next;
            next = next_row(j, ch, last + 1, end);
        }
        BAL_TRY(bal_h5ad_read_rows(j->file, at, last - at + 1, buffer));
        keep_rows(j, ch, at, last - at + 1, buffer, s);
        at = next;
    }
done:
    return st;
}

static bal_status sample_read(bal_job *j, const choice *ch, sample *s)
{
    bal_status st;
    bal_gidx at = j->labels->first, end = at + j->labels->m;
    bal_size d = j->info.d, m = 0;
    bal_size most =
        (is_cached(&j->info) ? STRETCH : DECODE_MOST) / (4 * d) + 1;
    float *buffer = NULL;

    for (at = next_row(j, ch, at, end); at < end;
         at = next_row(j, ch, at + 1, end))
        m++;
    s->d = d;
    BAL_TRY(bal_alloc(&s->rows, m * d, "the pilot"));
    BAL_TRY(bal_alloc(&s->code, m, "the pilot"));
    BAL_TRY(bal_alloc(&buffer, most * d, "the pilot"));
    BAL_TRY(read_chosen(j, ch, most, buffer, s));
done:
    bal_free(&buffer);
    return st;
}

/* Seconds a band takes, read for the first time. */
static bal_status read_stretch(bal_job *j, bal_pilot *p)
{
    bal_status st;
    bal_size m = STRETCH / (4 * j->info.d) + 1;
    float *rows = NULL;

    m = m < j->labels->m ? m : j->labels->m;
    BAL_TRY(bal_alloc(&rows, m * j->info.d, "the pilot"));
    bal_gidx at = j->labels->first + (j->labels->m - m) / 2;
    double start = bal_now();
    BAL_TRY(bal_h5ad_read_rows(j->file, at, m, rows));
    if (m > 0)
        p->read_band = (bal_now() - start) /
                       (double)((at + m - 1) / p->band - at / p->band + 1);
done:
    bal_free(&rows);
    return st;
}

/* The sample; where bands are too tall to be read twice, it is what is timed. */
static bal_status read_and_time(bal_job *j, const choice *ch, bal_pilot *p,
                                sample *s)
{
    bal_status st = BAL_OK;

    if (p->cached)
        BAL_TRY(read_stretch(j, p));
    double start = bal_now();
    BAL_TRY(sample_read(j, ch, s));
    if (!p->cached && s->m > 0)
        p->read_band = (bal_now() - start) /
                       ceil((double)ch->length / (double)p->band);
done:
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

    p->by_batch = p->batches >= BATCHES_LEAST &&
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
                              bal_size stride, bal_size from, sample *s)
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
    sample s = {0};
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
    par.max_landmarks = p->whole && stride == 1 ? par.max_landmarks : 0;
    par.memory = par.memory > TRIAL_MEMORY ? par.memory : TRIAL_MEMORY;
    t->n = s.m;
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

    BAL_TRY(
        bal_agree(self, bal_alloc(&number, j->labels->count, "the pilot")));
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
            BAL_TRY(try_part(self, j, p, number, stride, k,
                             &p->trial[p->trials]));
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
    bal_status mine;
    sample s = {0};
    set x = {0};
    bal_space *space = NULL;
    choice ch = {0};
    bool mixed = is_mixed(j);
    double seconds = 0;

    *p = (bal_pilot){0};
    mine = bal_alloc(&ch.taken, j->labels->count, "the pilot");
    if (!bal_failed(mine))
        mine = choose(j, mixed, &ch);
    p->band = rows_of_chunk(&j->info);
    p->cached = is_cached(&j->info);
    if (!bal_failed(mine))
        mine = read_and_time(j, &ch, p, &s);
    BAL_TRY(bal_agree(j->comm, mine));
    thin_features(&s);
    p->whole = fits_whole(&j->info) && s.d == j->info.d;
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
    sample_finish(&s);
    BAL_TRY(try_all(j, p));
done:
    bal_free(&ch.taken);
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
