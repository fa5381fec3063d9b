/* Every rank opens the file by itself and reads all blocks that overlap its
 * points, some rows of A at a time; of their entries it keeps those of its own
 * points.  Blocks are in the order of positions, so entries arrive in order. */
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/checkpoint.h"
#include "balans/io/h5.h"
#include "balans/par/agree.h"
#include "checkpoint_internal.h"

enum {
    ROWS = 64,  /* of A at a time */
    LINE = 512, /* of a line of the identity, for a message */
};

/* A block that overlaps this rank's points, and the rows read of it. */
typedef struct source {
    bal_gidx shift;      /* position of the block's first point - ours */
    bal_size counts;     /* where its counts are */
    bal_size entry, end; /* entries still to be read */
    int64_t count[ROWS];
    int32_t *column;
    float *value;
    bal_size room, next; /* next: entries taken */
} source;

typedef struct reader {
    const char *path;
    const bal_layout *layout;
    hid_t file;
    int64_t number[N_COUNT];
    source *from;
    bal_size sources;
    int64_t *landmark;
    bal_csr *a;
} reader;

static bal_status fail_broken(const reader *r, const char *what)
{
    return BAL_FAIL(BAL_EINPUT,
                    "cannot go on from checkpoint '%s': %s; remove it to start "
                    "over",
                    r->path, what);
}

static bal_status get(const reader *r, const char *name, hid_t type,
                      bal_size first, bal_size count, void *out)
{
    hid_t dataset = bal_h5_find(r->file, name);
    bal_size dims[2];
    bal_status st;

    if (!bal_h5_is(dataset, H5I_DATASET) || bal_h5_dims(dataset, dims) < 1 ||
        first + count > dims[0])
        st = fail_broken(r, "it is damaged");
    else
        st = count > 0 ? bal_h5_read(dataset, type, first, count, out) : BAL_OK;
    bal_h5_close(&dataset);
    return st;
}

/* ---- Whose it is ---- */

/* The line at `at`, cut into `out`; where the next one starts. */
static const char *line_at(const char *at, char *out)
{
    size_t len = strcspn(at, "\n");

    snprintf(out, LINE, "%.*s", (int)(len < LINE ? len : LINE), at);
    return at[len] == '\n' ? at + len + 1 : at + len;
}

static bal_status compare(const reader *r, const char *was, const char *now)
{
    char then[LINE], here[LINE];

    while (*was != '\0' || *now != '\0') {
        was = line_at(was, then);
        now = line_at(now, here);
        if (strcmp(then, here) != 0)
            return BAL_FAIL(BAL_EINPUT,
                            "cannot go on from checkpoint '%s': it was made "
                            "with '%s', this run has '%s'; remove it to start "
                            "over",
                            r->path, then, here);
    }
    return BAL_OK;
}

static bool is_sound(const reader *r)
{
    const int64_t *k = r->number;

    for (int i = 0; i < N_COUNT; i++)
        if (k[i] < 0)
            return false;
    return k[N_FORMAT] == BAL_CHECKPOINT_FORMAT && k[N_PASS] > 0 &&
           k[N_STAGE] <= BAL_SAMPLE_DONE && k[N_WIDTH] > 0 &&
           k[N_POINTS] == r->layout->n;
}

static bal_status open_file(reader *r)
{
    char what[BAL_H5_TEXT_MAX];
    bal_status st = bal_h5_open(r->path, BAL_H5_READ, NULL, &r->file);

    if (bal_failed(st)) {
        bal_error_clear();
        return fail_broken(r, "it is not a checkpoint");
    }
    if (!bal_h5_get_text(r->file, "what", what, sizeof what) ||
        strcmp(what, "checkpoint of balans correct") != 0)
        return fail_broken(r, "it is not a checkpoint");
    return BAL_OK;
}

