/**
 * @file
 * The distance space: standardised features, or their principal components.
 *
 *     Xs = clip((X - mean) / sd, +-C) - its mean     scale standard
 *     Xs = X - mean                                  scale none
 *     C  = Xs^T Xs / (n - 1) = V L V^T,  Z = Xs V_P   where PCA is used
 *
 * mean and sd (divisor n) are over all n points; a constant feature (maximum
 * equal to minimum) becomes 0; PCA is used when P > 0 and d > P.  Each
 * component's sign makes its largest loading in magnitude positive (the first
 * of equal ones).  All sums over points go through par/sum, the eigenvectors
 * come from rank 0 (or ScaLAPACK), and each z is one chain over the features,
 * so equal profiles have equal coordinates and Z has the same bits on any
 * number of ranks and threads.  X is not changed.
 *
 * Cost: five passes over X and, with PCA, one more for each panel of the
 * covariance that fits the work space; n d^2 flops for the covariance, O(d^3)
 * on rank 0, 2 n d P flops for the projection.  Source: algorithm.md, sections
 * 2 and 8.
 */
#ifndef BAL_ALGO_SPACE_H
#define BAL_ALGO_SPACE_H

#include <stdbool.h>

#include "balans/data/shard.h"
#include "balans/data/tiles.h"
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
    bal_size memory; ///< bytes of work space this rank may use beyond Z
    int threads;     ///< OpenMP threads
} bal_space_params;

typedef struct bal_space {
    bal_size d, p;
    bool pca;           ///< whether Z is a projection
    double *mean;       ///< [d], units of the input
    double *sd;         ///< [d], units of the input; 0 for a constant feature;
                        ///< 1 for scale none
    double *centre;     ///< [d], mean of the clipped, standardised feature
    double *components; ///< [d, p], row-major, orthonormal columns; NULL if
                        ///< !pca; same on every rank
    double *variance;   ///< [p], of each component, descending; NULL if !pca
    double total;       ///< variance of all components together
    bal_size constant;  ///< features that do not vary
    bal_tiles *z;       ///< this rank's points; may be taken (set it to NULL)
} bal_space;

/**
 * Builds the distance space of `x`.
 *
 * Collective.  Same on every rank: `par` but for memory.
 * @param[out] out  owned by the caller
 * Fails with BAL_ENOMEM, BAL_ERANGE; with BAL_ENUMERIC where coordinates leave
 * the range in which squared distances keep their precision in float32, or the
 * eigenvalue solver does not converge; at the fault points "space" and "eigen".
 */
bal_verdict bal_space_create(bal_comm *c, const bal_shard *x,
                             const bal_space_params *par, bal_space **out);

/** Local; NULL is fine. */
void bal_space_destroy(bal_space **s);

/**
 * Most bytes bal_space_create() holds on a rank besides X and Z.
 *
 * Local.  With T threads and P components about 2048 T d for tiles of points
 * and 16 d P for the components; with PCA also the covariance's sums, 256 KiB T
 * for each block of 128 x 128 features, as many at a time as par->memory leaves
 * room for (at least one); and on rank 0 8 (d^2 + d P), or with ScaLAPACK on
 * every rank 24 d^2 / ranks.
 */
bal_size bal_space_memory(bal_size d, const bal_space_params *par, int rank,
                          int ranks);

#endif
