/* Which rows the pilot looks at, and how fast they are read.
 *
 * How far a point's neighbours are hangs on the points of its batch, so batches
 * are taken whole, as many as there is room for, from the largest to the
 * smallest; where that would be fewer than represent the file, equal parts of
 * them.  Parts are windows of consecutive rows, evenly spread, so that a
 * compressed file is decompressed in few places.  Where rows of all batches lie
 * mixed, whole batches cost reading everything: then as much is read as the
 * bounds below allow, and what lies between is dropped.  Which rows are taken
 * does not depend on the number of ranks.
 *
 * Cost: ROWS_MOST rows or FLOATS_MOST numbers to keep, READ_MOST or DECODE_MOST
 * bytes to read. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
#include "pilot_internal.h"

enum {
    ROWS_MOST = 1 << 16, /* of the sample, over all ranks */
    FLOATS_MOST = 10 << 20,
    RUNS_MOST = 256, /* of consecutive rows */
    RUNS_LEAST = 8,
    DECODE_MOST = 64 << 20, /* bytes of rows to decompress ... */
    READ_MOST = 256 << 20,  /* ... or just to read */
    STRETCH = 8 << 20,      /* bytes of rows read at one go */
    GAP = 1 << 16,          /* bytes that are read for nothing */
};

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
 * not below BAL_BATCHES_LEAST, if they have more than `most` points.
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
        if (*points <= most || count <= BAL_BATCHES_LEAST)
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
    mixed = mixed || (count > BAL_BATCHES_LEAST && count > runs && chunk > 1);
    if (mixed) {
        readable = readable > rows ? readable : rows;
        read = fmin((double)readable / (double)n, 1);
        count = (bal_size)((double)rows / ((double)n * read) * (double)batches);
    }
    count = count > BAL_BATCHES_LEAST ? count : BAL_BATCHES_LEAST;
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

/* Rows `at` .. at + count - 1 of the file are in `buffer`; keeps those to
 * take. */
static void keep_rows(const bal_job *j, const choice *ch, bal_gidx at,
                      bal_size count, const float *buffer, bal_pilot_rows *s)
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
                              float *buffer, bal_pilot_rows *s)
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

static bal_status sample_read(bal_job *j, const choice *ch, bal_pilot_rows *s)
{
    bal_status st;
    bal_gidx at = j->labels->first, end = at + j->labels->m;
    bal_size d = j->info.d, m = 0;
    bal_size most = (is_cached(&j->info) ? STRETCH : DECODE_MOST) / (4 * d) + 1;
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

/* The sample; it is what is timed where bands are too tall to be read twice. */
static bal_status read_and_time(bal_job *j, const choice *ch, bal_pilot *p,
                                bal_pilot_rows *s)
{
    bal_status st = BAL_OK;

    if (p->cached)
        BAL_TRY(read_stretch(j, p));
    double start = bal_now();
    BAL_TRY(sample_read(j, ch, s));
    if (!p->cached && s->m > 0)
        p->read_band =
            (bal_now() - start) / ceil((double)ch->length / (double)p->band);
done:
    return st;
}

bal_verdict bal_pilot_read(bal_job *j, bal_pilot *p, bal_pilot_rows *s)
{
    bal_verdict st;
    choice ch = {0};
    bool mixed = is_mixed(j);
    bal_status mine = bal_alloc(&ch.taken, j->labels->count, "the pilot");

    p->band = rows_of_chunk(&j->info);
    p->cached = is_cached(&j->info);
    p->whole = fits_whole(&j->info);
    if (!bal_failed(mine))
        mine = choose(j, mixed, &ch);
    if (!bal_failed(mine))
        mine = read_and_time(j, &ch, p, s);
    st = bal_agree(j->comm, mine);
    bal_free(&ch.taken);
    return st;
}

void bal_pilot_rows_finish(bal_pilot_rows *s)
{
    bal_free(&s->rows);
    bal_free(&s->code);
}
