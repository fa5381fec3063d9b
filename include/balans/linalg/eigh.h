/**
 * @file
 * Leading eigenvectors of a symmetric matrix that fits one rank.
 */
#ifndef BAL_LINALG_EIGH_H
#define BAL_LINALG_EIGH_H

#include "balans/base/status.h"

/**
 * Finds the k largest eigenvalues of a symmetric matrix, and their vectors.
 *
 * Local.  BLAS should run one thread (bal_blas_one_thread()), as the last bits
 * depend on the number.
 * @param[in]  a       [n, n], row-major; only its upper triangle is read;
 *                     finite; destroyed
 * @param[in]  k       1 .. n
 * @param[out] value   [k], descending
 * @param[out] vector  [k, n], row-major: row i is a unit vector that belongs to
 *                     value[i]; rows are orthogonal; signs are arbitrary
 * Fails with BAL_ENOMEM; with BAL_ENUMERIC if the iteration does not converge.
 * Cost: 4/3 n^3 flops; about 30 n doubles besides the arguments.
 */
bal_status bal_eigh_largest(double *a, int n, int k, double *value,
                            double *vector);

#endif
