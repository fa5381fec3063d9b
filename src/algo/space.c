/* To fit: the features' scales (algo/standardise), and the components of the
 * covariance of what they make of X (algo/covariance, linalg/pca).  To apply:
 * each row by itself. */
#include "balans/algo/space.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#include "balans/algo/covariance.h"
#include "balans/algo/standardise.h"
#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/kernel/project.h"
#include "balans/linalg/pca.h"
#include "balans/par/agree.h"
#include "balans/par/layout.h"
#include "slices.h"

bal_status bal_space_create(bal_size d, bal_size p, bool pca, bal_space **out)
{
    static const char what[] = "the distance space";
    bal_status st;
    bal_space *s = NULL;

    *out = NULL;
    if (d > INT_MAX)
        BAL_TRY(BAL_FAIL(BAL_ERANGE,
                         "cannot take distances of %lld features; the most "
                         "are %d",
                         (long long)d, INT_MAX));
    BAL_TRY(bal_alloc(&s, 1, what));
    s->d = d;
    s->p = p;
    s->pca = pca;
    s->clip = (double)INFINITY;
    BAL_TRY(bal_alloc(&s->low, d, what));
    BAL_TRY(bal_alloc(&s->high, d, what));
    BAL_TRY(bal_alloc(&s->mean, d, what));
    BAL_TRY(bal_alloc(&s->sd, d, what));
    BAL_TRY(bal_alloc(&s->divisor, d, what));
    BAL_TRY(bal_alloc(&s->centre, d, what));
    if (pca) {
        BAL_TRY(bal_alloc(&s->components, d * p, "the components"));
        BAL_TRY(
            bal_alloc(&s->loadings, bal_loadings_size(d, p), "the components"));
        BAL_TRY(bal_alloc(&s->variance, p, "the components' variances"));
    }
    *out = s;
    s = NULL;
done:
    bal_space_destroy(&s);
    return st;
}

void bal_space_ready(bal_space *s)
{
    for (bal_size f = 0; f < s->d; f++)
        s->divisor[f] = s->sd[f] > 0 ? s->sd[f] : (double)INFINITY;
    if (s->pca)
        bal_loadings_pack(s->components, s->d, s->p, s->loadings);
}

void bal_space_destroy(bal_space **s)
{
    if (*s == NULL)
        return;
    bal_free(&(*s)->low);
    bal_free(&(*s)->high);
    bal_free(&(*s)->mean);
    bal_free(&(*s)->sd);
    bal_free(&(*s)->divisor);
    bal_free(&(*s)->centre);
    bal_free(&(*s)->components);
    bal_free(&(*s)->loadings);
    bal_free(&(*s)->variance);
    bal_free(s);
}

bal_standard bal_space_view(const bal_space *s)
{
    return (bal_standard){
        .d = s->d,
        .mean = s->mean,
        .divisor = s->divisor,
        .centre = s->centre,
        .clip = s->clip,
    };
}

static const char *way_out(const bal_space *s)
{
    return isinf(s->clip) ? "use --scale standard" : "use --clip 10";
}

/* What goes into the covariance must be in range; this can name the feature. */
static bal_status check_deviations(const bal_space *s, const double *most)
{
    bal_size worst = 0;

    for (bal_size f = 1; f < s->d; f++)
        if (most[f] > most[worst])
            worst = f;
    if (most[worst] < (double)FLT_MAX / 1e20)
        return BAL_OK;
    return BAL_FAIL(BAL_ENUMERIC,
                    "cannot take distances: values of feature %lld lie up to "
                    "%.3g from its mean, whose square is beyond single "
                    "precision; %s",
                    (long long)worst, most[worst], way_out(s));
}

static bool use_scalapack(bal_size d, const bal_space_params *par)
{
    if (par->solver == BAL_PCA_AUTO)
        return d > BAL_PCA_WIDE;
    return par->solver == BAL_PCA_SCALAPACK;
}

