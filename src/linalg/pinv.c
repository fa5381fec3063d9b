/* Divide and conquer for all eigenvalues and vectors (ScaLAPACK's pdsyevd): the
 * spectrum is reported whole, and it needs no work space of size m^2 on any one
 * rank, as inverse iteration on clusters does. Two matrix products (pdgemm)
 * apply what is kept. */
#include "balans/linalg/pinv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "balans/base/mem.h"
#include "balans/base/text.h"
#include "balans/base/watch.h"
#include "balans/par/agree.h"
#include "scalapack.h"

static const int one = 1;

/* Doubles of work space: the solver's formula, and what its back-transformation
 * needs beyond it when the matrix is small. */
static bal_size work_space(bal_size m, bal_size share)
{
    return 2 * share + 9 * m + 2 * BAL_NB * (m + 3 * BAL_NB);
}

/* And integers. */
static bal_size integer_space(bal_size m, int ranks)
{
    return 7 * m + 8 * (bal_size)ranks + 2;
}

bal_size bal_pinv_memory(bal_size m, int ranks)
{
    bal_size share = bal_grid_share(m, m, ranks);

    return 8 * (2 * share + work_space(m, share) + m) +
           4 * integer_space(m, ranks);
}

bal_size bal_pinv_memory_after(bal_size m, int ranks)
{
    return 8 * (bal_grid_share(m, m, ranks) + m);
}

bal_size bal_pinv_apply_memory(bal_size m, bal_size width, int ranks)
{
    return 16 * bal_grid_share(m, width, ranks);
}

static bal_status check_size(bal_size m, bal_size memory, int ranks)
{
    char needed[32], allowed[32];
    bal_size need = bal_pinv_memory(m, ranks);

    bal_bytes(needed, sizeof needed, need);
    bal_bytes(allowed, sizeof allowed, memory);
    if (work_space(m, bal_grid_share(m, m, ranks)) > INT_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot invert the %lld x %lld affinities between "
                        "landmarks on %d ranks: the work space of a rank (%s) "
                        "reaches 2^31 numbers; use more ranks or "
                        "'--max-landmarks'",
                        (long long)m, (long long)m, ranks, needed);
    if (need > memory)
        return BAL_FAIL(BAL_ENOMEM,
                        "cannot invert the %lld x %lld affinities between "
                        "landmarks on %d ranks: it takes %s on each, and %s "
                        "are allowed; use more ranks, a larger "
                        "'--memory-per-rank' or '--max-landmarks'",
                        (long long)m, (long long)m, ranks, needed, allowed);
    return BAL_OK;
}

static bal_status make(bal_comm *c, bal_size m, bal_size memory, bal_pinv **out)
{
    bal_status st;

    BAL_TRY(check_size(m, memory, c->size));
    BAL_TRY(bal_alloc(out, 1, "the affinities between landmarks"));
    (*out)->grid = bal_grid_of(c->rank, c->size);
    (*out)->m = m;
    BAL_TRY(bal_alloc(&(*out)->value, m, "the eigenvalues"));
    BAL_TRY(bal_spread_init(&(*out)->w, (*out)->grid, m, m,
                            "the affinities between landmarks"));
done:
    return st;
}

bal_verdict bal_pinv_create(bal_comm *c, bal_size m, bal_size memory,
                            bal_pinv **out)
{
    *out = NULL;
    bal_verdict st = bal_agree(c, make(c, m, memory, out));

    if (bal_failed(st))
        bal_pinv_destroy(out);
    return st;
}

void bal_pinv_destroy(bal_pinv **p)
{
    if (*p == NULL)
        return;
    bal_free(&(*p)->value);
    bal_spread_finish(&(*p)->w);
    bal_spread_finish(&(*p)->vector);
    bal_free(p);
}

/* The solver reads the lower triangle. */
static void order(bal_size *i, bal_size *j)
{
    if (*i < *j) {
        bal_size kept = *i;
        *i = *j;
        *j = kept;
    }
}

int bal_pinv_owner(const bal_pinv *p, bal_size i, bal_size j)
{
    order(&i, &j);
    return bal_grid_owner(i, p->grid.rows) * p->grid.columns +
           bal_grid_owner(j, p->grid.columns);
}

void bal_pinv_add(bal_pinv *p, bal_size i, bal_size j, double v)
{
    order(&i, &j);
    bal_size row = bal_grid_index(i, p->grid.rows);
    bal_size column = bal_grid_index(j, p->grid.columns);
    p->w.at[column * p->w.ld + row] += v;
}

/* The solver's work space. */
typedef struct solver {
    double *work;
    int *iwork;
    int work_size, iwork_size;
} solver;

static bal_status allot(bal_comm *c, bal_pinv *p, solver *s)
{
    bal_status st;
    bal_size work = work_space(p->m, bal_grid_share(p->m, p->m, c->size));
    bal_size iwork = integer_space(p->m, c->size);
    char what[64];

    snprintf(what, sizeof what, "the eigenvectors of %lld landmarks",
             (long long)p->m);
    BAL_TRY(bal_spread_init(&p->vector, p->grid, p->m, p->m, what));
    s->work_size = (int)work;
    s->iwork_size = (int)iwork;
    if (p->grid.row >= 0) {
        BAL_TRY(bal_alloc(&s->work, work, what));
        BAL_TRY(bal_alloc(&s->iwork, iwork, what));
    }
done:
    return st;
}

