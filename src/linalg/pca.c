#include "balans/linalg/pca.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "balans/base/fault.h"
#include "balans/base/mem.h"
#include "balans/base/watch.h"
#include "balans/kernel/moments.h"
#include "balans/linalg/eigh.h"
#include "balans/linalg/grid.h"
#include "balans/par/agree.h"

struct bal_pca {
    bal_size d, p;
    bool spread;
    double *matrix;   /* [d, d] on rank 0, its upper triangle; else NULL */
    double *vector;   /* [p, d] on rank 0, else NULL */
    bal_spread share; /* this rank's part of the matrix, its upper triangle */
    bal_spread found; /* and of the vectors */
};

static bal_size runs(bal_size d)
{
    return (d + BAL_GRAM - 1) / BAL_GRAM;
}

bal_size bal_pair_count(bal_size d)
{
    return runs(d) * (runs(d) + 1) / 2;
}

bal_pair bal_pair_at(bal_size d, bal_size q)
{
    bal_size row = 0, left = runs(d);

    while (q >= left) {
        q -= left;
        left--;
        row++;
    }

    bal_size i = row * BAL_GRAM, j = (row + q) * BAL_GRAM;
    return (bal_pair){
        .i = i,
        .j = j,
        .ni = (int)(d - i < BAL_GRAM ? d - i : BAL_GRAM),
        .nj = (int)(d - j < BAL_GRAM ? d - j : BAL_GRAM),
    };
}

static bal_status allot_whole(bal_pca *s, int rank)
{
    if (rank != 0)
        return BAL_OK;

    bal_status st = bal_alloc(&s->matrix, s->d * s->d, "the covariance");
    if (bal_failed(st))
        return st;
    return bal_alloc(&s->vector, s->d * s->p, "the principal components");
}

static bal_status allot_share(bal_pca *s, int rank, int size)
{
    bal_grid g = bal_grid_of(rank, size);
    bal_status st = bal_spread_init(&s->share, g, s->d, s->d, "the covariance");

    if (bal_failed(st))
        return st;
    return bal_spread_init(&s->found, g, s->d, s->d,
                           "the principal components");
}

static bal_status make(bal_comm *c, bal_size d, bal_size p, bool spread,
                       bal_pca **out)
{
    bal_status st = bal_alloc(out, 1, "the principal components");

    if (bal_failed(st))
        return st;
    (*out)->d = d;
    (*out)->p = p;
    (*out)->spread = spread;
    if (d > INT_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot take principal components of %lld features; "
                        "the most are %d",
                        (long long)d, INT_MAX);
    return spread ? allot_share(*out, c->rank, c->size)
                  : allot_whole(*out, c->rank);
}

bal_verdict bal_pca_create(bal_comm *c, bal_size d, bal_size p, bool spread,
                           bal_pca **out)
{
    bal_pca *s = NULL;
    bal_verdict st = bal_agree(c, make(c, d, p, spread, &s));

    if (bal_failed(st))
        bal_pca_destroy(&s);
    *out = s;
    return st;
}

void bal_pca_destroy(bal_pca **s)
{
    if (*s == NULL)
        return;
    bal_free(&(*s)->matrix);
    bal_free(&(*s)->vector);
    bal_spread_finish(&(*s)->share);
    bal_spread_finish(&(*s)->found);
    bal_free(s);
}

static void put_whole(bal_pca *s, bal_pair pair, const double *block)
{
    for (int i = 0; i < pair.ni; i++) {
        double *row = s->matrix + (pair.i + i) * s->d + pair.j;
        for (int j = pair.i == pair.j ? i : 0; j < pair.nj; j++)
            row[j] = block[i * pair.nj + j];
    }
}

static void put_share(bal_pca *s, bal_pair pair, const double *block)
{
    const bal_grid *g = &s->share.grid;

    for (int i = 0; i < pair.ni; i++) {
        bal_size row = pair.i + i;
        if (bal_grid_owner(row, g->rows) != g->row)
            continue;
        double *to = s->share.at + bal_grid_index(row, g->rows);
        for (int j = pair.i == pair.j ? i : 0; j < pair.nj; j++) {
            bal_size column = pair.j + j;
            bal_size here = bal_grid_index(column, g->columns);
            if (bal_grid_owner(column, g->columns) == g->column)
                to[here * s->share.ld] = block[i * pair.nj + j];
        }
    }
}

