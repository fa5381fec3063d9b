/**
 * @file
 * The correction: smoothing with the sparse affinities.
 *
 *     R = rows of A divided by their sums,  P = rows of R^T divided by theirs
 *     smooth    xhat_j = sum_l P_jl mu(l),               mu(l) = sum_j R_lj x_j
 *     residual  xhat_j = x_j + sum_l P_jl (mu(l) - mu(l, b_j))
 *
 * where mu(l, b) is the mean over the points of batch b alone, weighted alike,
 * and the difference is 0 where the landmark keeps no point of that batch.
 * Points no landmark covers keep their values.
 *
 * The sums over points are exact reductions (par/sum) in panels of features
 * and rows that fit the work space; the sums over landmarks are local, in
 * canonical order, in double. Cost: 4 flops an entry of A and feature, one
 * reduction of 16 m d bytes in all (16 m B d for residual, of which only the
 * batches that occur are held).
 * Source: paper, section 3, Algorithm 4; algorithm.md, section 6.
 */
#ifndef BAL_ALGO_CORRECT_H
#define BAL_ALGO_CORRECT_H

#include "balans/base/status.h"
#include "balans/data/csr.h"
#include "balans/data/shard.h"
#include "balans/par/comm.h"

typedef enum bal_correction { BAL_SMOOTH = 0, BAL_RESIDUAL } bal_correction;
typedef enum bal_estimator { BAL_NORMAL = 0, BAL_NYSTROM } bal_estimator;

/**
 * Corrects all profiles of `x` in place, with either form.
 *
 * Collective.  Same on every rank: form, and the rows of `a`.
 * @param[in]     a        affinities, over the layout of x
 * @param[in]     memory   bytes of work space of this rank
 * @param[in]     threads  OpenMP threads
 * @param[in,out] x        [m, d]
 * Fails with BAL_ENOMEM, or at bal_pause(); the values are then unspecified.
 */
bal_verdict bal_correct(bal_comm *c, const bal_csr *a, bal_correction form,
                        bal_size memory, int threads, bal_shard *x);

#endif
