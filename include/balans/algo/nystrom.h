/**
 * @file
 * The Nystrom form of smoothing: landmarks weighed by the pseudo-inverse of the
 * affinities between them.
 *
 *     W    = (A_SS + A_SS^T) / 2,  A_SS the columns of A that are landmarks
 *     K    = A^T W^+ A
 *     xhat = D^-1 K x,   D the diagonal matrix of the row sums of K
 *
 * W^+ keeps the eigenvalues above rcond times the largest (linalg/pinv). A
 * point falls back to smoothing (algo/correct.h), in all features, where D_jj
 * <= 1e-6, and where a feature would leave its range in the input by more than
 * 1e-6 of that range once it is a float32. Points no landmark covers keep their
 * values. A constant is mapped to itself.
 *
 * As ScaLAPACK's results depend on the process grid by rounding, so do the last
 * bits of what comes out. Seen on 1 to 4 ranks, in 540,000 values of real data:
 * one that differs or none, by 1e-7 of its value. A point at the very edge of
 * one of the limits may fall back on one number of ranks and not on another.
 * Source: paper, section 3 (X^ = A^T A_SS^+ A X); algorithm.md, section 6.
 */
#ifndef BAL_ALGO_NYSTROM_H
#define BAL_ALGO_NYSTROM_H

#include "balans/base/status.h"
#include "balans/algo/trust.h"
#include "balans/data/affinity.h"
#include "balans/data/blocks.h"
#include "balans/par/comm.h"

/** What happened; the same on every rank. */
typedef struct bal_nystrom_report {
    bal_size landmarks;       ///< m
    bal_size kept;            ///< eigenvalues kept
    double largest, smallest; ///< eigenvalues
    double negative;          ///< share of eigenvalues below 0
    bal_size fallbacks;       ///< points that fell back to smoothing
} bal_nystrom_report;

typedef struct bal_nystrom bal_nystrom;

/**
 * Decomposes the affinities between landmarks.
 *
 * Collective.  Same on every rank: rcond, in [0, 1), and the landmarks.
 * @param[in]  by_tile   A by tile
 * @param[in]  landmark  [m] positions
 * @param[in]  points    rows of the profiles that this rank will correct
 * @param[in]  memory    bytes of work space of this rank
 * @param[out] out       owned by the caller
 * Fails with BAL_ENOMEM and BAL_ERANGE, naming the sizes, before it computes
 * anything; with BAL_ENUMERIC if the solver does not converge; at the fault
 * point "invert".
 * Cost: about 4 m^3 / ranks flops, 32 m^2 / ranks bytes on each.
 */
bal_verdict bal_nystrom_create(bal_comm *c, const bal_affinity *by_tile,
                               const bal_layout *l, const bal_gidx *landmark,
                               bal_size points, double rcond, bal_size memory,
                               bal_nystrom **out);

/** Local; NULL is fine. */
void bal_nystrom_destroy(bal_nystrom **s);

/** What is known so far.  Local. */
bal_nystrom_report bal_nystrom_told(const bal_nystrom *s);

/**
 * Corrects all rows of `x` in place, in two rounds over panels of features: one
 * to find the points that fall back, one to write.
 *
 * Collective.  Same on every rank: whether there is a range.
 * @param[in]     a          A by the blocks of x
 * @param[in]     parts      of A, told apart or not
 * @param[in]     low, high  [d] range of the input's features; NULL: the same
 *                           points fall back as in the call before
 * @param[in]     memory     bytes of work space of this rank, what bal_nystrom
 *                           holds included
 * @param[in]     threads    OpenMP threads
 * @param[in,out] most       [d] largest |x| of each feature, before and after
 * Fails as bal_correct() does, and with BAL_ERANGE.
 * Cost: that of smoothing (twice where not all features fit a panel), and
 * 4 m k flops a feature and rank.
 */
bal_verdict bal_nystrom_correct(bal_comm *c, bal_nystrom *s,
                                const bal_affinity *a, const bal_parts *parts,
                                const float *low, const float *high,
                                bal_size memory, int threads, float *most,
                                bal_blocks *x);

#endif