void bal_pca_put(bal_pca *s, bal_pair pair, const double *block)
{
    if (s->spread)
        put_share(s, pair, block);
    else if (s->matrix != NULL)
        put_whole(s, pair, block);
}

/* Turns component c round if its largest loading is negative. */
static void fix_sign(const bal_pca *s, double *components, bal_size c)
{
    double top = 0;

    for (bal_size f = 0; f < s->d; f++) {
        double loading = components[f * s->p + c];
        top = fabs(loading) > fabs(top) ? loading : top;
    }
    if (top >= 0)
        return;
    for (bal_size f = 0; f < s->d; f++)
        components[f * s->p + c] *= -1;
}

static void polish(const bal_pca *s, double *components, double *variance)
{
    for (bal_size c = 0; c < s->p; c++) {
        fix_sign(s, components, c);
        variance[c] = variance[c] > 0 ? variance[c] : 0;
    }
}

static bal_status solve_here(bal_pca *s, double *components, double *variance)
{
    bal_size d = s->d, p = s->p;

    if (s->matrix == NULL)
        return BAL_OK;

    bal_status st =
        bal_eigh_largest(s->matrix, (int)d, (int)p, variance, s->vector);
    for (bal_size c = 0; c < p; c++)
        for (bal_size f = 0; f < d; f++)
            components[f * p + c] = s->vector[c * d + f];
    return st;
}

static bal_verdict solve_whole(bal_comm *c, bal_pca *s, double *components,
                               double *variance)
{
    bal_size values = s->d * s->p;
    bal_verdict st = bal_agree(c, solve_here(s, components, variance));

    if (bal_failed(st))
        return st;
    bal_comm_bcast(c, components, values * (bal_size)sizeof *components, 0);
    bal_comm_bcast(c, variance, s->p * (bal_size)sizeof *variance, 0);
    return st;
}

/* This rank's part of the vectors, in descending order of their variance. */
static void place_share(const bal_pca *s, double *components)
{
    const bal_spread *v = &s->found;
    const bal_grid *g = &v->grid;

    memset(components, 0, (size_t)(s->d * s->p) * sizeof *components);
    for (int j = 0; j < v->columns_here; j++) {
        bal_size c = s->p - 1 - bal_grid_global(j, g->column, g->columns);
        if (c < 0)
            break;
        for (int i = 0; i < v->rows_here; i++) {
            bal_size f = bal_grid_global(i, g->row, g->rows);
            components[f * s->p + c] = v->at[(bal_size)j * v->ld + i];
        }
    }
}

static void reverse(double *value, bal_size count)
{
    for (bal_size i = 0, j = count - 1; i < j; i++, j--) {
        double t = value[i];
        value[i] = value[j];
        value[j] = t;
    }
}

static bal_verdict solve_spread(bal_comm *c, bal_pca *s, double *components,
                                double *variance)
{
    bal_verdict st =
        bal_grid_eigh_largest(c, &s->share, (int)s->p, variance, &s->found);

    if (bal_failed(st))
        return st;
    reverse(variance, s->p);
    place_share(s, components);
    /* Each number comes from one rank, the others bring zeros: an "or" of the
     * bits is the exact sum. */
    bal_comm_or_u64(c, (uint64_t *)(void *)components, s->d * s->p);
    return st;
}

bal_verdict bal_pca_solve(bal_comm *c, bal_pca *s, double *components,
                          double *variance)
{
    bal_verdict st = bal_agree(c, bal_fault("eigen"));

    if (bal_failed(st))
        return st;
    bal_watch_grant(10 * (double)s->d * (double)s->d * (double)s->d);
    st = s->spread ? solve_spread(c, s, components, variance)
                   : solve_whole(c, s, components, variance);
    bal_watch_grant(0);
    if (!bal_failed(st))
        polish(s, components, variance);
    return st;
}

bal_size bal_pca_memory(bal_size d, bal_size p, bool spread, int rank,
                        int ranks)
{
    bal_size whole = rank == 0 ? d * d + d * p + 64 * d : 0;
    bal_size share = 3 * bal_grid_share(d, d, ranks) + (2 * p + 64) * d +
                     2 * BAL_NB * BAL_NB;

    return (spread ? share : whole) * (bal_size)sizeof(double);
}
