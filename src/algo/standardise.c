#include "balans/algo/standardise.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"

/* Sums over points in the making. */
typedef struct work {
    bal_comm *c;
    const bal_shard *x;
    int threads;
    float *lo, *hi;   /* [threads, d], extremes of the features */
    double *part;     /* [threads, d], sums of one tile */
    bal_fixed *sum;   /* [threads, d] */
    bal_scale *scale; /* [d] */
    double *bound;    /* [d], of the sum of absolute values */
    bal_size broken;  /* a feature with a value that is not finite, or d */
} work;

static bal_status allot(work *w)
{
    bal_status st;
    bal_size d = w->x->d, all = w->threads * d;

    BAL_TRY(bal_alloc(&w->lo, all, "the features' extremes"));
    BAL_TRY(bal_alloc(&w->hi, all, "the features' extremes"));
    BAL_TRY(bal_alloc(&w->part, all, "the features' sums"));
    BAL_TRY(bal_alloc(&w->sum, all, "the features' sums"));
    BAL_TRY(bal_alloc(&w->scale, d, "the features' sums"));
    BAL_TRY(bal_alloc(&w->bound, d, "the features' sums"));
done:
    return st;
}

static void release(work *w)
{
    bal_free(&w->lo);
    bal_free(&w->hi);
    bal_free(&w->part);
    bal_free(&w->sum);
    bal_free(&w->scale);
    bal_free(&w->bound);
}

static const float *rows(const bal_shard *x, const bal_tile *tile)
{
    return x->at + tile->first * x->d;
}

static void find_extremes(work *w)
{
    const bal_layout *layout = w->x->layout;
    bal_size d = w->x->d;

    for (bal_size i = 0; i < w->threads * d; i++) {
        w->lo[i] = INFINITY;
        w->hi[i] = -INFINITY;
    }
#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (bal_size t = 0; t < layout->tiles; t++) {
        bal_size own = omp_get_thread_num() * d;
        bal_alive();
        bal_tile_extremes(rows(w->x, &layout->tile[t]), layout->tile[t].m, d,
                          w->lo + own, w->hi + own);
    }
    for (bal_size i = d; i < w->threads * d; i++) {
        bal_size f = i % d;
        w->lo[f] = w->lo[i] < w->lo[f] ? w->lo[i] : w->lo[f];
        w->hi[f] = w->hi[i] > w->hi[f] ? w->hi[i] : w->hi[f];
    }
    bal_comm_min_f32(w->c, w->lo, d);
    bal_comm_max_f32(w->c, w->hi, d);
}

/* A tile's sums of something, [d]. */
typedef void sums_fn(const float *x, int m, const bal_standard *s, double *sum);

static void plain(const float *x, int m, const bal_standard *s, double *sum)
{
    bal_tile_sums(x, m, s->d, sum);
}

static void squares(const float *x, int m, const bal_standard *s, double *sum)
{
    bal_tile_squares(x, m, s->d, s->mean, sum);
}

static void note_broken(work *w, bal_size f)
{
#pragma omp critical
    w->broken = f < w->broken ? f : w->broken;
}

static void add_tile(work *w, bal_size t, int thread, sums_fn *take,
                     const bal_standard *s)
{
    const bal_tile *tile = &w->x->layout->tile[t];
    double *part = w->part + thread * s->d;
    bal_fixed *sum = w->sum + thread * s->d;

    bal_alive();
    take(rows(w->x, tile), tile->m, s, part);
    for (bal_size f = 0; f < s->d; f++)
        if (isfinite(part[f]))
            bal_fixed_add(&sum[f], &w->scale[f], part[f]);
        else
            note_broken(w, f);
}

