/* The corrections against their dense formulas, and the same bytes on any
 * number of ranks and threads, streamed or not, in any amount of memory. */
#include "balans/algo/correct.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "affinities.h"
#include "balans/base/mem.h"
#include "mpi_check.h"

typedef struct shape {
    int64_t size[5], batches, d, repeat;
} shape;

static const shape shapes[] = {
    {{70, 40, 6, 1, 90}, 5, 7, 7}, /* duplicates; a batch of one point */
    {{300, 257, 30}, 3, 33, 0},    /* batches of several tiles */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 1, 0},       /* batches of one point, one feature */
    {{50, 20, 3}, 3, 3, 1},        /* each batch all equal */
};
enum { SHAPES = (int)(sizeof shapes / sizeof shapes[0]) };

/* What a correction does. */
typedef enum form { SMOOTH = 0, BLEND, RESIDUAL, TRUSTED, STRICT, FORMS } form;

static const double blend = 0.25;
static const bal_size plenty = INT64_C(1) << 30;

static bal_comm c, self;
static ref_data *data;
static ref_sample *sample;
static double *s2;
static points *p, *alone; /* spread over all ranks; all on this one */
static bool keep;

static void set_up(void)
{
    bal_comm_init(&c, MPI_COMM_WORLD);
    bal_comm_init(&self, MPI_COMM_SELF);
}

static void tear_down(void)
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

/* With `few` landmarks some points are not covered, and some parts empty. */
static void prepare(const shape *s, bool few)
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

/* Where a run has its values, and what it may use. */
typedef struct way {
    bool tiles, streamed;
    bal_size memory;
    int threads;
} way;

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

/* Corrects all rows of x, whose squared moves go to move2 [m] unless NULL. */
static bal_verdict run(bal_comm *comm, const points *at, form f, const way *w,
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

/* Corrected values of this rank, to be freed with free(): profiles in the order
 * of the file, or coordinates in that of the tiles. */
static float *correct(bal_comm *comm, const points *at, form f, way w)
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
    bal_status st = bal_blocks_create(data->n, data->d, comm->rank, comm->size,
                                      &x);
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

static double *expected(form f, const float *values, int64_t d)
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

/* The row of this rank, of a run's values, where point j stands; -1: none. */
static int64_t place_of(int64_t j, bool tiles)
{
    int64_t at = tiles ? j - p->layout->rank_first[c.rank]
                       : data->row[j] - p->x->first;

    return at >= 0 && at < (tiles ? p->layout->m : p->x->m) ? at : -1;
}

/* Values that are off by more than rounding to float32 explains: sums are in
 * double, as the formula's are. */
static int count_wrong(const float *got, const double *want,
                       const float *values, int64_t d, bool tiles)
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

static int compare(form f, way w)
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

START_TEST(equals_the_dense_formula)
{
    for (int few = 0; few < 2; few++) {
        prepare(&shapes[_i], few == 1);
        for (int f = 0; f < FORMS; f++)
            for (int tiles = 0; tiles < 2; tiles++) {
                int wrong =
                    compare((form)f, (way){.tiles = tiles == 1,
                                           .memory = plenty, .threads = 1});
                all_assert_msg(wrong == 0, "form %d, few %d, tiles %d: %d", f,
                               few, tiles, wrong);
            }
    }
}
END_TEST

/* Points that no landmark covers move by their batch's shift, unless they are
 * to keep their values. */
START_TEST(moves_or_keeps_what_no_landmark_covers)
{
    const way w = {.memory = plenty, .threads = 2};

    prepare(&shapes[1], true);
    all_assert(sample->uncovered > 10);
    for (int f = 0; f < FORMS; f++) {
        int64_t moved = 0, wanted = f >= TRUSTED ? sample->uncovered : 0;
        keep = false;
        float *got = correct(&c, p, (form)f, w);
        int wrong = compare((form)f, w);
        for (int64_t j = 0; j < data->n; j++) {
            int64_t at = place_of(j, false);
            if (at >= 0 && !(sample->coverage[j] > 0))
                moved += memcmp(got + at * data->d, data->x + j * data->d,
                                (size_t)data->d * sizeof *got) != 0;
        }
        free(got);
        bal_comm_sum_i64(&c, &moved, 1);
        all_assert_msg(wrong == 0 && moved == wanted, "form %d: %d, %lld", f,
                       wrong, (long long)moved);
    }
}
END_TEST

static bool is_part_of(const float *mine, const float *all, bool tiles)
{
    int64_t first = tiles ? p->layout->rank_first[c.rank] : p->x->first;
    int64_t rows = tiles ? p->layout->m : p->x->m;
    int64_t d = tiles ? data->p : data->d;

    return memcmp(mine, all + first * d,
                  (size_t)(rows * d) * sizeof *mine) == 0;
}

/* Memory for one panel of eight features, not for two. */
static bal_size one_panel(form f)
{
    bal_size groups = f >= RESIDUAL ? data->batches : 1;
    bal_size rows = sample->m * groups;

    return 3 * 16 * 8 * rows / 2 + 8 * rows +
           3 * (16 * (sample->m * BAL_BLOCK + 2 * BAL_BLOCK) + 32) + 1024;
}

START_TEST(gives_the_same_bytes_everywhere)
{
    prepare(&shapes[_i], false);
    for (int turn = 0; turn < 2 * FORMS; turn++) {
        form f = (form)(turn / 2);
        bool tiles = turn % 2 == 1;
        const way ways[] = {
            {tiles, false, plenty, 1},
            {tiles, false, plenty, 2},
            {tiles, true, plenty, 1},
            {tiles, false, one_panel(f) + (c.rank << 16), 3},
            {tiles, true, one_panel(f), 2},
        };
        float *whole = correct(&self, alone, f, ways[0]);
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
            float *parts = correct(&c, p, f, ways[i]);
            bool same = is_part_of(parts, whole, tiles);
            free(parts);
            all_assert_msg(same, "form %d, tiles %d, way %d", f, tiles, (int)i);
        }
        free(whole);
    }
}
END_TEST