static bal_status open_ours(reader *r, const char *identity)
{
    char was[BAL_IDENTITY_MOST];
    bal_status st = open_file(r);

    if (bal_failed(st))
        return st;
    if (!bal_h5_get_text(r->file, "identity", was, sizeof was))
        return fail_broken(r, "it is damaged");
    st = compare(r, was, identity);
    if (bal_failed(st))
        return st;
    if (!bal_h5_get_ints(r->file, "numbers", r->number, N_COUNT) ||
        !is_sound(r))
        return fail_broken(r, "it is damaged");
    return BAL_OK;
}

/* ---- Counters ---- */

static bal_status take_numbers(const reader *r, bal_checkpoint *out)
{
    bal_status st;
    const int64_t *k = r->number;
    bal_size count = k[N_CURVE];
    bal_sample_report *report = &out->sampler.report;

    out->pass = k[N_PASS];
    out->sampler.stage = (bal_sample_stage)k[N_STAGE];
    out->sampler.block = k[N_BLOCK];
    out->sampler.width = k[N_WIDTH];
    out->sampler.quiet = k[N_QUIET];
    out->sampler.full = k[N_FULL] != 0;
    report->landmarks = k[N_LANDMARKS];
    report->extended = k[N_EXTENDED];
    report->filled = k[N_FILLED];
    report->rows = k[N_ROWS];
    report->overshoot = k[N_OVERSHOOT];
    report->repeats = k[N_REPEATS];
    report->in_flight = (int)k[N_IN_FLIGHT];
    /* The room it has when it grows by doubling. */
    BAL_TRY(bal_alloc(&report->curve_landmarks, 2 * count + 1, "the report"));
    BAL_TRY(bal_alloc(&report->curve_covered, 2 * count + 1, "the report"));
    BAL_TRY(get(r, "curve_landmarks", H5T_NATIVE_INT64, 0, count,
                report->curve_landmarks));
    BAL_TRY(get(r, "curve_covered", H5T_NATIVE_INT64, 0, count,
                report->curve_covered));
    report->curve_count = count;
done:
    return st;
}

/* ---- Rows of A ---- */

static bal_status find_sources(reader *r)
{
    bal_status st;
    bal_size blocks = r->number[N_BLOCKS], rows = r->number[N_A_ROWS];
    bal_gidx first = r->layout->rank_first[r->layout->rank];
    int64_t *block = NULL;

    BAL_TRY(bal_alloc(&block, blocks * B_COUNT, "the checkpoint"));
    BAL_TRY(bal_alloc(&r->from, blocks, "the checkpoint"));
    BAL_TRY(get(r, "blocks", H5T_NATIVE_INT64, 0, blocks, block));
    for (bal_size b = 0; b < blocks; b++) {
        const int64_t *k = block + b * B_COUNT;
        if (k[B_FIRST] >= first + r->layout->m ||
            k[B_FIRST] + k[B_POINTS] <= first)
            continue;
        r->from[r->sources++] = (source){
            .shift = k[B_FIRST] - first,
            .counts = b * rows,
            .entry = k[B_ENTRY],
            .end = k[B_ENTRY] + k[B_ENTRIES],
        };
    }
done:
    bal_free(&block);
    return st;
}

static bal_status read_source(const reader *r, source *s, bal_size row,
                              bal_size rows)
{
    bal_status st;
    bal_size entries = 0;

    BAL_TRY(
        get(r, "counts", H5T_NATIVE_INT64, s->counts + row, rows, s->count));
    for (bal_size i = 0; i < rows; i++) {
        if (s->count[i] < 0 || s->count[i] > s->end - s->entry - entries)
            return fail_broken(r, "it is damaged");
        entries += s->count[i];
    }
    if (entries > s->room) {
        BAL_TRY(bal_resize(&s->column, entries, "the checkpoint"));
        BAL_TRY(bal_resize(&s->value, entries, "the checkpoint"));
        s->room = entries;
    }
    BAL_TRY(get(r, "columns", H5T_NATIVE_INT32, s->entry, entries, s->column));
    BAL_TRY(get(r, "values", H5T_NATIVE_FLOAT, s->entry, entries, s->value));
    s->entry += entries;
    s->next = 0;
done:
    return st;
}

