#include "samples.h"

#include <math.h>
#include <string.h>

const sample_shape sample_shapes[] = {
    {{70, 40, 6, 1, 90}, 5, 4, 7}, /* duplicates; a batch below k; one point */
    {{300, 257, 30}, 3, 10, 0},    /* batches of several tiles */
    {{300}, 1, 3, 5},              /* one batch */
    {{1}, 1, 2, 0},                /* one point */
    {{1, 1, 1, 1}, 4, 2, 0},       /* batches of one point */
    {{50, 20, 3}, 3, 3, 1},        /* each batch all equal */
    {{60, 45, 12}, 3, 5, 2},       /* twins */
};
_Static_assert(SAMPLE_SHAPES ==
                   (int)(sizeof sample_shapes / sizeof sample_shapes[0]),
               "the number of shapes");

const sample_setting sample_settings[] = {
    {10, 0, false, 0, 50, 20, 0, false, 0}, /* the defaults */
    {10, 0, true, 0, 50, 20, 0, false, 0},
    {20, 0, false, 0, 60, 5, 0, false, 0}, /* long blocks: weighted draws */
    {5, 0, true, 1.5, 3, 4, 0, false, 0},  /* short blocks: many of them */
    {3, 0, false, 0, 2, 1, 0, false, 0},   /* impatient: extension */
    {3, 0, true, 0, 1, 2, 0, true, 0},     /* and without it */
    {0, 0.1, false, 0, 7, 6, 0, false, 0},
    {0, 0.3, true, 0, 90, 3, 0, true, 0},
    {6, 0.1, true, 0, 20, 9, 0, false, 0}, /* the larger of both */
    {5, 0, true, 0, 4, 30, 17, false, 0},  /* a limit inside a block */
    {2, 0, true, 0, 3, 1, 6, false, 0},    /* a limit inside the extension */
    {10, 0, false, 2, 10, 15, 1, true, 0},
    {5, 0.1, true, 0, 7, 1, 0, false, 40},  /* a number of them */
    {3, 0, false, 0, 50, 1, 0, false, 140}, /* repeats; on some, all points */
    {2, 0, true, 0, 4, 1, 0, false, 1},     /* batches with few */
    {2, 0, true, 0, 4, 1, 9, true, 5},      /* not all of them filled up */
    {4, 0, true, 3, 4, 1, 20, true, 90},    /* the limit wins */
    {4, 0, true, 0, 4, 1, 110, true, 100},  /* all points are too many */
};
_Static_assert(SAMPLE_SETTINGS ==
                   (int)(sizeof sample_settings / sizeof sample_settings[0]),
               "the number of settings");

bal_comm sample_comm;
ref_data *sample_data;
points *sample_points;

void sample_set_up(void)
{
    bal_comm_init(&sample_comm, MPI_COMM_WORLD);
}

void sample_tear_down(void)
{
    points_destroy(&sample_points);
    ref_data_destroy(&sample_data);
    bal_comm_finish(&sample_comm);
}

void sample_prepare(const sample_shape *s, uint64_t seed)
{
    points_destroy(&sample_points);
    ref_data_destroy(&sample_data);
    sample_data =
        ref_data_create(s->size, s->batches, s->p, s->p, s->repeat, seed);
    sample_points = points_create(&sample_comm, sample_data);
}

ref_params sample_reference_params(const sample_setting *s, uint64_t seed)
{
    ref_params par = ref_params_default();

    par.k = s->k;
    par.share = s->share;
    par.scale = s->scale;
    par.gate = s->gate;
    par.block = s->block;
    par.patience = s->patience;
    par.max_landmarks = s->max_landmarks;
    par.keep = s->keep;
    par.landmarks = s->landmarks;
    par.seed = seed;
    return par;
}

bal_sample_params sample_library_params(const ref_params *par, uint32_t pass,
                                        int w)
{
    return (bal_sample_params){
        .block = par->block,
        .landmarks = par->landmarks,
        .patience = par->patience,
        .uncovered = par->keep ? BAL_KEEP : BAL_EXTEND,
        .max_landmarks = par->max_landmarks,
        .seed = par->seed,
        .pass = pass,
        .most_in_flight = w,
        .memory = INT64_C(1) << 30,
    };
}

bal_row_params sample_row_params(const ref_params *par, int threads)
{
    return (bal_row_params){
        .neighbors = {.k = par->k, .share = par->share},
        .sparsify = par->scale ? BAL_SCALE : BAL_ELBOW,
        .gate = par->gate,
        .threads = threads,
    };
}

/* Differences between one row of A and the part of the dense one. */
int sample_compare_row(const bal_csr_row *row, const ref_sample *want,
                       int64_t l)
{
    bal_gidx first = sample_points->layout->rank_first[sample_comm.rank];
    bal_size e = 0;
    int wrong = row->landmark != want->landmark[l];

    for (bal_lidx j = 0; j < sample_points->layout->m; j++) {
        float value = (float)want->a[l * want->n + first + j];
        if (!(value > 0))
            continue;
        wrong += e >= row->count || row->index[e] != j ||
                 memcmp(&row->value[e], &value, sizeof value) != 0;
        e++;
    }
    return wrong + (e != row->count);
}

static int64_t entries(const ref_sample *s)
{
    int64_t count = 0;

    for (int64_t e = 0; e < s->m * s->n; e++)
        count += s->a[e] > 0;
    return count;
}

int sample_compare_report(const bal_sample_report *r, const ref_sample *want,
                          const ref_params *par, int w)
{
    int wrong = r->landmarks != want->m;
    bool full = par->max_landmarks > 0 && want->m == par->max_landmarks &&
                want->extended == 0;

    wrong += r->extended != want->extended;
    wrong += r->filled != want->filled;
    wrong += r->uncovered != want->uncovered;
    wrong += r->entries != entries(want);
    wrong += r->in_flight < 1 || r->in_flight > w;
    wrong += r->rows - r->overshoot != want->m || r->overshoot < 0;
    wrong += (full || par->landmarks > 0) && r->overshoot != 0;
    for (bal_size i = 0; i < r->curve_count; i++) {
        wrong += r->curve_landmarks[i] < 1 || r->curve_landmarks[i] > want->m;
        wrong += r->curve_covered[i] < 1 || r->curve_covered[i] > want->n;
        wrong += i > 0 && (r->curve_landmarks[i] < r->curve_landmarks[i - 1] ||
                           r->curve_covered[i] < r->curve_covered[i - 1]);
    }
    wrong += r->curve_count > 0 &&
             r->curve_covered[r->curve_count - 1] != want->n - want->uncovered;
    return wrong;
}

/* Differences between the landmarks' scales and those of dense rows. */
int sample_compare_scales(const float *scale, const ref_sample *want,
                          const ref_params *par)
{
    int wrong = scale == NULL;

    for (int64_t l = 0; !wrong && l < want->m; l++) {
        ref_row *row = ref_row_create(sample_data, par, want->landmark[l]);
        for (int64_t b = 0; b < sample_data->batches; b++) {
            float s2 = isnan(row->s2[b]) ? -1.0f : (float)row->s2[b];
            const float *got = &scale[l * sample_data->batches + b];
            wrong += memcmp(&s2, got, sizeof s2) != 0;
        }
        ref_row_destroy(&row);
    }
    return wrong;
}

bal_verdict sample_draw(const bal_row_params *rows,
                        const bal_sample_params *par, bal_csr **a,
                        bal_sample_report *report)
{
    return bal_sample(&sample_comm, sample_points->z, sample_points->order,
                      rows, par, a, report);
}