/* ---- Properties ---- */

/* Sets every profile by a rule. */
static void fill(float (*value)(int64_t j, int64_t f))
{
    for (int64_t j = 0; j < data->n; j++)
        for (int64_t f = 0; f < data->d; f++)
            data->x[j * data->d + f] = value(j, f);
    points_destroy(&p);
    p = points_create(&c, data);
}

static float equal(int64_t j, int64_t f)
{
    (void)j;
    return f == 0 ? 0.1f : 1e6f / (float)(3 * f);
}

static float wild(int64_t j, int64_t f)
{
    return f == 0   ? (j % 3 == 0 ? FLT_MAX : -FLT_MAX)
           : f == 1 ? 1e-38f * (float)(j % 5)
           : f == 2 ? (j == 0 ? 1e6f : 0.001f)
                    : -5;
}

static const way simply = {.memory = INT64_C(1) << 30, .threads = 1};

START_TEST(returns_equal_profiles_unchanged)
{
    prepare(&shapes[_i], false);
    fill(equal);
    for (int f = 0; f < FORMS; f++) {
        float *got = correct(&c, p, (form)f, simply);
        int wrong = 0;
        for (int64_t i = 0; i < p->x->m * data->d; i++)
            wrong += got[i] != equal(0, i % data->d);
        free(got);
        all_assert_msg(wrong == 0, "form %d: %d", f, wrong);
    }
}
END_TEST

static int count_outside(const float *got, int64_t f)
{
    float low = INFINITY, high = -INFINITY;
    int outside = 0;

    for (int64_t j = 0; j < data->n; j++) {
        low = fminf(low, data->x[j * data->d + f]);
        high = fmaxf(high, data->x[j * data->d + f]);
    }
    for (int64_t i = 0; i < p->x->m; i++) {
        float x = got[i * data->d + f];
        outside += !(x >= low && x <= high);
    }
    return outside;
}

START_TEST(smooth_stays_in_the_range_of_every_feature)
{
    prepare(&shapes[_i], false);
    for (int turn = 0; turn < 4; turn++) {
        float *got = correct(&c, p, turn % 2 == 0 ? SMOOTH : BLEND, simply);
        int outside = 0;
        for (int64_t f = 0; f < data->d; f++)
            outside += count_outside(got, f);
        free(got);
        all_assert_msg(outside == 0, "turn %d: %d outside", turn, outside);
        if (turn == 1)
            fill(wild);
    }
}
END_TEST

/* The third feature alone would leave float32. */
static float edge(int64_t j, int64_t f)
{
    return f != 2 ? (float)(j % 7) : j % 2 == 0 ? FLT_MAX : -FLT_MAX;
}

START_TEST(names_a_feature_that_leaves_float32)
{
    for (int f = RESIDUAL; f < FORMS; f++) {
        prepare(&shapes[0], false);
        fill(edge);
        bal_blocks *x = p->x;
        bal_verdict st = run(&c, p, (form)f, &simply, x, NULL);
        all_assert_msg(st.code == BAL_ENUMERIC, "form %d: code %d", f,
                       (int)st.code);
        all_assert_msg(strstr(bal_error_get()->text, "feature 2") != NULL,
                       "%s", bal_error_get()->text);
        bal_error_clear();
    }
}
END_TEST

