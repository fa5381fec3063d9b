/* Which rows are looked at, and how fast they are read.
 *
 * How far a point's neighbours are hangs on the points of its batch, so batches
 * are taken whole, as many as there is room for, evenly from the largest to the
 * smallest; where that would be fewer than represent the file, equal parts of
 * them. Rows are read in windows of whole chunks, those that hold a row to be
 * taken; where that would be more than READ_MOST bytes, as batches lie mixed,
 * windows evenly spread over the file, and more batches in them. Which rows are
 * taken does not depend on the number of ranks.
 *
 * Cost: ROWS_MOST rows or FLOATS_MOST numbers to keep, READ_MOST bytes to
 * read, a quarter of it where they are compressed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
#include "balans/par/exchange.h"
#include "rows.h"

enum {
    ROWS_MOST = 1 << 16, /* of the sample */
    FLOATS_MOST = 10 << 20,
    FEATURES_MOST = 1024, /* wider profiles are thinned: eigenvectors cost the
                             cube of their number */
    READ_MOST = 256 << 20,
    WINDOW = 1 << 18, /* bytes of rows that are read together */
};

/* Some windows of `length` consecutive rows, and of these the rows of chosen
 * batches. */
typedef struct choice {
    bal_size length;
    double share; /* of the windows */
    bool *taken;  /* [batches] */
    float *window;
} choice;

/* ---- which rows ---- */

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

/* Takes `count` batches; fewer, but not below BAL_BATCHES_LEAST, if they have
 * more than `most` points.
 * @return by `points` how many they have */
