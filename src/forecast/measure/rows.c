/* Which rows are looked at, and how fast they are read.
 *
 * How far a point's neighbours are hangs on the points of its batch, so batches
 * are taken whole, as many as there is room for, evenly out of all; where that
 * would be fewer than represent the file, equal parts of them. Rows are read in windows of whole chunks, those that hold a row to be
 * taken; where that would be more than READ_MOST bytes, as batches lie mixed,
 * windows evenly spread over the file, and more batches in them. Which rows are
 * taken does not depend on the number of ranks.
 *
 * Cost: ROWS_MOST rows or FLOATS_MOST numbers to keep, READ_MOST bytes to
 * read, a quarter of it where they are compressed. */
#include <math.h>

#include "balans/base/mem.h"
#include "balans/base/timer.h"
#include "balans/par/agree.h"
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

/* Takes `count` batches evenly out of all; fewer, but not below
 * BAL_BATCHES_LEAST, if they have more than `most` points.
 * @return how many they have */
static double take_batches(const bal_labels *l, bal_size count, double most,
                           bool *taken)
{
    for (;; count -= (count + 15) / 16) {
        double points = 0;
        for (bal_size b = 0; b < l->count; b++) {
            taken[b] = (b + 1) * count / l->count > b * count / l->count;
            points += taken[b] ? (double)l->size[b] : 0;
        }
        if (points <= most || count <= BAL_BATCHES_LEAST)
            return points;
    }
}

/* The part of the rows that lie in windows with one of `count` batches out of
 * all: nearly 1 where rows of a batch lie one by one. Neighbours are compared
 * in blocks only, which all lie on one rank.  Collective. */
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

/* Collective. */
static void choose(const bal_rows_source *from, bool whole, choice *ch)
{
    const bal_matrix_info *info = from->info;
    const bal_labels *l = from->labels;
    double n = (double)info->n, rows = (double)rows_most(info);
    double readable = READ_MOST / (4.0 * (double)info->d);
    bal_size count = (bal_size)(rows / n * (double)l->count);

    count = count > BAL_BATCHES_LEAST ? count : BAL_BATCHES_LEAST;
    count = whole || count > l->count ? l->count : count;
    ch->share = 1;
    double read = n * part_read(from, ch->length, count);
    if (info->filters[0] != '\0' || info->storage != BAL_DENSE)
        readable /= 4;
    readable = fmax(readable, rows);
    if (!whole && read > readable) {
        ch->share = readable / read;
        count = (bal_size)fmin((double)count / ch->share, (double)l->count);
    }
    double points = take_batches(l, count, whole ? n : rows / ch->share,
                                 ch->taken);
    if (!whole)
        ch->share = fmin(ch->share, rows / points);
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

/* Reads the windows into the rows from number `at` on; of wide rows features
 * that are evenly spread. */
static bal_status read_windows(const bal_rows_source *from, const choice *ch,
                               bal_size at, bal_sample_rows *s, bal_size *read)
{
    const bal_labels *l = from->labels;
    bal_size d = from->info->d;
    bal_gidx end;
    bal_status st = BAL_OK;

    for (bal_gidx w = l->first; w < l->first + l->m; w = end) {
        end = end_of(from, ch, w);
        if (rows_of(from, ch, w, end) == 0)
            continue;
        BAL_TRY(bal_h5ad_read_rows(from->file, w, end - w, ch->window));
        *read += end - w;
        for (bal_gidx i = w; i < end; i++) {
            if (!is_taken(from, ch, i))
                continue;
            for (bal_size f = 0; f < s->d; f++)
                s->rows[at * s->d + f] =
                    ch->window[(i - w) * d + f * d / s->d];
            s->code[at++] = l->code[i - l->first];
        }
    }
done:
    return st;
}

/* Each rank reads its own rows into an array for all of them, which are then
 * put together: all bits of the others' are zero. */
bal_verdict bal_sample_rows_read(const bal_rows_source *from,
                                 bal_measured *told, bal_sample_rows *out)
{
    const bal_labels *l = from->labels;
    choice ch = {.length = window_rows(from->info)};
    bal_size most = rows_most(from->info), d = from->info->d, read = 0;
    int64_t m = 0, at = 0;
    double start;
    bal_status mine = bal_alloc(&ch.taken, l->count, "the sample");
    bal_verdict st;

    *out = (bal_sample_rows){.d = d < FEATURES_MOST ? d : FEATURES_MOST};
    told->whole = from->info->n <= most + most / 4;
    BAL_TRY(bal_agree(from->c, mine));
    choose(from, told->whole, &ch);
    for (bal_gidx w = l->first; w < l->first + l->m; w = end_of(from, &ch, w))
        m += rows_of(from, &ch, w, end_of(from, &ch, w));
    bal_comm_exscan_i64(from->c, &m, 1, &at);
    bal_comm_sum_i64(from->c, &m, 1);
    out->m = m;
    mine = bal_alloc(&out->rows, m * out->d, "the sample");
    if (!bal_failed(mine))
        mine = bal_alloc(&out->code, m, "the sample");
    if (!bal_failed(mine))
        mine = bal_alloc(&ch.window, ch.length * d, "the sample");
    start = bal_now();
    if (!bal_failed(mine))
        mine = read_windows(from, &ch, at, out, &read);
    told->read_row = (bal_now() - start) / (double)(read > 0 ? read : 1);
    BAL_TRY(bal_agree(from->c, mine));
    bal_comm_or_u32(from->c, (uint32_t *)(void *)out->rows, m * out->d);
    bal_comm_or_u32(from->c, (uint32_t *)(void *)out->code, m);
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
