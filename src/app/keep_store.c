/* The keys of a checkpoint (io/store): the lines that identify the run, the
 * sampler's counters and curve, what was told of earlier passes, and A by tile,
 * as tiles are the same on any number of ranks. From the second pass on it
 * holds Z and X, which earlier passes have moved. All else follows from the
 * input. */
#include "keep_store.h"

#include <string.h>

#include "balans/base/mem.h"
#include "balans/io/store.h"
#include "balans/par/agree.h"

static const bal_store_kind kind = {
    .name = "balans checkpoint",
    .version = 3,
    .way_out = "remove it to start anew",
};

/* What the sampler counts, in the order in which it is kept. */
enum { COUNTERS = 18 };

static void collect_counters(const bal_keeper *k, const bal_sample_state *s,
                             int64_t *v)
{
    const bal_sample_report *r = &s->report;
    const int64_t all[COUNTERS] = {
        k->pass,      k->blending,  k->passed->passes, (int64_t)s->stage,
        s->block,     s->width,     s->quiet,          s->full,
        r->landmarks, r->extended,  r->rows,           r->overshoot,
        r->repeats,   r->in_flight, r->curve_count,    r->filled,
        k->points->column, r->scale != NULL,
    };

    memcpy(v, all, sizeof all);
}

static void set_counters(bal_keeper *k, const int64_t *v)
{
    bal_sample_state *s = &k->from;

    k->pass = v[0];
    k->blending = v[1] != 0;
    k->passed->passes = v[2];
    s->stage = (bal_sample_stage)v[3];
    s->block = v[4];
    s->width = v[5];
    s->quiet = v[6];
    s->full = v[7] != 0;
    s->report = (bal_sample_report){
        .landmarks = v[8],
        .extended = v[9],
        .rows = v[10],
        .overshoot = v[11],
        .repeats = v[12],
        .in_flight = (int)v[13],
        .curve_count = v[14],
        .filled = v[15],
    };
}

/* ---- Writing ---- */

typedef struct piece {
    const char *key;
    bal_store_type type;
    bal_size count, d;
    const void *at;
} piece;

/* This rank's part of an array, after those of the ranks before it. */
static bal_verdict write_piece(bal_store *s, bal_comm *c, const piece *p)
{
    bal_store_array a;
    bal_size first;
    bal_verdict st;

    BAL_TRY(bal_store_make_pieces(s, p->key, p->type, p->count, p->d, &a,
                                  &first));
    BAL_TRY(bal_agree(c, bal_store_write(s, &a, first, p->count, p->at)));
done:
    return st;
}

static bal_status count_tiles(const bal_affinity *a, int32_t **runs,
                              int32_t **entries)
{
    bal_status st;

    BAL_TRY(bal_take(runs, a->count, "the checkpoint"));
    BAL_TRY(bal_take(entries, a->count, "the checkpoint"));
    for (bal_size t = 0; t < a->count; t++) {
        (*runs)[t] = (int32_t)(a->run_first[t + 1] - a->run_first[t]);
        (*entries)[t] = (int32_t)(a->entry_first[t + 1] - a->entry_first[t]);
    }
done:
    return st;
}

static bal_verdict write_affinity(bal_store *s, bal_comm *c,
                                  const bal_csr *rows, const bal_order *order)
{
    bal_affinity *a = NULL;
    int32_t *runs = NULL, *entries = NULL;
    bal_status mine = bal_affinity_by_tile(rows, order, &a);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = count_tiles(a, &runs, &entries);
    BAL_TRY(bal_agree(c, mine));
    const piece part[] = {
        {"runs of a tile", BAL_STORE_I32, a->count, 1, runs},
        {"entries of a tile", BAL_STORE_I32, a->count, 1, entries},
        {"runs", BAL_STORE_I32, a->run_first[a->count], 2, a->run},
        {"rows", BAL_STORE_U16, bal_affinity_entries(a), 1, a->row},
        {"values", BAL_STORE_F32, bal_affinity_entries(a), 1, a->value},
    };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        BAL_TRY(write_piece(s, c, &part[i]));
done:
    bal_free(&runs);
    bal_free(&entries);
    bal_affinity_destroy(&a);
    return st;
}

static bal_status write_sweep(const bal_store *s, const bal_store_array *a,
                              bal_blocks *x)
{
    bal_sweep sweep = bal_sweep_begin(x);

    while (bal_sweep_next(&sweep))
        sweep.status = bal_store_write(
            s, a, x->first + x->start[sweep.from],
            x->start[sweep.to] - x->start[sweep.from], sweep.rows);
    return sweep.status;
}

static bal_verdict write_rows(bal_store *s, bal_comm *c, const char *key,
                              bal_blocks *x)
{
    bal_store_array a;
    bal_verdict st;

    BAL_TRY(bal_store_make(s, key, BAL_STORE_F32, x->n, x->d, &a));
    BAL_TRY(bal_agree(c, write_sweep(s, &a, x)));
done:
    return st;
}

