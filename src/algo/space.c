/* Three steps: the scaler (algo/standardise), the components of the covariance
 * of what it makes of X (algo/covariance, linalg/pca), and Z, tile by tile. */
#include "balans/algo/space.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <omp.h>

#include "balans/algo/covariance.h"
#include "balans/algo/standardise.h"
#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/project.h"
#include "balans/linalg/pca.h"
#include "balans/par/agree.h"

/* What is needed to make Z. */
typedef struct work {
    const bal_shard *x;
    bal_standard view;
    int threads;
    double *unit;   /* [d], ones */
    double *points; /* [threads, BAL_TILE, d] */
    double *packed; /* loadings; NULL without PCA */
} work;

static bal_status make(const bal_shard *x, const bal_space_params *par,
                       bal_space **out)
{
    bal_status st;
    bal_space *s = NULL;

    BAL_TRY(bal_fault("space"));
    BAL_TRY(bal_alloc(&s, 1, "the distance space"));
    *out = s;
    s->d = x->d;
    s->pca = par->pca > 0 && x->d > par->pca;
    s->p = s->pca ? par->pca : x->d;
    if (s->d > INT_MAX)
        BAL_TRY(BAL_FAIL(BAL_ERANGE,
                         "cannot take distances of %lld features; the most "
                         "are %d",
                         (long long)s->d, INT_MAX));
    BAL_TRY(bal_tiles_create(x->layout, (int)s->p, &s->z));
    if (!s->pca)
        goto done;
    BAL_TRY(bal_alloc(&s->components, s->d * s->p, "the components"));
    BAL_TRY(bal_alloc(&s->variance, s->p, "the components' variances"));
done:
    return st;
}

/* The space takes over what the scaler found. */
static void take_scales(bal_space *s, bal_scaler *from)
{
    s->mean = from->mean;
    s->sd = from->sd;
    s->centre = from->centre;
    s->constant = from->constant;
    from->mean = from->sd = from->centre = NULL;
}

static const char *way_out(const bal_space_params *par)
{
    return par->scale == BAL_SCALE_NONE ? "use --scale standard"
                                        : "use --clip 10";
}

/* Coordinates up to `most` in p dimensions give squared distances up to
 * 4 p most^2.  Those of coordinates too small would have no digits left. */
static bal_status check_range(double most, bal_size p,
                              const bal_space_params *par)
{
    double square = most * most;

    if (4.0 * (double)p * square > 0.999 * (double)FLT_MAX)
        return BAL_FAIL(BAL_ENUMERIC,
                        "cannot take distances: coordinates as large as %.3g "
                        "have squares beyond single precision; %s",
                        most, way_out(par));
    if (most > 0 && square < (double)FLT_MIN / (double)FLT_EPSILON)
        return BAL_FAIL(BAL_ENUMERIC,
                        "cannot take distances: coordinates no larger than "
                        "%.3g have squares too small for single precision; %s",
                        most, way_out(par));
    return BAL_OK;
}

/* What goes into the covariance must be in range too; this can name the
 * feature. */
static bal_status check_scaler(const bal_scaler *s, const bal_space_params *par)
{
    bal_size worst = 0;

    for (bal_size f = 1; f < s->d; f++)
        if (s->most[f] > s->most[worst])
            worst = f;
    if (s->most[worst] < (double)FLT_MAX / 1e20)
        return BAL_OK;
    return BAL_FAIL(BAL_ENUMERIC,
                    "cannot take distances: values of feature %lld lie up to "
                    "%.3g from its mean, whose square is beyond single "
                    "precision; %s",
                    (long long)worst, s->most[worst], way_out(par));
}

static bool use_scalapack(bal_size d, const bal_space_params *par)
{
    if (par->solver == BAL_PCA_AUTO)
        return d > BAL_PCA_WIDE;
    return par->solver == BAL_PCA_SCALAPACK;
}

static bal_verdict find_components(bal_comm *c, const bal_shard *x,
                                   const bal_space_params *par,
                                   const bal_scaler *scaler, bal_space *s)
{
    bal_standard view = bal_scaler_view(scaler);
    bal_pca *pca = NULL;
    bal_verdict st;

    BAL_TRY(bal_pca_create(c, s->d, s->p, use_scalapack(s->d, par), &pca));
    BAL_TRY(bal_covariance(c, x, &view, scaler->most, par->memory, par->threads,
                           pca, &s->total));
    BAL_TRY(bal_pause(c));
    BAL_TRY(bal_pca_solve(c, pca, s->components, s->variance));
done:
    bal_pca_destroy(&pca);
    return st;
}