static bal_status take_batches(const bal_labels *l, bal_size count, double most,
                               bool *taken, double *points)
{
    bal_status st;
    sized *order = NULL;

    BAL_TRY(bal_alloc(&order, l->count, "the sample"));
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

/* The part of the rows that lie in windows with one of `count` batches out of
 * all: nearly 1 where rows of a batch lie one by one. Neighbours are compared in
 * blocks only, which all lie on one rank.  Collective. */
static double part_read(const bal_rows_source *from, bal_size length,
                        bal_size count)
{
    const bal_labels *l = from->labels;
    bal_size block = bal_rows_of_block(l->n);
    double windows = (double)l->n / (double)length, each;
    int64_t changes = 0;

    for (bal_size i = 1; i < l->m; i++)
        if ((l->first + i) % block != 0)
            changes += l->code[i] != l->code[i - 1];
    bal_comm_sum_i64(from->c, &changes, 1);
    each = fmin(1 + (double)changes / windows, (double)l->count);
    return fmin(each * (double)count / (double)l->count, 1);
}

static bal_size rows_most(const bal_matrix_info *info)
{
    bal_size rows = FLOATS_MOST / info->d;

    rows = rows < ROWS_MOST ? rows : ROWS_MOST;
    return rows > 1 ? rows : 1;
}

/* Rows of a window: whole chunks, if those are not most of the file. */
static bal_size window_rows(const bal_matrix_info *info)
{
    bal_size rows = WINDOW / (4 * info->d) + 1, band = 1;

    if (info->chunked && info->filters[0] != '\0')
        band = info->storage == BAL_DENSE
                   ? info->chunk[0]
                   : info->chunk[0] / (info->nnz / info->n + 1) + 1;
    return band > info->n / 8 ? rows : (rows + band - 1) / band * band;
}

/* Collective, but for its outcome. */
static bal_status choose(const bal_rows_source *from, bool whole, choice *ch)
{
    const bal_matrix_info *info = from->info;
    const bal_labels *l = from->labels;
    double n = (double)info->n, rows = (double)rows_most(info), points;
    double readable = READ_MOST / (4.0 * (double)info->d);
    bal_size count = (bal_size)(rows / n * (double)l->count);
    double part;
    bal_status st;

    count = count > BAL_BATCHES_LEAST ? count : BAL_BATCHES_LEAST;
    count = whole || count > l->count ? l->count : count;
    ch->share = 1;
    part = part_read(from, ch->length, count);
    if (info->filters[0] != '\0' || info->storage != BAL_DENSE)
        readable /= 4;
    readable = fmax(readable, rows);
    if (!whole && part * n > readable) {
        ch->share = readable / (part * n);
        count = (bal_size)fmin((double)count / ch->share, (double)l->count);
    }
    BAL_TRY(take_batches(l, count, rows / ch->share, ch->taken, &points));
    if (!whole)
        ch->share = fmin(ch->share, rows / points);
done:
    return st;
}

/* ---- reading ---- */

static bool is_taken(const bal_rows_source *from, const choice *ch, bal_gidx i)
{
    return ch->taken[from->labels->code[i - from->labels->first]];
}

/* Whether the window from row `at` to `end` - 1 is one to read.
 * @return the rows to take from it */
static bal_size rows_of(const bal_rows_source *from, const choice *ch,
                        bal_gidx at, bal_gidx end)
{
    double w = (double)(at / ch->length);
    bal_size count = 0;

    if (floor((w + 1) * ch->share + 0.5) <= floor(w * ch->share + 0.5))
        return 0;
    for (bal_gidx i = at; i < end; i++)
        count += is_taken(from, ch, i);
    return count;
}

static bal_gidx end_of(const bal_rows_source *from, const choice *ch,
                       bal_gidx at)
{
    bal_gidx end = from->labels->first + from->labels->m;
    bal_gidx next = (at / ch->length + 1) * ch->length;

    return next < end ? next : end;
}

/* Of wide rows features that are evenly spread. */
static bal_status read_windows(const bal_rows_source *from, const choice *ch,
                               bal_sample_rows *s, bal_size *read)
{
    const bal_labels *l = from->labels;
    bal_size d = from->info->d;
    bal_gidx end;
    bal_status st = BAL_OK;

    for (bal_gidx at = l->first; at < l->first + l->m; at = end) {
        end = end_of(from, ch, at);
        if (rows_of(from, ch, at, end) == 0)
            continue;
        BAL_TRY(bal_h5ad_read_rows(from->file, at, end - at, ch->window));
        *read += end - at;
        for (bal_gidx i = at; i < end; i++) {
            if (!is_taken(from, ch, i))
                continue;
            for (bal_size f = 0; f < s->d; f++)
                s->rows[s->m * s->d + f] =
                    ch->window[(i - at) * d + f * d / s->d];
            s->code[s->m++] = l->code[i - l->first];
        }
    }
done:
    return st;
}

static bal_status read_sample(const bal_rows_source *from, choice *ch,
                              double *seconds, bal_sample_rows *s)
{
    const bal_labels *l = from->labels;
    bal_size d = from->info->d, m = 0, read = 0;
    double start;
    bal_status st;

    s->d = d < FEATURES_MOST ? d : FEATURES_MOST;
    for (bal_gidx at = l->first; at < l->first + l->m; at = end_of(from, ch, at))
        m += rows_of(from, ch, at, end_of(from, ch, at));
    BAL_TRY(bal_alloc(&s->rows, m * s->d, "the sample"));
    BAL_TRY(bal_alloc(&s->code, m, "the sample"));
    BAL_TRY(bal_alloc(&ch->window, ch->length * d, "the sample"));
    start = bal_now();
    BAL_TRY(read_windows(from, ch, s, &read));
    *seconds = read > 0 ? (bal_now() - start) / (double)read : 0;
done:
    return st;
}

/* ---- all of them on every rank ---- */

/* Records of all ranks, in their order, in place of this rank's. */
static bal_verdict collect(bal_comm *c, bal_size count, size_t size, bal_size n,
                           void **records)
{
    bal_size *to = NULL, *got = NULL;
    void *all = NULL;
    bal_status mine = bal_alloc(&to, c->size, "the sample");
    bal_verdict st;

    if (!bal_failed(mine))
        mine = bal_alloc(&got, c->size, "the sample");
    BAL_TRY(bal_agree(c, mine));
    to[0] = count;
    BAL_TRY(bal_exchange(c, *records, to, size, &all, got));
    if (c->rank != 0) {
        bal_mem_free(&all);
        mine = bal_mem_alloc(&all, n, size, "the sample");
    }
    BAL_TRY(bal_agree(c, mine));
    bal_comm_bcast(c, all, n * (bal_size)size, 0);
    bal_mem_free(records);
    *records = all;
    all = NULL;
done:
    bal_mem_free(&all);
    bal_free(&to);
    bal_free(&got);
    return st;
}

bal_verdict bal_sample_rows_read(const bal_rows_source *from,
                                 bal_measured *told, bal_sample_rows *out)
{
    choice ch = {.length = window_rows(from->info)};
    bal_size rows = rows_most(from->info);
    bal_status mine = bal_alloc(&ch.taken, from->labels->count, "the sample");
    bal_verdict st;

    *out = (bal_sample_rows){0};
    told->whole = from->info->n <= rows + rows / 4;
    BAL_TRY(bal_agree(from->c, mine));
    BAL_TRY(bal_agree(from->c, choose(from, told->whole, &ch)));
    BAL_TRY(bal_agree(from->c,
                      read_sample(from, &ch, &told->read_row, out)));
    int64_t n = out->m;
    bal_comm_sum_i64(from->c, &n, 1);
    BAL_TRY(collect(from->c, out->m, sizeof(float) * (size_t)out->d, n,
                    (void **)&out->rows));
    BAL_TRY(collect(from->c, out->m, sizeof *out->code, n,
                    (void **)&out->code));
    out->m = n;
done:
    bal_free(&ch.taken);
    bal_free(&ch.window);
    return st;
}

void bal_sample_rows_finish(bal_sample_rows *s)
{
    bal_free(&s->rows);
    bal_free(&s->code);
}