START_TEST(measures_how_far_points_move)
{
    for (int f = 0; f < FORMS; f++) {
        prepare(&shapes[1], false);
        bal_blocks *x = p->x;
        double *move2 = ref_new(x->m + 1, (int64_t)sizeof *move2);
        float *before = malloc((size_t)(x->m * x->d + 1) * sizeof *before);
        way w = {.memory = one_panel((form)f), .threads = 2};
        int wrong = 0;
        memcpy(before, x->at, (size_t)(x->m * x->d) * sizeof *before);
        bal_verdict st = run(&c, p, (form)f, &w, x, move2);
        all_assert(!bal_failed(st));
        for (bal_size j = 0; j < x->m; j++) {
            double sum = 0;
            for (bal_size i = j * x->d; i < (j + 1) * x->d; i++) {
                double step = (double)x->at[i] - (double)before[i];
                sum += step * step;
            }
            wrong += move2[j] != sum;
        }
        free(before);
        free(move2);
        all_assert_msg(wrong == 0, "form %d: %d", f, wrong);
    }
}
END_TEST

START_TEST(says_what_does_not_fit)
{
    const way w = {.memory = 1000, .threads = 1};

    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    bal_verdict st = run(&c, p, TRUSTED, &w, p->x, NULL);
    all_assert(st.code == BAL_EUSAGE);
    all_assert_msg(strstr(bal_error_get()->text, "--memory-per-rank") != NULL,
                   "%s", bal_error_get()->text);
    bal_error_clear();
    all_assert(bal_mem_held() == held);
}
END_TEST

/* Two batches, one landmark that keeps three points: 2 and 4 of the first, 9 of
 * the second, with weights 1, 1/2, 1/2; a fourth point is not covered. */
START_TEST(corrects_a_case_done_by_hand)
{
    const shape s = {{3, 1}, 2, 1, 0};
    const float x[] = {2, 4, 100, 9};
    const double a[] = {1, 0.5, 0, 0.5};
    /* mu = (2 + 2 + 4.5) / 2; of the first batch (2 + 2) / 1.5. The second has
     * no landmark, so its coverage does not count and all is believed. */
    const double mu = 8.5 / 2, first = 4 / 1.5, step = mu - first;
    const double want[FORMS][4] = {
        {mu, mu, 100, mu},
        {1.5 + mu / 4, 3 + mu / 4, 100, 6.75 + mu / 4},
        {2 + step, 4 + step, 100, mu},
        {2 + step, 4 + step, 100 + step, mu},
        {2 + step, 4 + step, 100 + step, mu},
    };

    prepare(&s, false);
    memcpy(data->x, x, sizeof x);
    memcpy(sample->a, a, sizeof a);
    sample->m = 1;
    sample->landmark[0] = 0;
    points_destroy(&p);
    p = points_create(&c, data);
    for (int f = 0; f < FORMS; f++) {
        float *got = correct(&c, p, (form)f, simply);
        int wrong = count_wrong(got, want[f], data->x, 1, false);
        free(got);
        all_assert_msg(wrong == 0, "form %d: %d wrong", f, wrong);
        double *dense = expected((form)f, data->x, 1);
        for (int j = 0; j < 4; j++)
            wrong += !(fabs(dense[j] - want[f][j]) < 1e-12);
        free(dense);
        all_assert_msg(wrong == 0, "formula %d: %d wrong", f, wrong);
    }
}
END_TEST

START_TEST(leaves_no_memory_behind)
{
    prepare(&shapes[1], false);
    bal_size held = bal_mem_held();
    free(correct(&c, p, TRUSTED, (way){false, true, plenty, 2}));
    all_assert(bal_mem_held() == held);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("algo/correct");
    TCase *tcase = tcase_create("correct");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, corrects_a_case_done_by_hand);
    tcase_add_loop_test(tcase, equals_the_dense_formula, 0, SHAPES);
    tcase_add_test(tcase, moves_or_keeps_what_no_landmark_covers);
    tcase_add_loop_test(tcase, gives_the_same_bytes_everywhere, 0, SHAPES);
    tcase_add_loop_test(tcase, returns_equal_profiles_unchanged, 0, SHAPES);
    tcase_add_loop_test(tcase, smooth_stays_in_the_range_of_every_feature, 0,
                        SHAPES);
    tcase_add_test(tcase, names_a_feature_that_leaves_float32);
    tcase_add_test(tcase, measures_how_far_points_move);
    tcase_add_test(tcase, says_what_does_not_fit);
    tcase_add_test(tcase, leaves_no_memory_behind);
    suite_add_tcase(suite, tcase);
    return mpi_check_run(suite, argc, argv);
}
