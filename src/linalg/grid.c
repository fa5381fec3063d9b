/* Householder reduction to a tridiagonal matrix, bisection for the wanted
 * eigenvalues, inverse iteration for their vectors (ScaLAPACK's pdsyevx). */
#include "balans/linalg/grid.h"

#include <float.h>
#include <limits.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"

/* These libraries have no C headers. */
int Csys2blacs_handle(MPI_Comm mpi);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridinfo(int context, int *rows, int *columns, int *row,
                     int *column);
void Cblacs_gridexit(int context);
int numroc_(const int *n, const int *nb, const int *me, const int *first,
            const int *over);
void descinit_(int *descriptor, const int *m, const int *n, const int *mb,
               const int *nb, const int *row, const int *column,
               const int *context, const int *ld, int *info);
void pdsyevx_(const char *job, const char *range, const char *uplo,
              const int *n, double *a, const int *ia, const int *ja,
              const int *desca, const double *vl, const double *vu,
              const int *il, const int *iu, const double *abstol, int *m,
              int *nz, double *w, const double *orfac, double *z, const int *iz,
              const int *jz, const int *descz, double *work, const int *lwork,
              int *iwork, const int *liwork, int *ifail, int *iclustr,
              double *gap, int *info);

static const int zero = 0, one = 1, block = BAL_NB;

static void shape(int ranks, int *rows, int *columns)
{
    *rows = 1;
    while ((*rows + 1) * (*rows + 1) <= ranks)
        (*rows)++;
    *columns = ranks / *rows;
}

void bal_grid_init(bal_comm *c, bal_grid *g)
{
    shape(c->size, &g->rows, &g->columns);
    g->handle = Csys2blacs_handle(c->mpi);
    g->context = g->handle;
    Cblacs_gridinit(&g->context, "Row", g->rows, g->columns);
    g->row = g->column = -1;
    if (c->rank >= g->rows * g->columns) {
        g->context = -1;
        return;
    }

    int rows, columns;
    Cblacs_gridinfo(g->context, &rows, &columns, &g->row, &g->column);
}

void bal_grid_finish(bal_grid *g)
{
    if (g->context >= 0)
        Cblacs_gridexit(g->context);
    Cfree_blacs_system_handle(g->handle);
}

static bal_size most_here(bal_size n, int over)
{
    bal_size blocks = (n + BAL_NB - 1) / BAL_NB;

    return (blocks + over - 1) / over * BAL_NB;
}

bal_size bal_grid_share(bal_size rows, bal_size columns, int ranks)
{
    int r, c;

    shape(ranks, &r, &c);
    return most_here(rows, r) * most_here(columns, c);
}

bal_status bal_spread_init(bal_spread *a, const bal_grid *g, bal_size rows,
                           bal_size columns, const char *what)
{
    int info = 0;

    *a = (bal_spread){.grid = g, .ld = 1};
    if (most_here(rows, g->rows) * most_here(columns, g->columns) > INT_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot spread %lld x %lld numbers for %s over %d x %d "
                        "ranks: a share reaches 2^31; use more ranks",
                        (long long)rows, (long long)columns, what, g->rows,
                        g->columns);
    a->rows = (int)rows;
    a->columns = (int)columns;
    if (g->row >= 0) {
        a->rows_here = numroc_(&a->rows, &block, &g->row, &zero, &g->rows);
        a->columns_here =
            numroc_(&a->columns, &block, &g->column, &zero, &g->columns);
        a->ld = a->rows_here > 1 ? a->rows_here : 1;
        descinit_(a->descriptor, &a->rows, &a->columns, &block, &block, &zero,
                  &zero, &g->context, &a->ld, &info);
        BAL_REQUIRE(info == 0);
    }
    return bal_alloc(&a->at, (bal_size)a->ld * a->columns_here, what);
}

void bal_spread_finish(bal_spread *a)
{
    bal_free(&a->at);
}

/* The solver's arguments. */
typedef struct solver {
    bal_spread *a, *vector;
    int k, found, vectors;
    double *value;   /* [n] */
    double *work;
    int *iwork;
    int *failed;     /* [n] */
    int *cluster;    /* [2 size] */
    double *gap;     /* [size] */
    int work_size, iwork_size;
    int info;
} solver;

static void call(solver *s)
{
    int n = s->a->rows, lowest = n - s->k + 1;
    const double none = 0, tolerance = 2 * DBL_MIN, near = 1e-3;

    pdsyevx_("V", "I", "U", &n, s->a->at, &one, &one, s->a->descriptor, &none,
             &none, &lowest, &n, &tolerance, &s->found, &s->vectors, s->value,
             &near, s->vector->at, &one, &one, s->vector->descriptor, s->work,
             &s->work_size, s->iwork, &s->iwork_size, s->failed, s->cluster,
             s->gap, &s->info);
}

static bal_status prepare(solver *s)
{
    bal_status st;
    const bal_grid *g = s->a->grid;
    bal_size n = s->a->rows, ranks = (bal_size)g->rows * g->columns;

    BAL_TRY(bal_alloc(&s->value, n, "the eigenvalues"));
    if (g->row < 0)
        goto done;
    BAL_TRY(bal_alloc(&s->failed, n, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->cluster, 2 * ranks, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->gap, ranks, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->work, 3, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->iwork, 1, "the eigenvectors"));
    s->work_size = s->iwork_size = -1;
    call(s);

    /* More than it asks for, so that a cluster of k can be made orthogonal. */
    double size = s->work[0] + (double)s->k * (double)n;
    if (size > INT_MAX)
        BAL_TRY(BAL_FAIL(BAL_ERANGE,
                         "cannot find %d eigenvectors of %lld dimensions on "
                         "%lld ranks: the work space reaches 2^31; use more",
                         s->k, (long long)n, (long long)ranks));
    s->work_size = (int)size;
    s->iwork_size = s->iwork[0];
    BAL_TRY(bal_resize(&s->work, s->work_size, "the eigenvalue solver"));
    BAL_TRY(bal_resize(&s->iwork, s->iwork_size, "the eigenvalue solver"));
done:
    return st;
}

static bal_status run(solver *s)
{
    if (s->a->grid->row < 0)
        return BAL_OK;
    call(s);
    if (s->info == 0 && s->vectors == s->k)
        return BAL_OK;
    return BAL_FAIL(BAL_ENUMERIC,
                    "cannot find %d eigenvectors of a %d x %d matrix: found %d "
                    "of them, ScaLAPACK's pdsyevx returned %d",
                    s->k, s->a->rows, s->a->rows, s->vectors, s->info);
}

bal_verdict bal_grid_eigh_largest(bal_comm *c, bal_spread *a, int k,
                                  double *value, bal_spread *vector)
{
    solver s = {.a = a, .vector = vector, .k = k};
    bal_verdict st;

    BAL_TRY(bal_agree(c, prepare(&s)));
    BAL_TRY(bal_agree(c, run(&s)));
    bal_comm_bcast(c, s.value, k * (bal_size)sizeof *value, 0);
    for (int i = 0; i < k; i++)
        value[i] = s.value[i];
done:
    bal_free(&s.value);
    bal_free(&s.work);
    bal_free(&s.iwork);
    bal_free(&s.failed);
    bal_free(&s.cluster);
    bal_free(&s.gap);
    return st;
}
