/* The keys of a checkpoint (io/store): the lines that identify the run, the
 * sampler's counters and curve, what was told of earlier passes, and A. From
 * the second pass on it holds Z and X, which earlier passes have moved, and
 * what a model has of these passes. All else follows from the input. */
#include "keep_store.h"

#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "model.h"

const bal_store_kind bal_keeper_kind = {
    .name = "balans checkpoint",
    .version = 4,
    .way_out = "remove it to start anew",
};

/* What the sampler counts, in the order in which it is kept. */
enum { COUNTERS = 18 };

static void collect_counters(const bal_keeper *k, const bal_sample_state *s,
                             int64_t *v)
{
    const bal_sample_report *r = &s->report;
    const int64_t all[COUNTERS] = {
        k->pass,           k->blending,       k->passed->passes,
        (int64_t)s->stage, s->block,          s->width,
        s->quiet,          s->full,           r->landmarks,
        r->extended,       r->rows,           r->overshoot,
        r->repeats,        r->in_flight,      r->curve_count,
        r->filled,         k->points->column, r->scale != NULL,
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
    BAL_TRY(bal_store_put(s, "largest coordinates", BAL_STORE_F32, points->z->p,
                          1, points->most_z));
    BAL_TRY(bal_store_put(s, "largest values", BAL_STORE_F32, points->x->d, 1,
                          points->most_x));
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
    BAL_TRY(bal_agree(k->comm,
                      bal_alloc(&landmark, state->a->m + 1, "the checkpoint")));
    for (bal_size i = 0; i < state->a->m; i++)
        landmark[i] = state->a->row[i].landmark;
    BAL_TRY(bal_store_put(s, "counters", BAL_STORE_I64, COUNTERS, 1, counter));
    BAL_TRY(
        bal_store_put(s, "landmarks", BAL_STORE_I64, state->a->m, 1, landmark));
    BAL_TRY(bal_store_put(s, "curve of landmarks", BAL_STORE_I64,
                          r->curve_count, 1, r->curve_landmarks));
    BAL_TRY(bal_store_put(s, "curve of points", BAL_STORE_I64, r->curve_count,
                          1, r->curve_covered));
    if (r->scale != NULL)
        BAL_TRY(bal_store_put(s, "scales", BAL_STORE_F32, state->a->m, batches,
                              r->scale));
done:
    bal_free(&landmark);
    return st;
}

/* Every pass with trust finds it anew, so it is kept for the one after them. */
static bool keeps_between(const bal_keeper *k)
{
    return k->blending && k->passed->between != NULL;
}

/* What was told of the passes before this one. */
static bal_verdict write_passed(bal_store *s, const bal_keeper *k)
{
    const bal_passed *p = k->passed;
    bal_size words = (bal_size)(sizeof *p->pass / 8);
    bal_size batches = k->points->order->layout->batches;
    bal_verdict st;

    BAL_TRY(
        bal_store_put(s, "passes", BAL_STORE_U64, p->passes, words, p->pass));
    BAL_TRY(bal_store_put(s, "unseen", BAL_STORE_F64, 1, 1, &p->unseen));
    if (keeps_between(k))
        BAL_TRY(bal_store_put(s, "trust between batches", BAL_STORE_F64,
                              batches, batches, p->between));
done:
    return st;
}

bal_verdict bal_keeper_write(bal_keeper *k, const bal_sample_state *state)
{
    const char *identity = k->identity;
    bal_store *s = NULL;
    bal_verdict st;

    BAL_TRY(bal_store_create(k->comm, k->par->checkpoint, true,
                             &bal_keeper_kind, &s));
    BAL_TRY(bal_store_put_texts(s, "run", &identity, 1));
    BAL_TRY(write_sampler(s, k, state));
    BAL_TRY(write_passed(s, k));
    BAL_TRY(bal_keeper_write_affinity(s, k->comm, state->a, k->points->order));
    if (k->pass > 1)
        BAL_TRY(write_points(s, k->comm, k->points));
    if (k->model->store != NULL)
        BAL_TRY(bal_store_copy(k->model->store, "pass ", s, "model of pass "));
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

bal_status bal_keeper_check(const bal_keeper *k, bool right)
{
    if (right)
        return BAL_OK;
    return BAL_FAIL(BAL_EINPUT,
                    "cannot go on from checkpoint '%s': its numbers do not go "
                    "together; remove it to start anew",
                    k->par->checkpoint);
}

/* The checksum is right, so a number that cannot be is no accident; but it may
 * not lead beyond what there is. */
static bal_status check_counters(const bal_store *s, const bal_keeper *k,
                                 const int64_t *v)
{
    bal_size most = bal_run_passes(k->par) + k->points->columns;
    bal_store_array a;
    bool right = v[0] >= 1 && v[0] <= most && v[2] == v[0] - 1 &&
                 v[3] >= BAL_SAMPLE_BLOCKS && v[3] <= BAL_SAMPLE_DONE &&
                 v[4] >= 0 && v[4] <= UINT32_MAX && v[5] >= 1 &&
                 v[8] <= k->points->x->n && v[13] <= BAL_ROWS_MOST &&
                 v[16] >= 0 && v[16] < k->points->columns;

    for (int i = 6; i < COUNTERS; i++)
        right = right && v[i] >= 0;
    if (!right)
        return bal_keeper_check(k, false);
    return bal_store_find(s, "curve of landmarks", BAL_STORE_I64, v[14], 1, &a);
}

static bal_status make_reports(bal_keeper *k, bal_size landmarks, bool scaled)
{
    bal_sample_report *r = &k->from.report;
    bal_size batches = k->points->order->layout->batches;
    bal_status st;

    BAL_TRY(
        bal_alloc(&r->curve_landmarks, 2 * r->curve_count + 1, "the report"));
    BAL_TRY(bal_alloc(&r->curve_covered, 2 * r->curve_count + 1, "the report"));
    if (scaled)
        BAL_TRY(
            bal_alloc(&r->scale, landmarks * batches, "the landmarks' scales"));
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
    BAL_TRY(bal_agree(k->comm, check_counters(s, k, counter)));
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
        BAL_TRY(bal_store_get(s, "scales", BAL_STORE_F32, r->landmarks, batches,
                              r->scale));
    BAL_TRY(bal_store_get(s, "passes", BAL_STORE_U64, k->passed->passes, words,
                          k->passed->pass));
    BAL_TRY(
        bal_store_get(s, "unseen", BAL_STORE_F64, 1, 1, &k->passed->unseen));
done:
    return st;
}

static bal_verdict read_between(bal_store *s, bal_keeper *k)
{
    bal_size batches = k->points->order->layout->batches;
    double **between = &k->passed->between;
    bal_verdict st = {BAL_OK};

    if (!bal_store_has(s, "trust between batches"))
        goto done;
    BAL_TRY(bal_agree(k->comm, bal_alloc(between, batches * batches,
                                         "the trust between batches")));
    BAL_TRY(bal_store_get(s, "trust between batches", BAL_STORE_F64, batches,
                          batches, *between));
done:
    return st;
}

static bal_status read_sweep(const bal_store *s, const char *key, bal_blocks *x)
{
    bal_store_array a;
    bal_status st = bal_store_find(s, key, BAL_STORE_F32, x->n, x->d, &a);
    bal_sweep sweep = bal_sweep_begin(x);

    if (bal_failed(st))
        return st;
    while (bal_sweep_next(&sweep)) {
        sweep.status = bal_store_read(s, &a, x->first + x->start[sweep.from],
                                      x->start[sweep.to] - x->start[sweep.from],
                                      sweep.rows);
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
    BAL_TRY(bal_store_get(s, "largest coordinates", BAL_STORE_F32, points->z->p,
                          1, points->most_z));
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

    BAL_TRY(bal_store_open(k->comm, k->par->checkpoint, &bal_keeper_kind, &s));
    BAL_TRY(read_identity(s, k));
    BAL_TRY(read_sampler(s, k));
    BAL_TRY(read_between(s, k));
    BAL_TRY(bal_keeper_read_affinity(s, k));
    if (k->pass > 1)
        BAL_TRY(read_points(s, k->comm, k->points));
    if (k->model->store != NULL)
        BAL_TRY(bal_store_copy(s, "model of pass ", k->model->store, "pass "));
done:
    bal_store_close(&s);
    return st;
}
