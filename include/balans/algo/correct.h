/**
 * @file
 * The correction of profiles, or of coordinates, with the sparse affinities.
 *
 *     R = rows of A divided by their sums,  P = rows of R^T divided by theirs
 *     smooth    xhat_j = sum_l P_jl mu(l),               mu(l) = sum_j R_lj x_j
 *     residual  with W(l,b), mu(l,b) weight and mean of the part of batch b:
 *               g(l)       = sum_b W omega mu / sum_b W omega      consensus
 *               Delta(l,b) = g(l) - mu(l,b)       0 where the part is empty
 *               Dbar(b)    = sum_l q W Delta / sum_l q W     the batch's shift
 *               x_j += (sum_l R_lj q(l,b_j) Delta(l,b_j) + 0.3 rho_j Dbar(b_j))
 *                      / (sum_l R_lj q(l,b_j) + 0.3 rho_j),
 *               rho_j = sum_l R_lj
 *
 * Without trust omega and q are 1 and there is no shift: x_j moves by the mean
 * over its landmarks of what its batch is off there.
 *
 * Source: paper, section 3, Algorithm 4; algorithm.md, section 6.
 */
#ifndef BAL_ALGO_CORRECT_H
#define BAL_ALGO_CORRECT_H

#include <stdbool.h>

#include "balans/algo/trust.h"
#include "balans/base/status.h"
#include "balans/data/affinity.h"
#include "balans/data/blocks.h"
#include "balans/par/comm.h"

typedef enum bal_correction { BAL_SMOOTH = 0, BAL_RESIDUAL } bal_correction;
typedef enum bal_estimator { BAL_NORMAL = 0, BAL_NYSTROM } bal_estimator;

typedef struct bal_correct_params {
    bal_correction form;
    const bal_parts *parts; ///< by batch for residual
    const bal_trust *trust; ///< residual only; NULL = every part is believed
    bool keep_uncovered;    ///< leave points that no landmark covers alone;
                            ///< with trust their batch's shift moves them else
    double blend;           ///< smooth only: the share of the smoothed profile
    bal_size memory;        ///< bytes of work space of this rank
    int threads;
} bal_correct_params;

/**
 * Corrects all rows of `x` in place.
 *
 * Collective.  Same on every rank: the parameters but for memory and threads.
 * @param[in]     a      A by the blocks of x
 * @param[in,out] x      its rows are kept by its source where not resident
 * @param[in,out] most   [d] the largest |x| of each feature, before and after
 * @param[out]    move2  [rows of this rank] squared length of each row's move;
 *                       NULL if not wanted
 * Fails with BAL_ENOMEM; with BAL_EUSAGE where `memory` does not hold a panel;
 * with BAL_ENUMERIC where a result does not fit float32, naming the feature; as
 * the source of x does; at bal_pause().  The values are then unspecified.
 * Cost: 4 flops an entry and feature, two sweeps over x for each panel of
 * features, 16 m B d bytes reduced (smooth: 16 m d).
 */
bal_verdict bal_correct(bal_comm *c, const bal_affinity *a, bal_blocks *x,
                        const bal_correct_params *par, float *most,
                        double *move2);

/** The largest |x| of each feature, [d].  Collective; one sweep.  Fails as the
 *  source of x does. */
bal_verdict bal_correct_bounds(bal_comm *c, bal_blocks *x, float *most);

#endif
