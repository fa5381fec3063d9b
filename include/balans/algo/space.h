/**
 * @file
 * The distance space: standardised features, or their principal components.
 *
 *     v  = clip((x - mean) / sd, +-C),  xs = v - centre    scale standard
 *     xs = x - mean                                        scale none
 *     C  = Xs^T Xs / (n - 1) = V L V^T,  Z = Xs V_P        where PCA is used
 *
 * mean and sd (divisor n) are over all n points, centre is the mean of v; a
 * constant feature (maximum equal to minimum) becomes 0; PCA is used when P > 0
 * and d > P.  Each component's sign makes its largest loading in magnitude
 * positive (the first of equal ones).  All sums over points go through par/sum,
 * the eigenvectors come from rank 0 (or ScaLAPACK), and each z is one chain
 * over the features of its row alone, so equal profiles have equal coordinates
 * and Z has the same bits on any number of ranks and threads, resident or
 * streamed.  X is not changed.
 *
 * Cost: to fit, three sweeps of X (scale none: two), with PCA one more for each
 * panel of the covariance beyond the first; n d^2 flops for the covariance,
 * O(d^3) on rank 0.  To project, one sweep and 2 n d P flops.  Source:
 * algorithm.md, sections 2 and 8.
 */
#ifndef BAL_ALGO_SPACE_H
#define BAL_ALGO_SPACE_H

#include <stdbool.h>

#include "balans/data/blocks.h"
#include "balans/kernel/moments.h"
#include "balans/par/comm.h"

typedef enum bal_scaling {
    BAL_SCALE_STANDARD = 0,
    BAL_SCALE_NONE,
} bal_scaling;

typedef enum bal_pca_solver {
    BAL_PCA_AUTO = 0,  ///< LAPACK up to d = BAL_PCA_WIDE, ScaLAPACK above
    BAL_PCA_LAPACK,    ///< on rank 0
    BAL_PCA_SCALAPACK, ///< on all ranks; the last bits depend on their number
} bal_pca_solver;

enum { BAL_PCA_WIDE = 4096 };

typedef struct bal_space_params {
    bal_scaling scale;
    double clip;  ///< > 0; used by BAL_SCALE_STANDARD
    bal_size pca; ///< P; 0 turns PCA off
    bal_pca_solver solver;
    bal_size memory; ///< bytes of work space this rank may use
    int threads;     ///< OpenMP threads
} bal_space_params;

/** All that the coordinates of a row depend on, the same on every rank.  What
 *  bal_space_ready() sets follows from the rest. */
typedef struct bal_space {
    bal_size d, p;
    bool pca;           ///< whether Z is a projection
    double clip;        ///< C; +infinity for scale none
    float *low, *high;  ///< [d], the range of each feature in the input
    double *mean;       ///< [d], units of the input
    double *sd;         ///< [d], units of the input; 0 for a constant feature;
                        ///< 1 for scale none
    double *divisor;    ///< [d], sd, or +infinity where that is 0; set by
                        ///< bal_space_ready()
    double *centre;     ///< [d], mean of v; 0 for scale none
    double *components; ///< [d, p], row-major, orthonormal columns; NULL if
                        ///< !pca
    double *loadings;   ///< components as kernel/project takes them; NULL if
                        ///< !pca; set by bal_space_ready()
    double *variance;   ///< [p], of each component, descending; NULL if !pca
    double total;       ///< variance of all components together
    bal_size constant;  ///< features that do not vary
} bal_space;

/** Room for a space of d features and p coordinates, zeroed, clip infinite.
 *  Local.  Owned by the caller.  Fails with BAL_ENOMEM; with BAL_ERANGE if d is
 *  beyond an int. */
bal_status bal_space_create(bal_size d, bal_size p, bool pca, bal_space **out);

/** Derives divisor and loadings from sd and components.  Local. */
void bal_space_ready(bal_space *s);

/** Local; NULL is fine. */
void bal_space_destroy(bal_space **s);

/** The view kernels take.  Local.  Borrowed. */
bal_standard bal_space_view(const bal_space *s);

/**
 * Finds the distance space of `x`.
 *
 * Collective.  Same on every rank: `par` but for memory.
 * @param[out] out  owned by the caller; ready
 * Fails with BAL_ENOMEM, BAL_ERANGE; with BAL_ENUMERIC for a value that is not
 * finite, where deviations leave the range in which squared distances keep
 * their precision in float32, or the eigenvalue solver does not converge; as
 * the source of `x` does; at the fault points "space" and "eigen".
 */
bal_verdict bal_space_fit(bal_comm *c, bal_blocks *x,
                          const bal_space_params *par, bal_space **out);

/**
 * The coordinates of rows.
 *
 * Local, pure.
 * @param[in]  rows   [m, d], m at most BAL_TILE
 * @param[in]  room   [BAL_TILE, d], 64-byte aligned, overwritten
 * @param[out] z      [m, p], row-major
 */
void bal_space_apply(const bal_space *s, const float *rows, int m, double *room,
                     float *z);

/** Receives coordinates of rows first .. first + count - 1, counted from the
 *  rank's first: z [count, p].  Collective: all ranks are called equally often,
 *  with a count of 0 where a rank has no rows left. */
typedef bal_verdict bal_space_take(void *arg, bal_size first, bal_size count,
                                   const float *z);

/**
 * Makes the coordinates of all rows and hands them on in pieces.
 *
 * Collective.  Same on every rank: s.
 * @param[in] x        x->d is s->d
 * @param[in] memory   bytes of work space, pieces included; a piece has at
 *                     least one block, and at most 64 MiB where that is more
 * @param[in] threads  OpenMP threads
 * @param[in] take     called for each piece, rows in ascending order
 * Fails with BAL_ENOMEM; with BAL_ENUMERIC where coordinates leave the range in
 * which squared distances keep their precision in float32; as `take` and the
 * source of `x` do.
 * Cost: one sweep of X; two allreduces of 8 bytes a piece.
 */
bal_verdict bal_space_project(bal_comm *c, const bal_space *s, bal_blocks *x,
                              bal_size memory, int threads,
                              bal_space_take *take, void *arg);

/**
 * Most bytes bal_space_fit() and bal_space_project() with par->memory hold on a
 * rank besides X, the space included.
 *
 * Local.  With T threads and P coordinates about 16 d P for the components,
 * 2048 T d for slices of points, and what par->memory leaves room for beyond
 * those: with PCA the covariance's sums, 256 KiB T for each block of 128 x 128
 * features (at least one), later a piece of Z (64 MiB, at least 4 P BAL_BLOCK);
 * and on rank 0 8 (d^2 + d P), or with ScaLAPACK on every rank 24 d^2 / ranks.
 */
bal_size bal_space_memory(bal_size d, const bal_space_params *par, int rank,
                          int ranks);

#endif
