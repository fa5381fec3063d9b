#include "balans/algo/standardise.h"

#include <math.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "balans/par/sum.h"
#include "slices.h"

/* Sums over points in the making. */
typedef struct work {
    bal_comm *c;
    bal_blocks *x;
    bal_standard view;
    int threads;
    float *lo, *hi;   /* [threads, d], extremes of the features */
    double *part;     /* [threads, d], sums of one slice */
    bal_wide *wide;   /* [threads, d], sums without a bound */
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
    BAL_TRY(bal_alloc(&w->wide, all, "the features' sums"));
    BAL_TRY(bal_alloc(&w->sum, all, "the features' sums"));
    BAL_TRY(bal_alloc(&w->scale, d, "the features' sums"));
    BAL_TRY(bal_alloc(&w->bound, d, "the features' sums"));
    for (bal_size i = 0; i < all; i++) {
        w->lo[i] = INFINITY;
        w->hi[i] = -INFINITY;
    }
done:
    return st;
}

static void release(work *w)
{
    bal_free(&w->lo);
    bal_free(&w->hi);
    bal_free(&w->part);
    bal_free(&w->wide);
    bal_free(&w->sum);
    bal_free(&w->scale);
    bal_free(&w->bound);
}

static void note_broken(work *w, bal_size f)
{
#pragma omp critical
    w->broken = f < w->broken ? f : w->broken;
}

static void take_values(void *self, const bal_slice *slice)
{
    work *w = self;
    bal_size d = w->x->d, own = slice->thread * d;
    double *part = w->part + own;

    bal_tile_extremes(slice->rows, slice->m, d, w->lo + own, w->hi + own);
    bal_tile_sums(slice->rows, slice->m, d, part);
    for (bal_size f = 0; f < d; f++)
        if (isfinite(part[f]))
            bal_wide_add(&w->wide[own + f], part[f]);
        else
            note_broken(w, f);
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

/* Extremes and sums of all threads and ranks, in those of the first thread. */
static void join_values(work *w)
{
    bal_size d = w->x->d;

    for (bal_size i = d; i < w->threads * d; i++) {
        bal_size f = i % d;
        w->lo[f] = w->lo[i] < w->lo[f] ? w->lo[i] : w->lo[f];
        w->hi[f] = w->hi[i] > w->hi[f] ? w->hi[i] : w->hi[f];
        bal_wide_merge(&w->wide[f], &w->wide[i]);
    }
    bal_comm_min_f32(w->c, w->lo, d);
    bal_comm_max_f32(w->c, w->hi, d);
    bal_wide_reduce(w->c, w->wide, d);
}

static bal_verdict find_means(work *w, bal_space *s)
{
    bal_status mine = bal_slices_sweep(w->x, w->threads, take_values, w);

    join_values(w);
    if (!bal_failed(mine))
        mine = check_finite(w);
    for (bal_size f = 0; f < s->d; f++) {
        /* Which of two zeros was met first depends on the ranks: + 0 gives the
         * same one. */
        s->low[f] = w->lo[f] + 0.0f;
        s->high[f] = w->hi[f] + 0.0f;
        s->mean[f] = bal_wide_value(&w->wide[f]) / (double)w->x->n;
        if (s->low[f] >= s->high[f]) { /* whose mean must not be rounded */
            s->mean[f] = (double)s->high[f];
            s->constant++;
        }
    }
    return bal_agree(w->c, mine);
}

static void add_part(work *w, int thread)
{
    bal_size d = w->x->d, own = thread * d;

    for (bal_size f = 0; f < d; f++)
        bal_fixed_add(&w->sum[own + f], &w->scale[f], w->part[own + f]);
}

static void take_squares(void *self, const bal_slice *slice)
{
    work *w = self;

    bal_tile_squares(slice->rows, slice->m, w->x->d, w->view.mean,
                     w->part + slice->thread * w->x->d);
    add_part(w, slice->thread);
}

static void take_clipped(void *self, const bal_slice *slice)
{
    work *w = self;

    bal_tile_clipped_sums(slice->rows, slice->m, &w->view,
                          w->part + slice->thread * w->x->d);
    add_part(w, slice->thread);
}

/* Means over all points of what `take` sums, out[d]; w->bound is that of one
 * point. */
static bal_verdict average(work *w, bal_slice_fn *take, double *out)
{
    bal_size d = w->x->d;
    double n = (double)w->x->n;

    memset(w->sum, 0, (size_t)(w->threads * d) * sizeof *w->sum);
    for (bal_size f = 0; f < d; f++)
        w->scale[f] = bal_scale_for(n * w->bound[f], bal_slices_all(w->x));
    bal_status mine = bal_slices_sweep(w->x, w->threads, take, w);
    for (bal_size i = d; i < w->threads * d; i++)
        bal_fixed_merge(&w->sum[i % d], w->sum[i]);
    bal_fixed_reduce(w->c, w->sum, d);
    for (bal_size f = 0; f < d; f++)
        out[f] = bal_fixed_value(w->sum[f], &w->scale[f]) / n;
    return bal_agree(w->c, mine);
}

static bal_verdict find_deviations(work *w, bal_space *s)
{
    for (bal_size f = 0; f < s->d; f++) {
        double most = fmax((double)s->high[f] - s->mean[f],
                           s->mean[f] - (double)s->low[f]);
        w->bound[f] = most * most;
    }
    bal_verdict st = average(w, take_squares, s->sd);
    for (bal_size f = 0; f < s->d; f++) {
        bool constant = s->low[f] >= s->high[f];
        s->sd[f] = constant ? 0 : sqrt(s->sd[f]);
        s->divisor[f] = constant ? (double)INFINITY : s->sd[f];
    }
    return st;
}

static double clipped(const bal_space *s, bal_size f, float x)
{
    double v = ((double)x - s->mean[f]) / s->divisor[f];

    return fmin(fmax(v, -s->clip), s->clip);
}

/* As every step is monotonic, the extremes become the extremes. */
static void find_most(const bal_space *s, double *most)
{
    for (bal_size f = 0; f < s->d; f++)
        most[f] = fmax(fabs(clipped(s, f, s->low[f])),
                       fabs(clipped(s, f, s->high[f])));
}

static bal_verdict measure(work *w, const bal_space_params *par, bal_space *s,
                           double *most)
{
    bool standard = par->scale == BAL_SCALE_STANDARD;
    bal_verdict st;

    s->clip = standard ? par->clip : (double)INFINITY;
    for (bal_size f = 0; f < s->d; f++)
        s->sd[f] = s->divisor[f] = 1;
    w->view = bal_space_view(s);
    BAL_TRY(find_means(w, s));
    if (standard)
        BAL_TRY(find_deviations(w, s));
    find_most(s, most);
    if (!standard || s->pca)
        goto done;
    memcpy(w->bound, most, (size_t)s->d * sizeof *most);
    st = average(w, take_clipped, s->centre);
done:
    return st;
}

bal_verdict bal_standardise(bal_comm *c, bal_blocks *x,
                            const bal_space_params *par, bal_space *s,
                            double *most)
{
    work w = {.c = c, .x = x, .threads = par->threads, .broken = x->d};
    bal_verdict st = bal_agree(c, allot(&w));

    if (!bal_failed(st))
        st = measure(&w, par, s, most);
    release(&w);
    return st;
}

bal_size bal_standardise_memory(bal_size d, int threads)
{
    bal_size each = 2 * sizeof(float) + sizeof(double) + sizeof(bal_wide) +
                    sizeof(bal_fixed);

    return d * ((bal_size)sizeof(bal_scale) + 8) + threads * d * each;
}