static bal_verdict find_components(bal_comm *c, bal_blocks *x,
                                   const bal_space_params *par,
                                   const double *most, bal_space *s)
{
    bal_standard view = bal_space_view(s);
    bal_pca *pca = NULL;
    bal_verdict st;

    BAL_TRY(bal_pca_create(c, s->d, s->p, use_scalapack(s->d, par), &pca));
    BAL_TRY(bal_covariance(c, x, &view, most, par->memory, par->threads, pca,
                           s->centre, &s->total));
    /* What is left of features that were centred already is rounding. */
    for (bal_size f = 0; f < s->d && par->scale == BAL_SCALE_NONE; f++)
        s->centre[f] = 0;
    BAL_TRY(bal_pause(c));
    BAL_TRY(bal_pca_solve(c, pca, s->components, s->variance));
done:
    bal_pca_destroy(&pca);
    return st;
}

static bal_status make(const bal_blocks *x, const bal_space_params *par,
                       bal_space **s, double **most)
{
    bal_status st;
    bool pca = par->pca > 0 && x->d > par->pca;

    BAL_TRY(bal_fault("space"));
    BAL_TRY(bal_space_create(x->d, pca ? par->pca : x->d, pca, s));
    BAL_TRY(bal_alloc(most, x->d, "the features' extremes"));
done:
    return st;
}

bal_verdict bal_space_fit(bal_comm *c, bal_blocks *x,
                          const bal_space_params *par, bal_space **out)
{
    bal_space *s = NULL;
    double *most = NULL;
    bal_verdict st;

    *out = NULL;
    BAL_TRY(bal_agree(c, make(x, par, &s, &most)));
    BAL_TRY(bal_standardise(c, x, par, s, most));
    BAL_TRY(bal_agree(c, check_deviations(s, most)));
    if (s->pca)
        BAL_TRY(find_components(c, x, par, most, s));
    bal_space_ready(s);
    *out = s;
    s = NULL;
done:
    bal_free(&most);
    bal_space_destroy(&s);
    return st;
}

void bal_space_apply(const bal_space *s, const float *rows, int m, double *room,
                     float *z)
{
    bal_standard view = bal_space_view(s);

    bal_tile_standardise(rows, m, &view, room);
    if (s->pca)
        bal_project(room, m, s->d, s->loadings, (int)s->p, z);
    else
        for (bal_size i = 0; i < m * s->d; i++)
            z[i] = (float)room[i];
}

/* A projection under way. */
typedef struct work {
    const bal_space *s;
    bal_sweep sweep;
    int threads;
    bal_size at;    /* first block of the next piece */
    bal_size step;  /* blocks in a piece */
    bal_size first; /* first row of the piece */
    double *points; /* [threads, BAL_TILE, d] */
    float *most;    /* [threads], the largest coordinate in magnitude */
    float *z;       /* [rows of a piece, p] */
} work;

/* Bytes of a piece; larger ones make nothing faster. */
enum { PIECE_MOST = 64 << 20 };

static bal_size larger(bal_size a, bal_size b)
{
    return a > b ? a : b;
}

static bal_size scratch_memory(bal_size d, int threads)
{
    return threads * BAL_TILE * d * (bal_size)sizeof(double);
}

/* Bytes for a piece beside the scratch, and blocks whose coordinates fit. */
static bal_size piece_memory(bal_size d, bal_size memory, int threads)
{
    bal_size left = memory - scratch_memory(d, threads);

    return left < PIECE_MOST ? left : PIECE_MOST;
}

static bal_size piece(const bal_space *s, const bal_blocks *x, bal_size memory,
                      int threads)
{
    bal_size fit = piece_memory(s->d, memory, threads) /
                   (x->longest * s->p * (bal_size)sizeof(float));

    fit = fit < x->count ? fit : x->count;
    return larger(fit, 1);
}

static bal_status allot(work *w)
{
    const bal_blocks *x = w->sweep.x;
    bal_size rows = w->step * x->longest;
    bal_status st;

    rows = rows < x->m ? rows : x->m;
    BAL_TRY(bal_alloc(&w->points, w->threads * BAL_TILE * w->s->d,
                      "slices of standardised points"));
    BAL_TRY(bal_alloc(&w->most, w->threads, "the largest coordinates"));
    BAL_TRY(bal_alloc(&w->z, rows * w->s->p, "a piece of the coordinates"));
done:
    return st;
}