static bal_status decompose(bal_blacs blacs, bal_pinv *p, solver *s)
{
    int w_is[BAL_DESCRIPTOR], vector_is[BAL_DESCRIPTOR], info = 0,
                                                         m = (int)p->m;

    if (p->grid.row < 0)
        return BAL_OK;
    bal_blacs_describe(blacs, &p->w, w_is);
    bal_blacs_describe(blacs, &p->vector, vector_is);
    pdsyevd_("V", "L", &m, p->w.at, &one, &one, w_is, p->value, p->vector.at,
             &one, &one, vector_is, s->work, &s->work_size, s->iwork,
             &s->iwork_size, &info);
    if (info == 0)
        return BAL_OK;
    return BAL_FAIL(BAL_ENUMERIC,
                    "cannot find the eigenvectors of the %d x %d affinities "
                    "between landmarks: ScaLAPACK's pdsyevd returned %d",
                    m, m, info);
}

/* If the largest is not positive, none is above a part of it. */
static void choose(bal_pinv *p, double rcond)
{
    double least = rcond * p->value[p->m - 1];

    p->kept = p->negative = 0;
    for (bal_size i = 0; i < p->m; i++) {
        p->kept += p->value[i] > least;
        p->negative += p->value[i] < 0;
    }
}

bal_verdict bal_pinv_solve(bal_comm *c, bal_pinv *p, double rcond)
{
    bal_verdict st;
    solver s = {0};

    BAL_TRY(bal_agree(c, allot(c, p, &s)));
    bal_blacs blacs = bal_blacs_open(c, p->grid);
    bal_watch_grant(20 * (double)p->m * (double)p->m * (double)p->m);
    bal_status mine = decompose(blacs, p, &s);
    bal_watch_grant(0);
    bal_blacs_close(blacs, p->grid);
    BAL_TRY(bal_agree(c, mine));
    bal_comm_bcast(c, p->value, p->m * (bal_size)sizeof *p->value, 0);
    choose(p, rcond);
done:
    bal_free(&s.work);
    bal_free(&s.iwork);
    bal_spread_finish(&p->w);
    return st;
}

/* Takes this rank's part out of a matrix that every rank has whole. */
static void take_part(bal_spread *a, const double *whole)
{
    const bal_grid *g = &a->grid;

    for (int r = 0; r < a->rows_here; r++) {
        const double *row =
            whole + bal_grid_global(r, g->row, g->rows) * a->columns;
        for (int k = 0; k < a->columns_here; k++)
            a->at[(bal_size)k * a->ld + r] =
                row[bal_grid_global(k, g->column, g->columns)];
    }
}

/* The way back: on ranks that do not have an entry all its bits are 0, so that
 * a disjunction gathers them. */
static void give_part(bal_comm *c, const bal_spread *a, double *whole)
{
    const bal_grid *g = &a->grid;
    bal_size count = (bal_size)a->rows * a->columns;

    memset(whole, 0, (size_t)count * sizeof *whole);
    for (int r = 0; r < a->rows_here; r++) {
        double *row = whole + bal_grid_global(r, g->row, g->rows) * a->columns;
        for (int k = 0; k < a->columns_here; k++)
            row[bal_grid_global(k, g->column, g->columns)] =
                a->at[(bal_size)k * a->ld + r];
    }
    bal_comm_or_u64(c, (uint64_t *)(void *)whole, count);
}

/* Divides row i of the spread matrix by the i-th eigenvalue kept. */
static void divide(const bal_pinv *p, bal_spread *a)
{
    const double *value = p->value + (p->m - p->kept);

    for (int k = 0; k < a->columns_here; k++)
        for (int r = 0; r < a->rows_here; r++)
            a->at[(bal_size)k * a->ld + r] /=
                value[bal_grid_global(r, p->grid.row, p->grid.rows)];
}

/* b = Q_k (L_k^-1 (Q_k^T b)), with room for the product in between. */
static void multiply(bal_blacs blacs, const bal_pinv *p, bal_spread *b,
                     bal_spread *between)
{
    int q_is[BAL_DESCRIPTOR], b_is[BAL_DESCRIPTOR], between_is[BAL_DESCRIPTOR];
    int m = (int)p->m, k = (int)p->kept, from = m - k + 1;
    const double whole = 1, nothing = 0;

    bal_blacs_describe(blacs, &p->vector, q_is);
    bal_blacs_describe(blacs, b, b_is);
    bal_blacs_describe(blacs, between, between_is);
    pdgemm_("T", "N", &k, &b->columns, &m, &whole, p->vector.at, &one, &from,
            q_is, b->at, &one, &one, b_is, &nothing, between->at, &one, &one,
            between_is);
    divide(p, between);
    pdgemm_("N", "N", &m, &b->columns, &k, &whole, p->vector.at, &one, &from,
            q_is, between->at, &one, &one, between_is, &nothing, b->at, &one,
            &one, b_is);
}

bal_verdict bal_pinv_apply(bal_comm *c, const bal_pinv *p, double *b,
                           bal_size width)
{
    bal_verdict st;
    bal_spread spread = {0}, between = {0};

    bal_status mine = bal_spread_init(&spread, p->grid, p->m, width,
                                      "the product with the pseudo-inverse");
    if (!bal_failed(mine))
        mine = bal_spread_init(&between, p->grid, p->kept, width,
                               "the product with the pseudo-inverse");
    BAL_TRY(bal_agree(c, mine));
    bal_blacs blacs = bal_blacs_open(c, p->grid);
    if (p->grid.row >= 0 && p->kept > 0) {
        take_part(&spread, b);
        multiply(blacs, p, &spread, &between);
    }
    bal_blacs_close(blacs, p->grid);
    give_part(c, &spread, b);
done:
    bal_spread_finish(&spread);
    bal_spread_finish(&between);
    return st;
}