/* Coordinates and profiles as earlier passes have left them. */
static bal_verdict write_points(bal_store *s, bal_comm *c,
                                const bal_points *points)
{
    bal_blocks *z = NULL;
    bal_verdict st;

    BAL_TRY(bal_agree(c, bal_tiles_blocks(points->z, 64 << 20, &z)));
    BAL_TRY(write_rows(s, c, "coordinates", z));
    BAL_TRY(write_rows(s, c, "profiles", points->x));
    BAL_TRY(bal_store_put(s, "largest coordinates", BAL_STORE_F32,
                          points->z->p, 1, points->most_z));
    BAL_TRY(bal_store_put(s, "largest values", BAL_STORE_F32, points->x->d,
                          1, points->most_x));
done:
    bal_blocks_destroy(&z);
    return st;
}

static bal_verdict write_sampler(bal_store *s, const bal_keeper *k,
                                 const bal_sample_state *state)
{
    const bal_sample_report *r = &state->report;
    bal_size batches = k->points->order->layout->batches;
    int64_t counter[COUNTERS], *landmark = NULL;
    bal_verdict st;

    collect_counters(k, state, counter);
    BAL_TRY(bal_agree(k->comm, bal_alloc(&landmark, state->a->m + 1,
                                         "the checkpoint")));
    for (bal_size i = 0; i < state->a->m; i++)
        landmark[i] = state->a->row[i].landmark;
    BAL_TRY(bal_store_put(s, "counters", BAL_STORE_I64, COUNTERS, 1,
                          counter));
    BAL_TRY(bal_store_put(s, "landmarks", BAL_STORE_I64, state->a->m, 1,
                          landmark));
    BAL_TRY(bal_store_put(s, "curve of landmarks", BAL_STORE_I64,
                          r->curve_count, 1, r->curve_landmarks));
    BAL_TRY(bal_store_put(s, "curve of points", BAL_STORE_I64, r->curve_count, 1,
                          r->curve_covered));
    if (r->scale != NULL)
        BAL_TRY(bal_store_put(s, "scales", BAL_STORE_F32,
                              state->a->m, batches, r->scale));
done:
    bal_free(&landmark);
    return st;
}

/* What was told of the passes before this one. */
static bal_verdict write_passed(bal_store *s, const bal_keeper *k)
{
    const bal_passed *p = k->passed;
    bal_size words = (bal_size)(sizeof *p->pass / 8);
    bal_verdict st;

    BAL_TRY(bal_store_put(s, "passes", BAL_STORE_U64, p->passes, words,
                          p->pass));
    BAL_TRY(bal_store_put(s, "unseen", BAL_STORE_F64, 1, 1, &p->unseen));
done:
    return st;
}

bal_verdict bal_keeper_write(bal_keeper *k, const bal_sample_state *state)
{
    const char *identity = k->identity;
    bal_store *s = NULL;
    bal_verdict st;

    BAL_TRY(bal_store_create(k->comm, k->par->checkpoint, true, &kind, &s));
    BAL_TRY(bal_store_put_texts(s, "run", &identity, 1));
    BAL_TRY(write_sampler(s, k, state));
    BAL_TRY(write_passed(s, k));
    BAL_TRY(write_affinity(s, k->comm, state->a, k->points->order));
    if (k->pass > 1)
        BAL_TRY(write_points(s, k->comm, k->points));
    BAL_TRY(bal_store_finish(&s));
done:
    bal_store_close(&s);
    return st;
}

/* ---- Reading ---- */

/* The line of `text` that starts there, cut where it ends. */
static void copy_line(const char *text, char *line, size_t size)
{
    size_t length = strcspn(text, "\n");

    length = length < size - 1 ? length : size - 1;
    memcpy(line, text, length);
    line[length] = '\0';
}

static bal_status compare(const bal_keeper *k, const char *found)
{
    const char *want = k->identity;
    char ours[200], theirs[200];

    if (strcmp(found, want) == 0)
        return BAL_OK;
    while (strcspn(found, "\n") == strcspn(want, "\n") &&
           strncmp(found, want, strcspn(want, "\n")) == 0 && *want != '\0') {
        found += strcspn(found, "\n") + (strchr(found, '\n') != NULL);
        want += strcspn(want, "\n") + (strchr(want, '\n') != NULL);
    }
    copy_line(found, theirs, sizeof theirs);
    copy_line(want, ours, sizeof ours);
    return BAL_FAIL(BAL_EINPUT,
                    "cannot go on from checkpoint '%s': it is that of another "
                    "run, with '%s' where this one has '%s'; remove it to "
                    "start anew",
                    k->par->checkpoint, theirs, ours);
}

