/**
 * @file
 * Naive references for the distance space: serial, in double, no BLAS.
 */
#ifndef TEST_REFERENCE_PCA_H
#define TEST_REFERENCE_PCA_H

#include <stdbool.h>

/** xs [n, d] of x [n, d]: clip((x - mean) / sd, +-clip) - its mean, or x - mean
 *  if not `standard`.  Features with one value become 0. */
void ref_standardise(const float *x, int n, int d, bool standard, double clip,
                     double *xs);

/** xs^T xs / (n - 1), [d, d]; 0 for n = 1. */
void ref_covariance(const double *xs, int n, int d, double *c);

/** All eigenvalues, descending, and vectors (rows of vector [n, n]) of the
 *  symmetric a [n, n], by Jacobi's rotations; a is destroyed. */
void ref_eigh(double *a, int n, double *value, double *vector);

/** How far the span of the k rows of a [k, n] is from that of b's: the
 *  Frobenius norm of what of a lies outside of b's.  Rows are orthonormal. */
double ref_subspace_gap(const double *a, const double *b, int k, int n);

/** Largest deviation of a a^T from the identity, rows of a [k, n]. */
double ref_orthogonality(const double *a, int k, int n);

#endif
