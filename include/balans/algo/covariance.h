/**
 * @file
 * The covariance of the clipped features, exactly summed over slices of blocks.
 *
 *     centre = sum v / n
 *     C      = (sum v v^T - n centre centre^T) / (n - 1)          (n = 1: 0)
 *
 * which is the covariance of Xs: centre and products need one sweep this way.
 * Nothing cancels: v has mean 0 and variance 1 before it is clipped to +-K, so
 * a share q of the points being clipped has |centre|^2 < q, while the variance
 * left is about K^2 q or more.
 *
 * Each feature is scaled by a power of two that brings it into [-1, 1], which
 * loses nothing and gives all entries one bound, n.  A slice's part of one
 * block of C (kernel/moments) is added to sums in fixed point (par/sum), so C
 * has the same bits on any number of ranks and threads.  Blocks of C are worked
 * on in panels, as many at a time as the work space holds; each panel is one
 * sweep of X.  Source: algorithm.md, section 8.
 */
#ifndef BAL_ALGO_COVARIANCE_H
#define BAL_ALGO_COVARIANCE_H

#include "balans/data/blocks.h"
#include "balans/kernel/moments.h"
#include "balans/linalg/pca.h"

/**
 * Computes C and hands it to a solver block by block.
 *
 * Collective.  Same on every rank: s, most.
 * @param[in]  s        s->centre is not read
 * @param[in]  most     [d], the largest |v| of each feature, finite
 * @param[in]  memory   bytes of work space; may differ between ranks,
 *                      the least counts; one block is always done at a time
 * @param[in]  threads  OpenMP threads
 * @param[out] centre   [d]
 * @param[out] total    the trace of C
 * Fails with BAL_ENOMEM; as the source of `x` does.
 * Cost: n d^2 flops; allreduces of 16 bytes for each entry of C's blocks.
 */
bal_verdict bal_covariance(bal_comm *c, bal_blocks *x, const bal_standard *s,
                           const double *most, bal_size memory, int threads,
                           bal_pca *pca, double *centre, double *total);

/** Bytes bal_covariance() holds.  Local. */
bal_size bal_covariance_memory(bal_size d, bal_size memory, int threads);

#endif
