/* Householder reduction to a tridiagonal matrix, whose leading eigenvalues are
 * found by bisection and eigenvectors by inverse iteration (LAPACK's dsyevr
 * with a range of indices).  Reference: Anderson et al., "LAPACK Users' Guide",
 * 3rd edition, 1999. */
#include "balans/linalg/eigh.h"

#include <lapacke.h>

#include "balans/base/mem.h"

static void swap_rows(double *a, double *b, int n)
{
    for (int i = 0; i < n; i++) {
        double t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* LAPACK's order is ascending. */
static void reverse(double *value, double *vector, int n, int k)
{
    for (int i = 0, j = k - 1; i < j; i++, j--) {
        double *a = vector + (size_t)i * (size_t)n;
        double *b = vector + (size_t)j * (size_t)n;
        swap_rows(a, b, n);
        swap_rows(value + i, value + j, 1);
    }
}

static bal_status outcome(lapack_int info, int n, int found, int k)
{
    if (info == LAPACK_WORK_MEMORY_ERROR)
        return BAL_FAIL(BAL_ENOMEM,
                        "cannot get memory for the eigenvalue solver of a "
                        "%d x %d matrix",
                        n, n);
    if (info != 0 || found != k)
        return BAL_FAIL(BAL_ENUMERIC,
                        "cannot find %d eigenvectors of a %d x %d matrix: "
                        "found %d of them, LAPACK's dsyevr returned %d",
                        k, n, n, found, (int)info);
    return BAL_OK;
}

bal_status bal_eigh_largest(double *a, int n, int k, double *value,
                            double *vector)
{
    bal_status st;
    lapack_int found = 0, *support = NULL;
    double *all = NULL;

    BAL_TRY(bal_alloc(&all, n, "the eigenvalues"));
    BAL_TRY(bal_alloc(&support, 2 * (bal_size)k, "the eigenvectors"));
    /* The upper triangle by rows is the lower one by columns. */
    lapack_int info =
        LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', n, a, n, 0, 0,
                       n - k + 1, n, 0, &found, all, vector, n, support);
    BAL_TRY(outcome(info, n, found, k));
    for (int i = 0; i < k; i++)
        value[i] = all[i];
    reverse(value, vector, n, k);
done:
    bal_free(&support);
    bal_free(&all);
    return st;
}
