/* Householder reduction to a tridiagonal matrix, bisection for the wanted
 * eigenvalues, inverse iteration for their vectors (ScaLAPACK's pdsyevx). */
#include <float.h>
#include <limits.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"
#include "scalapack.h"

static const int zero = 0, one = 1, block = BAL_NB;

static void shape(int ranks, int *rows, int *columns)
{
    *rows = 1;
    while ((*rows + 1) * (*rows + 1) <= ranks)
        (*rows)++;
    *columns = ranks / *rows;
}

bal_grid bal_grid_of(int rank, int size)
{
    bal_grid g;

    shape(size, &g.rows, &g.columns);
    bool idle = rank >= g.rows * g.columns;
    g.row = idle ? -1 : rank / g.columns;
    g.column = idle ? -1 : rank % g.columns;
    return g;
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

/* How many of n rows or columns grid row or column `me` holds. */
static int held(bal_size n, int me, int over)
{
    bal_size whole = n / BAL_NB, rest = n % BAL_NB;
    bal_size blocks = whole / over + (me < whole % over);

    return (int)(blocks * BAL_NB + (me == whole % over ? rest : 0));
}

bal_status bal_spread_init(bal_spread *a, bal_grid g, bal_size rows,
                           bal_size columns, const char *what)
{
    *a = (bal_spread){.grid = g, .ld = 1};
    if (most_here(rows, g.rows) * most_here(columns, g.columns) > INT_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot spread %lld x %lld numbers for %s over %d x %d "
                        "ranks: a share reaches 2^31; use more ranks",
                        (long long)rows, (long long)columns, what, g.rows,
                        g.columns);
    a->rows = (int)rows;
    a->columns = (int)columns;
    if (g.row >= 0) {
        a->rows_here = held(rows, g.row, g.rows);
        a->columns_here = held(columns, g.column, g.columns);
        a->ld = a->rows_here > 1 ? a->rows_here : 1;
    }
    return bal_alloc(&a->at, (bal_size)a->ld * a->columns_here, what);
}

void bal_spread_finish(bal_spread *a)
{
    bal_free(&a->at);
}

bal_blacs bal_blacs_open(bal_comm *c, bal_grid g)
{
    bal_blacs b;
    int yes = 1;

    b.handle = Csys2blacs_handle(c->mpi);
    b.context = b.handle;
    Cblacs_gridinit(&b.context, "Row", g.rows, g.columns);
    if (g.row >= 0)
        Cblacs_set(b.context, BAL_BLACS_REPEATABLE, &yes);
    return b;
}

void bal_blacs_close(bal_blacs b, bal_grid g)
{
    if (g.row >= 0)
        Cblacs_gridexit(b.context);
    Cfree_blacs_system_handle(b.handle);
}

void bal_blacs_describe(bal_blacs b, const bal_spread *a, int *descriptor)
{
    int info;

    descinit_(descriptor, &a->rows, &a->columns, &block, &block, &zero, &zero,
              &b.context, &a->ld, &info);
    BAL_REQUIRE(info == 0);
}

/* The solver's arguments. */
typedef struct solver {
    bal_spread *a, *vector;
    bal_blacs blacs;
    int a_is[BAL_DESCRIPTOR], vector_is[BAL_DESCRIPTOR];
    int k, found, vectors;
    double *value; /* [n] */
    double *work;
    int *iwork;
    int *failed;  /* [n] */
    int *cluster; /* [2 ranks of the grid] */
    double *gap;  /* [ranks of the grid] */
    int work_size, iwork_size;
    int info;
} solver;

static void call(solver *s)
{
    int n = s->a->rows, lowest = n - s->k + 1;
    const double none = 0, tolerance = 2 * DBL_MIN, near = 1e-3;

    pdsyevx_("V", "I", "U", &n, s->a->at, &one, &one, s->a_is, &none, &none,
             &lowest, &n, &tolerance, &s->found, &s->vectors, s->value, &near,
             s->vector->at, &one, &one, s->vector_is, s->work, &s->work_size,
             s->iwork, &s->iwork_size, s->failed, s->cluster, s->gap, &s->info);
}

static bal_status allot(solver *s)
{
    bal_status st;
    const bal_grid *g = &s->a->grid;
    bal_size n = s->a->rows, ranks = (bal_size)g->rows * g->columns;

    BAL_TRY(bal_alloc(&s->value, n, "the eigenvalues"));
    BAL_TRY(bal_alloc(&s->failed, n, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->cluster, 2 * ranks, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->gap, ranks, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->work, 3, "the eigenvectors"));
    BAL_TRY(bal_alloc(&s->iwork, 1, "the eigenvectors"));
done:
    return st;
}

/* Asks how much work space is wanted and gets it: and k n numbers more, so that
 * vectors of a cluster of k eigenvalues can be made orthogonal. */
static bal_status get_work_space(solver *s)
{
    if (s->a->grid.row < 0)
        return BAL_OK;
    bal_blacs_describe(s->blacs, s->a, s->a_is);
    bal_blacs_describe(s->blacs, s->vector, s->vector_is);
    s->work_size = s->iwork_size = -1;
    call(s);

    double size = s->work[0] + (double)s->k * (double)s->a->rows;
    if (size > INT_MAX)
        return BAL_FAIL(BAL_ERANGE,
                        "cannot find %d eigenvectors of %d dimensions: the "
                        "work space of a rank reaches 2^31; use more ranks",
                        s->k, s->a->rows);
    s->work_size = (int)size;
    s->iwork_size = s->iwork[0];
    bal_status st = bal_resize(&s->work, s->work_size, "the eigenvalue solver");
    if (bal_failed(st))
        return st;
    return bal_resize(&s->iwork, s->iwork_size, "the eigenvalue solver");
}

static bal_status run(solver *s)
{
    if (s->a->grid.row < 0)
        return BAL_OK;
    call(s);
    if (s->info == 0 && s->vectors == s->k)
        return BAL_OK;
    return BAL_FAIL(BAL_ENUMERIC,
                    "cannot find %d eigenvectors of a %d x %d matrix: found %d "
                    "of them, ScaLAPACK's pdsyevx returned %d",
                    s->k, s->a->rows, s->a->rows, s->vectors, s->info);
}

static bal_verdict solve(bal_comm *c, solver *s)
{
    bal_verdict st = bal_agree(c, get_work_space(s));

    if (bal_failed(st))
        return st;
    return bal_agree(c, run(s));
}

bal_verdict bal_grid_eigh_largest(bal_comm *c, bal_spread *a, int k,
                                  double *value, bal_spread *vector)
{
    solver s = {.a = a, .vector = vector, .k = k};
    bal_verdict st;

    BAL_TRY(bal_agree(c, allot(&s)));
    s.blacs = bal_blacs_open(c, a->grid);
    st = solve(c, &s);
    bal_blacs_close(s.blacs, a->grid);
    if (bal_failed(st))
        goto done;
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