/* Adds the entries of row i of those read that are this rank's. */
static void take_entries(const reader *r, source *s, bal_size i,
                         bal_csr_row *row)
{
    bal_size end = s->next + s->count[i];

    for (; s->next < end; s->next++) {
        bal_gidx local = s->column[s->next] + s->shift;
        if (local < 0 || local >= r->layout->m)
            continue;
        row->index[row->count] = (bal_lidx)local;
        row->value[row->count++] = s->value[s->next];
    }
}

static bal_status take_row(reader *r, bal_size i, bal_gidx landmark)
{
    bal_status st;
    bal_csr_row row = {0};
    bal_size most = 0;

    for (bal_size k = 0; k < r->sources; k++)
        most += r->from[k].count[i];
    BAL_TRY(bal_csr_row_create(&row, most));
    row.landmark = landmark;
    row.count = 0;
    for (bal_size k = 0; k < r->sources; k++)
        take_entries(r, &r->from[k], i, &row);
    BAL_TRY(bal_csr_push(r->a, &row));
done:
    bal_csr_row_finish(&row);
    return st;
}

static bal_status take_rows(reader *r)
{
    bal_status st;
    bal_size m = r->number[N_A_ROWS];

    BAL_TRY(bal_csr_create(r->layout, &r->a));
    BAL_TRY(bal_alloc(&r->landmark, m, "the landmarks"));
    BAL_TRY(get(r, "landmarks", H5T_NATIVE_INT64, 0, m, r->landmark));
    BAL_TRY(find_sources(r));
    for (bal_size row = 0; row < m; row += ROWS) {
        bal_size rows = m - row < ROWS ? m - row : ROWS;
        for (bal_size k = 0; k < r->sources; k++)
            BAL_TRY(read_source(r, &r->from[k], row, rows));
        for (bal_size i = 0; i < rows; i++)
            BAL_TRY(take_row(r, i, r->landmark[row + i]));
    }
done:
    return st;
}

static bal_status take_scales(const reader *r, bal_sample_report *report)
{
    bal_status st = BAL_OK;
    bal_size m = r->number[N_A_ROWS];

    if (r->number[N_SCALES] == 0)
        return st;
    BAL_TRY(bal_alloc(&report->scale, m * r->layout->batches, "the scales"));
    BAL_TRY(get(r, "scales", H5T_NATIVE_FLOAT, 0, m, report->scale));
done:
    return st;
}

static void finish(reader *r)
{
    for (bal_size k = 0; k < r->sources; k++) {
        bal_free(&r->from[k].column);
        bal_free(&r->from[k].value);
    }
    bal_free(&r->from);
    bal_free(&r->landmark);
    bal_csr_destroy(&r->a);
    bal_h5_close(&r->file);
}

static bal_status read_here(reader *r, bal_checkpoint *out)
{
    bal_status st;

    BAL_TRY(open_ours(r, out->identity));
    BAL_TRY(take_numbers(r, out));
    BAL_TRY(take_rows(r));
    BAL_TRY(take_scales(r, &out->sampler.report));
    out->sampler.a = r->a;
    r->a = NULL;
done:
    return st;
}

bal_verdict bal_checkpoint_read(bal_comm *c, const char *path,
                                const bal_layout *layout, bal_checkpoint *out)
{
    reader r = {.path = path, .layout = layout, .file = H5I_INVALID_HID};
    bal_status mine = read_here(&r, out);

    finish(&r);
    return bal_agree(c, mine);
}

static bal_status read_shard(const reader *r, const char *name, bal_shard *s)
{
    return get(r, name, H5T_NATIVE_FLOAT,
               r->layout->rank_first[r->layout->rank], s->m, s->at);
}

bal_verdict bal_checkpoint_read_moved(bal_comm *c, const char *path,
                                      bal_shard *x, bal_shard *z)
{
    reader r = {.path = path, .layout = x->layout, .file = H5I_INVALID_HID};
    bal_status st = open_file(&r);

    if (!bal_failed(st))
        st = read_shard(&r, "x", x);
    if (!bal_failed(st))
        st = read_shard(&r, "z", z);
    finish(&r);
    return bal_agree(c, st);
}
