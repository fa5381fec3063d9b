/**
 * @file
 * Principal components out of a covariance matrix that arrives in blocks.
 *
 * The features are cut into runs of BAL_GRAM; a *pair* (i <= j) of runs is one
 * block of the covariance's upper triangle.  Pairs are numbered by rows.
 *
 * The matrix is kept whole on rank 0, where LAPACK solves it; or, *spread*, in
 * blocks over all ranks (linalg/grid), where ScaLAPACK does.  Spread, the last
 * bits of the components depend on the number of ranks: by the rounding of the
 * solver, about 1e-16 times the largest variance over the gap between a
 * component's variance and its neighbours'.  Seen on 1 to 4 ranks (400
 * features, largest variance 122, smallest gap 5e-4): variances within 1e-15 of
 * the largest, loadings within 1e-13, and coordinates, made with loadings
 * rounded to float32, the same.
 *
 *     C = V L V^T,   l_1 >= l_2 >= ...
 *
 * Each component's sign makes its largest loading in magnitude positive (the
 * first of equal ones).  Source: algorithm.md, section 2.
 */
#ifndef BAL_LINALG_PCA_H
#define BAL_LINALG_PCA_H

#include <stdbool.h>

#include "balans/base/status.h"
#include "balans/par/comm.h"

/** One block of the upper triangle. */
typedef struct bal_pair {
    bal_size i, j; ///< first feature of its rows and columns, i <= j
    int ni, nj;    ///< rows and columns, 1 .. BAL_GRAM
} bal_pair;

/** Pairs of d features.  Local. */
bal_size bal_pair_count(bal_size d);

/** Pair number q.  Local. */
bal_pair bal_pair_at(bal_size d, bal_size q);

typedef struct bal_pca bal_pca;

/**
 * Makes room for the covariance of d features.
 *
 * Collective.
 * @param[in]  p       components wanted, 1 .. d
 * @param[in]  spread  whether the matrix is spread over the ranks
 * @param[out] out     owned by the caller
 * Fails with BAL_ENOMEM, BAL_ERANGE.
 */
bal_verdict bal_pca_create(bal_comm *c, bal_size d, bal_size p, bool spread,
                           bal_pca **out);

/** Local; NULL is fine. */
void bal_pca_destroy(bal_pca **s);

/** Hands over one block; to be called for each pair, on every rank.  Local.
 *  @param[in] block  [ni, nj], row-major, finite, the same on every rank; of a
 *                    block on the diagonal only the upper triangle is read */
void bal_pca_put(bal_pca *s, bal_pair pair, const double *block);

/**
 * Finds the components.
 *
 * Collective; the matrix is used up.
 * @param[out] components  [d, p], row-major, orthonormal columns, the same on
 *                         every rank
 * @param[out] variance    [p], descending, not below 0
 * Fails with BAL_ENOMEM; with BAL_ENUMERIC if the solver does not converge; at
 * the fault point "eigen".
 * Cost: 4/3 d^3 flops, on rank 0 or shared; a broadcast or an allreduce of d p
 * doubles.
 */
bal_verdict bal_pca_solve(bal_comm *c, bal_pca *s, double *components,
                          double *variance);

/** Most bytes a solver holds on one rank beyond the arguments of
 *  bal_pca_solve(): not spread, about 8 d^2 on rank 0; spread, 24 d^2 / ranks
 *  on each.  Local. */
bal_size bal_pca_memory(bal_size d, bal_size p, bool spread, int rank,
                        int ranks);

#endif