static void take_slice(void *self, const bal_slice *slice)
{
    work *w = self;
    bal_size p = w->s->p;
    float *z = w->z + (slice->first - w->first) * p;
    float most = w->most[slice->thread];

    bal_space_apply(w->s, slice->rows, slice->m,
                    w->points + slice->thread * BAL_TILE * w->s->d, z);
    for (bal_size i = 0; i < slice->m * p; i++) {
        float size = fabsf(z[i]);
        if (!(size <= most)) /* also what is not a number */
            most = size < INFINITY ? size : INFINITY;
    }
    w->most[slice->thread] = most;
}

/* Makes the next piece.  @return its rows; 0 at the end and after a failure */
static bal_size next_piece(work *w)
{
    const bal_blocks *x = w->sweep.x;

    if (w->at == w->sweep.to && !bal_sweep_next(&w->sweep))
        return 0;
    bal_size from = w->at, end = from + w->step;
    w->at = end < w->sweep.to ? end : w->sweep.to;
    w->first = x->start[from];
    bal_slices_do(&w->sweep, from, w->at, w->threads, take_slice, w);
    return x->start[w->at] - w->first;
}

/* Coordinates up to `most` in p dimensions give squared distances up to
 * 4 p most^2.  Those of coordinates too small would have no digits left. */
static bal_status check_range(double most, const bal_space *s)
{
    double square = most * most;

    if (4.0 * (double)s->p * square > 0.999 * (double)FLT_MAX)
        return BAL_FAIL(BAL_ENUMERIC,
                        "cannot take distances: coordinates as large as %.3g "
                        "have squares beyond single precision; %s",
                        most, way_out(s));
    if (most > 0 && square < (double)FLT_MIN / (double)FLT_EPSILON)
        return BAL_FAIL(BAL_ENUMERIC,
                        "cannot take distances: coordinates no larger than "
                        "%.3g have squares too small for single precision; %s",
                        most, way_out(s));
    return BAL_OK;
}

static bal_verdict check_all(bal_comm *c, const work *w)
{
    float most = 0;

    for (int t = 0; t < w->threads; t++)
        most = fmaxf(most, w->most[t]);
    bal_comm_max_f32(c, &most, 1);
    return bal_agree(c, check_range((double)most, w->s));
}

bal_verdict bal_space_project(bal_comm *c, const bal_space *s, bal_blocks *x,
                              bal_size memory, int threads,
                              bal_space_take *take, void *arg)
{
    work w = {
        .s = s,
        .sweep = bal_sweep_begin(x),
        .threads = threads,
        .step = piece(s, x, memory, threads),
    };
    bal_verdict st;

    BAL_TRY(bal_pause(c));
    BAL_TRY(bal_agree(c, allot(&w)));
    for (;;) {
        bal_size rows = next_piece(&w), most = rows;
        BAL_TRY(bal_agree(c, w.sweep.status));
        bal_comm_max_i64(c, &most, 1);
        if (most == 0)
            break;
        BAL_TRY(take(arg, w.first, rows, w.z));
    }
    st = check_all(c, &w);
done:
    bal_free(&w.points);
    bal_free(&w.most);
    bal_free(&w.z);
    return st;
}

bal_size bal_space_memory(bal_size d, const bal_space_params *par, int rank,
                          int ranks)
{
    bool pca = par->pca > 0 && d > par->pca;
    bal_size p = pca ? par->pca : 0;
    bal_size block = BAL_BLOCK * (pca ? p : d) * (bal_size)sizeof(float);
    bal_size kept = 7 * d * 8 + (d + 1) * p * 8 + bal_loadings_size(d, p) * 8;
    bal_size project =
        scratch_memory(d, par->threads) +
        larger(block, piece_memory(d, par->memory, par->threads));
    bal_size most = larger(bal_standardise_memory(d, par->threads), project);

    if (pca)
        most = larger(most,
                      bal_pca_memory(d, p, use_scalapack(d, par), rank, ranks) +
                          bal_covariance_memory(d, par->memory, par->threads));
    return kept + most;
}