static bal_verdict read_identity(bal_store *s, const bal_keeper *k)
{
    char **text = NULL;
    bal_size count = 1;
    bal_verdict st;

    BAL_TRY(bal_store_get_texts(s, "run", &count, &text));
    BAL_TRY(bal_agree(k->comm, compare(k, text[0])));
done:
    bal_free(&text);
    return st;
}

static bal_status make_reports(bal_keeper *k, bal_size landmarks, bool scaled)
{
    bal_sample_report *r = &k->from.report;
    bal_size batches = k->points->order->layout->batches;
    bal_status st;

    BAL_TRY(bal_alloc(&r->curve_landmarks, 2 * r->curve_count + 1,
                      "the report"));
    BAL_TRY(
        bal_alloc(&r->curve_covered, 2 * r->curve_count + 1, "the report"));
    if (scaled)
        BAL_TRY(bal_alloc(&r->scale, landmarks * batches,
                          "the landmarks' scales"));
done:
    return st;
}

static bal_verdict read_sampler(bal_store *s, bal_keeper *k)
{
    bal_sample_report *r = &k->from.report;
    bal_size batches, words;
    int64_t counter[COUNTERS];
    bal_verdict st;

    words = (bal_size)(sizeof *k->passed->pass / 8);
    BAL_TRY(bal_store_get(s, "counters", BAL_STORE_I64, COUNTERS, 1, counter));
    set_counters(k, counter);
    BAL_TRY(bal_points_turn(k->comm, k->points, (int)counter[16]));
    batches = k->points->order->layout->batches;
    BAL_TRY(bal_agree(k->comm,
                      make_reports(k, r->landmarks, counter[COUNTERS - 1])));
    BAL_TRY(bal_store_get(s, "curve of landmarks", BAL_STORE_I64,
                          r->curve_count, 1, r->curve_landmarks));
    BAL_TRY(bal_store_get(s, "curve of points", BAL_STORE_I64, r->curve_count,
                          1, r->curve_covered));
    if (r->scale != NULL)
        BAL_TRY(bal_store_get(s, "scales", BAL_STORE_F32,
                              r->landmarks, batches, r->scale));
    BAL_TRY(bal_store_get(s, "passes", BAL_STORE_U64,
                          k->passed->passes, words, k->passed->pass));
    BAL_TRY(bal_store_get(s, "unseen", BAL_STORE_F64, 1, 1,
                          &k->passed->unseen));
done:
    return st;
}

/* A by tile as the store has it, and the landmarks. */
typedef struct found {
    bal_size m, tiles, before; /* landmarks; this rank's tiles; those before */
    int64_t *landmark;         /* [m] */
    int32_t *runs, *entries;   /* [all tiles] */
    bal_size run_first, run_count, entry_first, entry_count;
    bal_run *run;
    uint16_t *row;
    float *value;
    bal_size *size; /* [m] entries of each landmark */
    bal_csr_row *rows; /* [m] */
} found;

static void release(found *f)
{
    for (bal_size i = 0; f->rows != NULL && i < f->m; i++)
        bal_csr_row_finish(&f->rows[i]);
    bal_free(&f->landmark);
    bal_free(&f->runs);
    bal_free(&f->entries);
    bal_free(&f->run);
    bal_free(&f->row);
    bal_free(&f->value);
    bal_free(&f->size);
    bal_free(&f->rows);
}

static bal_status allot(found *f, bal_size all_tiles)
{
    bal_status st;

    BAL_TRY(bal_alloc(&f->landmark, f->m + 1, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->runs, all_tiles, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->entries, all_tiles, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->size, f->m, "the checkpoint"));
    BAL_TRY(bal_alloc(&f->rows, f->m, "the checkpoint"));
done:
    return st;
}

static bal_status read_array(const bal_store *s, const char *key,
                             bal_store_type type, bal_size d, bal_size first,
                             bal_size count, void *to)
{
    bal_store_array a;
    bal_status st = bal_store_find(s, key, type, BAL_STORE_ANY, d, &a);

    return bal_failed(st) ? st : bal_store_read(s, &a, first, count, to);
}

/* This rank's tiles of A. */
static bal_status read_tiles(const bal_store *s, found *f)
{
    bal_status st;

    for (bal_size t = 0; t < f->before + f->tiles; t++) {
        bool own = t >= f->before;
        f->run_first += own ? 0 : f->runs[t];
        f->entry_first += own ? 0 : f->entries[t];
        f->run_count += own ? f->runs[t] : 0;
        f->entry_count += own ? f->entries[t] : 0;
    }
    BAL_TRY(bal_take(&f->run, f->run_count, "the checkpoint"));
    BAL_TRY(bal_take(&f->row, f->entry_count, "the checkpoint"));
    BAL_TRY(bal_take(&f->value, f->entry_count, "the checkpoint"));
    BAL_TRY(read_array(s, "runs", BAL_STORE_I32, 2, f->run_first, f->run_count,
                       f->run));
    BAL_TRY(read_array(s, "rows", BAL_STORE_U16, 1, f->entry_first,
                       f->entry_count, f->row));
    BAL_TRY(read_array(s, "values", BAL_STORE_F32, 1, f->entry_first,
                       f->entry_count, f->value));
done:
    return st;
}