static bal_status allot(work *w, const bal_space *s)
{
    bal_status st;

    BAL_TRY(bal_alloc(&w->unit, s->d, "the features' scales"));
    BAL_TRY(bal_alloc(&w->points, w->threads * BAL_TILE * s->d,
                      "tiles of standardised points"));
    for (bal_size f = 0; f < s->d; f++)
        w->unit[f] = 1;
    if (!s->pca)
        goto done;
    BAL_TRY(
        bal_alloc(&w->packed, bal_loadings_size(s->d, s->p), "the loadings"));
    bal_loadings_pack(s->components, s->d, s->p, w->packed);
done:
    return st;
}

static void release(work *w)
{
    bal_free(&w->unit);
    bal_free(&w->points);
    bal_free(&w->packed);
}

/* Sets one tile of Z; returns its largest coordinate in magnitude. */
static float set_tile(const work *w, bal_tiles *z, bal_size t, int thread)
{
    const bal_tile *tile = &z->layout->tile[t];
    bal_size d = w->x->d;
    double *points = w->points + thread * BAL_TILE * d;
    float *block = bal_tiles_block(z, t);
    float most = 0;

    bal_alive();
    bal_tile_standardise(w->x->at + tile->first * d, tile->m, &w->view, w->unit,
                         points);
    if (w->packed == NULL)
        bal_transpose_tile(points, tile->m, d, block, tile->ld);
    else
        bal_project_tile(points, tile->m, d, w->packed, z->p, block, tile->ld);
    for (int f = 0; f < z->p; f++)
        for (int j = 0; j < tile->m; j++) {
            float size = fabsf(block[(bal_size)f * tile->ld + j]);
            most = size > most ? size : most;
        }
    return most;
}

static float set_tiles(const work *w, bal_tiles *z)
{
    float most = 0;

#pragma omp parallel for schedule(static) num_threads(w->threads) \
    reduction(max                                                 \
              : most)
    for (bal_size t = 0; t < z->layout->tiles; t++) {
        float here = set_tile(w, z, t, omp_get_thread_num());
        most = here > most ? here : most;
    }
    return most;
}

static bal_verdict set_points(bal_comm *c, const bal_shard *x,
                              const bal_space_params *par,
                              const bal_standard *view, bal_space *s)
{
    work w = {.x = x, .view = *view, .threads = par->threads};
    bal_verdict st;

    BAL_TRY(bal_agree(c, allot(&w, s)));
    float most = set_tiles(&w, s->z);
    bal_comm_max_f32(c, &most, 1);
    st = bal_agree(c, check_range((double)most, s->p, par));
done:
    release(&w);
    return st;
}

bal_verdict bal_space_create(bal_comm *c, const bal_shard *x,
                             const bal_space_params *par, bal_space **out)
{
    bal_space *s = NULL;
    bal_scaler *scaler = NULL;
    bal_verdict st;

    *out = NULL;
    BAL_TRY(bal_agree(c, make(x, par, &s)));
    BAL_TRY(bal_scaler_create(c, x, par, &scaler));
    BAL_TRY(bal_agree(c, check_scaler(scaler, par)));
    if (s->pca)
        BAL_TRY(find_components(c, x, par, scaler, s));

    BAL_TRY(bal_pause(c));
    bal_standard view = bal_scaler_view(scaler);
    BAL_TRY(set_points(c, x, par, &view, s));
    take_scales(s, scaler);
    *out = s;
    s = NULL;
done:
    bal_scaler_destroy(&scaler);
    bal_space_destroy(&s);
    return st;
}

void bal_space_destroy(bal_space **s)
{
    if (*s == NULL)
        return;
    bal_free(&(*s)->mean);
    bal_free(&(*s)->sd);
    bal_free(&(*s)->centre);
    bal_free(&(*s)->components);
    bal_free(&(*s)->variance);
    bal_tiles_destroy(&(*s)->z);
    bal_free(s);
}

static bal_size larger(bal_size a, bal_size b)
{
    return a > b ? a : b;
}

bal_size bal_space_memory(bal_size d, const bal_space_params *par, int rank,
                          int ranks)
{
    bool pca = par->pca > 0 && d > par->pca;
    bal_size p = pca ? par->pca : 0;
    bal_size fill = d * 8 + par->threads * BAL_TILE * d * 8;
    bal_size kept = 5 * d * 8 + (d + 1) * p * 8;

    fill += bal_loadings_size(d, p) * 8;
    if (!pca)
        return kept + larger(bal_scaler_memory(d, par->threads), fill);

    bal_size solve = bal_pca_memory(d, p, use_scalapack(d, par), rank, ranks) +
                     bal_covariance_memory(d, par->memory, par->threads);
    return kept +
           larger(solve, larger(bal_scaler_memory(d, par->threads), fill));
}
