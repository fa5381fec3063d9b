#include "correction.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double blend = 0.25;
const bal_size plenty = INT64_C(1) << 30;
const way simply = {.memory = INT64_C(1) << 30, .threads = 1};

const shape shapes[SHAPES] = {
    {{70, 40, 6, 1, 90}, 5, 7, 7}, /* duplicates; a batch of one point */
    {{300, 257, 30}, 3, 33, 0},    /* batches of several tiles */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 1, 0},       /* batches of one point, one feature */
    {{50, 20, 3}, 3, 3, 1},        /* each batch all equal */
};

bal_comm c, self;
ref_data *data;
ref_sample *sample;
points *p, *alone;
bool keep;
static double *s2;

void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
    bal_comm_init(&self, MPI_COMM_SELF);
}

void tear_down(void)
{
    points_destroy(&p);
    points_destroy(&alone);
    ref_sample_destroy(&sample);
    ref_data_destroy(&data);
    free(s2);
    s2 = NULL;
    bal_comm_finish(&self);
    bal_comm_finish(&c);
}

void prepare(const shape *s, bool few)
{
    ref_params par = ref_params_default();

    points_destroy(&p);
    points_destroy(&alone);
    ref_sample_destroy(&sample);
    ref_data_destroy(&data);
    free(s2);
    data = ref_data_create(s->size, s->batches, s->d, s->d, s->repeat, 21);
    par.k = 6;
    par.keep = keep = few;
    par.block = few ? 2 : 30;
    par.patience = few ? 1 : 10;
    par.scale = few;
    sample = ref_sample_create(data, &par, 1);
    affinities_round(sample, data, few);
    s2 = ref_scales(data, &par, sample);
    p = points_create(&c, data);
    alone = points_create(&self, data);
}

/* ---- The program ---- */

typedef struct store {
    float *at;
    bal_size d;
} store;

static bal_status fetch(void *arg, bal_size first, bal_size count, float *rows)
{
    const store *s = arg;

    memcpy(rows, s->at + first * s->d, (size_t)(count * s->d) * sizeof *rows);
    return BAL_OK;
}

static bal_status put(void *arg, bal_size first, bal_size count,
                      const float *rows)
{
    const store *s = arg;

    memcpy(s->at + first * s->d, rows, (size_t)(count * s->d) * sizeof *rows);
    return BAL_OK;
}

static bal_trust *trust_in(bal_comm *comm, const points *at, form f,
                           const bal_affinity *by_tile, const bal_parts *parts)
{
    float *scale = ref_new(sample->m * data->batches, (int64_t)sizeof *scale);
    bal_trust *t = NULL;

    for (int64_t i = 0; i < sample->m * data->batches; i++)
        scale[i] = (float)s2[i];
    bal_verdict st = bal_trust_create(
        comm, f == STRICT ? BAL_TRUST_STRICT : BAL_TRUST_ON, by_tile,
        at->layout, parts, scale, sample->landmark, &t);
    free(scale);
    all_assert_msg(!bal_failed(st), "%s", bal_error_get()->text);
    return t;
}

bal_verdict run(bal_comm *comm, const points *at, form f, const way *w,
                bal_blocks *x, double *move2)
{
    affinities a = affinities_create(comm, at, sample);
    float *most = ref_new(x->d, (int64_t)sizeof *most);
    bal_parts *parts = NULL;
    bal_trust *trust = NULL;
    bal_size groups = f >= RESIDUAL ? at->layout->batches : 1;

    bal_verdict st =
        bal_parts_create(comm, a.by_tile, at->layout, groups, &parts);
    all_assert(!bal_failed(st));
    if (f >= TRUSTED)
        trust = trust_in(comm, at, f, a.by_tile, parts);
    bal_correct_params par = {
        .form = f >= RESIDUAL ? BAL_RESIDUAL : BAL_SMOOTH,
        .parts = parts,
        .trust = trust,
        .keep_uncovered = keep,
        .blend = f == BLEND ? blend : 1,
        .memory = w->memory,
        .threads = w->threads,
    };
    st = bal_correct_bounds(comm, x, most);
    all_assert(!bal_failed(st));
    st = bal_correct(comm, w->tiles ? a.by_tile : a.by_block, x, &par, most,
                     move2);
    bal_trust_destroy(&trust);
    bal_parts_destroy(&parts);
    affinities_finish(&a);
    free(most);
    return st;
}