/* Means over all points of what `take` sums, out[d]; w->bound is set. */
static void average(work *w, sums_fn *take, const bal_standard *s, double *out)
{
    const bal_layout *layout = w->x->layout;
    bal_size d = s->d;

    memset(w->sum, 0, (size_t)(w->threads * d) * sizeof *w->sum);
    for (bal_size f = 0; f < d; f++)
        w->scale[f] = bal_scale_for(w->bound[f], layout->all_tiles);
#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (bal_size t = 0; t < layout->tiles; t++)
        add_tile(w, t, omp_get_thread_num(), take, s);
    for (bal_size i = d; i < w->threads * d; i++)
        bal_fixed_merge(&w->sum[i % d], w->sum[i]);
    bal_fixed_reduce(w->c, w->sum, d);
    for (bal_size f = 0; f < d; f++)
        out[f] = bal_fixed_value(w->sum[f], &w->scale[f]) / (double)layout->n;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static bal_status check_finite(const work *w)
{
    if (w->broken == w->x->d)
        return BAL_OK;
    return BAL_FAIL(BAL_ENUMERIC,
                    "cannot standardise feature %lld: it holds a value that is "
                    "not finite",
                    (long long)w->broken);
}

static bal_verdict find_means(work *w, bal_scaler *s)
{
    bal_standard view = bal_scaler_view(s);

    for (bal_size f = 0; f < s->d; f++)
        w->bound[f] = (double)w->x->layout->n *
                      larger(fabs((double)w->lo[f]), fabs((double)w->hi[f]));
    average(w, plain, &view, s->mean);
    for (bal_size f = 0; f < s->d; f++)
        if (w->lo[f] >= w->hi[f]) { /* whose mean must not be rounded */
            s->mean[f] = (double)w->hi[f];
            s->constant++;
        }
    return bal_agree(w->c, check_finite(w));
}

static void find_deviations(work *w, bal_scaler *s)
{
    bal_standard view = bal_scaler_view(s);

    for (bal_size f = 0; f < s->d; f++) {
        double most = larger((double)w->hi[f] - s->mean[f],
                             s->mean[f] - (double)w->lo[f]);
        w->bound[f] = (double)w->x->layout->n * (most * most);
    }
    average(w, squares, &view, s->sd);
    for (bal_size f = 0; f < s->d; f++) {
        bool constant = w->lo[f] >= w->hi[f];
        s->sd[f] = constant ? 0 : sqrt(s->sd[f]);
        s->divisor[f] = constant ? (double)INFINITY : s->sd[f];
    }
}

/* The value of feature f that is farthest from 0 before centring is one of its
 * extremes, as every step is monotonic. */
static double clipped(const bal_scaler *s, bal_size f, float x)
{
    double v = ((double)x - s->mean[f]) / s->divisor[f];

    return fmin(fmax(v, -s->clip), s->clip);
}

static void find_centres(work *w, bal_scaler *s)
{
    bal_standard view = bal_scaler_view(s);

    for (bal_size f = 0; f < s->d; f++)
        w->bound[f] =
            (double)w->x->layout->n * larger(fabs(clipped(s, f, w->lo[f])),
                                             fabs(clipped(s, f, w->hi[f])));
    average(w, bal_tile_clipped_sums, &view, s->centre);
}

static void find_most(const work *w, bal_scaler *s)
{
    for (bal_size f = 0; f < s->d; f++) {
        float lo = (float)(clipped(s, f, w->lo[f]) - s->centre[f]);
        float hi = (float)(clipped(s, f, w->hi[f]) - s->centre[f]);
        s->most[f] = larger(fabs((double)lo), fabs((double)hi));
    }
}

static bal_verdict measure(work *w, const bal_space_params *par, bal_scaler *s)
{
    find_extremes(w);
    bal_verdict st = find_means(w, s);

    if (bal_failed(st))
        return st;
    if (par->scale == BAL_SCALE_STANDARD) {
        find_deviations(w, s);
        find_centres(w, s);
    }
    find_most(w, s);
    return st;
}

static bal_status make(bal_size d, const bal_space_params *par,
                       bal_scaler **out)
{
    bal_status st;
    bal_scaler *s = NULL;

    BAL_TRY(bal_alloc(&s, 1, "the features' scales"));
    *out = s;
    s->d = d;
    s->clip = par->scale == BAL_SCALE_STANDARD ? par->clip : (double)INFINITY;
    BAL_TRY(bal_alloc(&s->mean, d, "the features' means"));
    BAL_TRY(bal_alloc(&s->sd, d, "the features' scales"));
    BAL_TRY(bal_alloc(&s->divisor, d, "the features' scales"));
    BAL_TRY(bal_alloc(&s->centre, d, "the features' centres"));
    BAL_TRY(bal_alloc(&s->most, d, "the features' extremes"));
    for (bal_size f = 0; f < d; f++)
        s->sd[f] = s->divisor[f] = 1;
done:
    return st;
}

bal_verdict bal_scaler_create(bal_comm *c, const bal_shard *x,
                              const bal_space_params *par, bal_scaler **out)
{
    work w = {.c = c, .x = x, .threads = par->threads, .broken = x->d};
    bal_scaler *s = NULL;
    bal_status mine = make(x->d, par, &s);
    bal_verdict st;

    *out = NULL;
    if (!bal_failed(mine))
        mine = allot(&w);
    BAL_TRY(bal_agree(c, mine));
    BAL_TRY(measure(&w, par, s));
    *out = s;
    s = NULL;
done:
    release(&w);
    bal_scaler_destroy(&s);
    return st;
}

void bal_scaler_destroy(bal_scaler **s)
{
    if (*s == NULL)
        return;
    bal_free(&(*s)->mean);
    bal_free(&(*s)->sd);
    bal_free(&(*s)->divisor);
    bal_free(&(*s)->centre);
    bal_free(&(*s)->most);
    bal_free(s);
}

bal_standard bal_scaler_view(const bal_scaler *s)
{
    return (bal_standard){
        .d = s->d,
        .mean = s->mean,
        .divisor = s->divisor,
        .centre = s->centre,
        .clip = s->clip,
    };
}

bal_size bal_scaler_memory(bal_size d, int threads)
{
    bal_size each = 2 * sizeof(float) + sizeof(double) + sizeof(bal_fixed);

    return d * (5 * 8 + (bal_size)sizeof(bal_scale) + 8) + threads * d * each;
}