/* Counts the entries of every landmark, or puts them into its row. */
static void walk_tiles(const found *f, const bal_layout *l, bool place)
{
    bal_size r = 0, entry = 0;

    for (bal_size t = 0; t < f->tiles; t++) {
        bal_size from = 0, runs = r + f->runs[f->before + t];
        for (; r < runs; r++) {
            bal_size i = f->run[r].landmark;
            for (; from < f->run[r].end; from++) {
                if (place) {
                    bal_csr_row *row = &f->rows[i];
                    row->index[row->count] =
                        l->tile[t].first + f->row[entry + from];
                    row->value[row->count++] = f->value[entry + from];
                } else {
                    f->size[i]++;
                }
            }
        }
        entry += f->entries[f->before + t];
    }
}

static bal_status make_rows(found *f, const bal_layout *l, bal_csr *a)
{
    bal_status st = BAL_OK;

    walk_tiles(f, l, false);
    for (bal_size i = 0; i < f->m; i++) {
        BAL_TRY(bal_csr_row_create(&f->rows[i], f->size[i]));
        f->rows[i].count = 0;
        f->rows[i].landmark = f->landmark[i];
    }
    walk_tiles(f, l, true);
    for (bal_size i = 0; i < f->m; i++)
        BAL_TRY(bal_csr_push(a, &f->rows[i]));
done:
    return st;
}

static bal_verdict read_affinity(bal_store *s, bal_keeper *k)
{
    const bal_layout *l = k->points->order->layout;
    found f = {.m = k->from.report.landmarks, .tiles = l->tiles};
    int64_t tiles = l->tiles;
    bal_status mine = bal_csr_create(l, &k->from.a);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = allot(&f, l->all_tiles);
    BAL_TRY(bal_agree(k->comm, mine));
    bal_comm_exscan_i64(k->comm, &tiles, 1, &f.before);
    BAL_TRY(bal_store_get(s, "landmarks", BAL_STORE_I64, f.m, 1, f.landmark));
    BAL_TRY(bal_store_get(s, "runs of a tile", BAL_STORE_I32, l->all_tiles, 1,
                          f.runs));
    BAL_TRY(bal_store_get(s, "entries of a tile", BAL_STORE_I32, l->all_tiles,
                          1, f.entries));
    mine = read_tiles(s, &f);
    if (!bal_failed(mine))
        mine = make_rows(&f, l, k->from.a);
    BAL_TRY(bal_agree(k->comm, mine));
done:
    release(&f);
    return st;
}

static bal_status read_sweep(const bal_store *s, const char *key,
                             bal_blocks *x)
{
    bal_store_array a;
    bal_status st =
        bal_store_find(s, key, BAL_STORE_F32, x->n, x->d, &a);
    bal_sweep sweep = bal_sweep_begin(x);

    if (bal_failed(st))
        return st;
    while (bal_sweep_next(&sweep)) {
        sweep.status = bal_store_read(
            s, &a, x->first + x->start[sweep.from],
            x->start[sweep.to] - x->start[sweep.from], sweep.rows);
        bal_sweep_keep(&sweep);
    }
    return sweep.status;
}

static bal_verdict read_points(bal_store *s, bal_comm *c, bal_points *points)
{
    bal_blocks *z = NULL;
    bal_status mine = bal_tiles_blocks(points->z, 64 << 20, &z);
    bal_verdict st;

    if (!bal_failed(mine))
        mine = read_sweep(s, "coordinates", z);
    if (!bal_failed(mine))
        mine = read_sweep(s, "profiles", points->x);
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(bal_store_get(s, "largest coordinates", BAL_STORE_F32,
                          points->z->p, 1, points->most_z));
    BAL_TRY(bal_store_get(s, "largest values", BAL_STORE_F32, points->x->d, 1,
                          points->most_x));
done:
    bal_blocks_destroy(&z);
    return st;
}

bal_verdict bal_keeper_read(bal_keeper *k)
{
    bal_store *s = NULL;
    bal_verdict st;

    BAL_TRY(bal_store_open(k->comm, k->par->checkpoint, &kind, &s));
    BAL_TRY(read_identity(s, k));
    BAL_TRY(read_sampler(s, k));
    BAL_TRY(read_affinity(s, k));
    if (k->pass > 1)
        BAL_TRY(read_points(s, k->comm, k->points));
done:
    bal_store_close(&s);
    return st;
}