/* The coordinates, which stand in the tiles and come back from there. */
static bal_blocks *open_tiles(const points *at, bal_size memory)
{
    bal_blocks *z = NULL;
    bal_status st = bal_tiles_blocks(at->z, memory, &z);

    all_assert(!bal_failed(st));
    for (bal_lidx j = 0; j < at->layout->m; j++)
        bal_tiles_set(at->z, j,
                      data->z + (at->layout->rank_first[at->layout->rank] + j) *
                                    data->p);
    return z;
}

static float *from_tiles(const points *at)
{
    float *out = ref_new(at->layout->m * data->p + 1, (int64_t)sizeof *out);

    for (bal_lidx j = 0; j < at->layout->m; j++)
        bal_tiles_point(at->z, j, out + j * data->p);
    return out;
}

float *correct(bal_comm *comm, const points *at, form f, way w)
{
    size_t bytes = (size_t)(at->x->m * at->x->d) * sizeof(float);
    float *out = malloc(bytes + 1);
    store behind = {out, at->x->d};
    const bal_source source = {&behind, fetch, put};
    bal_blocks *x = NULL;

    if (w.tiles) {
        free(out);
        x = open_tiles(at, w.streamed ? 1 : plenty);
        bal_verdict v = run(comm, at, f, &w, x, NULL);
        all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
        bal_blocks_destroy(&x);
        return from_tiles(at);
    }
    memcpy(out, at->x->at, bytes);
    bal_status st =
        bal_blocks_create(data->n, data->d, comm->rank, comm->size, &x);
    if (!bal_failed(st))
        st = w.streamed ? bal_blocks_stream(x, &source, 1)
                        : bal_blocks_reside(x);
    all_assert(!bal_failed(st));
    if (!w.streamed)
        memcpy(x->at, out, bytes);
    bal_verdict v = run(comm, at, f, &w, x, NULL);
    all_assert_msg(!bal_failed(v), "%s", bal_error_get()->text);
    if (!w.streamed)
        memcpy(out, x->at, bytes);
    bal_blocks_destroy(&x);
    return out;
}

/* ---- The formula ---- */

double *expected(form f, const float *values, int64_t d)
{
    int64_t count = data->n * d;
    double *x = ref_new(count, (int64_t)sizeof *x);
    double *out = ref_new(count, (int64_t)sizeof *out);

    for (int64_t i = 0; i < count; i++)
        x[i] = (double)values[i];
    if (f == SMOOTH)
        ref_smooth(sample, x, d, out);
    else if (f == BLEND)
        ref_blend(sample, blend, x, d, out);
    else if (f == RESIDUAL)
        ref_residual(sample, data->batch, data->batches, x, d, out);
    else {
        ref_trust *t = ref_trust_create(sample, s2, data->batch, data->batches,
                                        f == STRICT);
        ref_trusted(sample, t, data->batch, data->batches, keep, x, d, out);
        ref_trust_destroy(&t);
    }
    free(x);
    return out;
}

static double largest(const float *values, int64_t d, int64_t f)
{
    double most = 0;

    for (int64_t j = 0; j < data->n; j++)
        most = fmax(most, fabs((double)values[j * d + f]));
    return most;
}

int64_t place_of(int64_t j, bool tiles)
{
    int64_t at =
        tiles ? j - p->layout->rank_first[c.rank] : data->row[j] - p->x->first;

    return at >= 0 && at < (tiles ? p->layout->m : p->x->m) ? at : -1;
}

int count_wrong(const float *got, const double *want, const float *values,
                int64_t d, bool tiles)
{
    int wrong = 0;

    for (int64_t f = 0; f < d; f++) {
        double slack = 1e-12 * largest(values, d, f);
        for (int64_t j = 0; j < data->n; j++) {
            int64_t at = place_of(j, tiles);
            double w = want[j * d + f];
            if (at >= 0)
                wrong += !(fabs((double)got[at * d + f] - w) <=
                           fabs(w) * (double)FLT_EPSILON / 2 + slack);
        }
    }
    return wrong;
}

int compare(form f, way w)
{
    const float *values = w.tiles ? data->z : data->x;
    int64_t d = w.tiles ? data->p : data->d;
    double *want = expected(f, values, d);
    float *got = correct(&c, p, f, w);
    int wrong = count_wrong(got, want, values, d, w.tiles);

    free(got);
    free(want);
    return wrong;
}

bal_size one_panel(form f)
{
    bal_size groups = f >= RESIDUAL ? data->batches : 1;
    bal_size rows = sample->m * groups;

    return 3 * 16 * 8 * rows / 2 + 8 * rows +
           3 * (16 * (sample->m * BAL_BLOCK + 2 * BAL_BLOCK) + 32) + 1024;
}
