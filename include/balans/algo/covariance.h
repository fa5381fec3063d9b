/**
 * @file
 * The covariance of the standardised features, exactly summed over tiles.
 *
 *     C = Xs^T Xs / (n - 1)          (n = 1: 0)
 *
 * Each feature is scaled by a power of two that brings it into [-1, 1], which
 * loses nothing and gives all entries one bound, n.  A tile's part of one block
 * (kernel/moments) is added to sums in fixed point (par/sum), so C has the same
 * bits on any number of ranks and threads.  Blocks are worked on in panels, as
 * many at a time as the work space holds; each panel is one pass over X.
 * Source: algorithm.md, section 8.
 */
#ifndef BAL_ALGO_COVARIANCE_H
#define BAL_ALGO_COVARIANCE_H

#include "balans/data/shard.h"
#include "balans/kernel/moments.h"
#include "balans/linalg/pca.h"

/**
 * Computes C and hands it to a solver block by block.
 *
 * Collective.  Same on every rank: s, most.
 * @param[in]  most     [d], the largest |xs| of each feature, finite
 * @param[in]  memory   bytes of work space; may differ between ranks,
 *                      the least counts; one block is always done at a time
 * @param[in]  threads  OpenMP threads
 * @param[out] total    the trace of C
 * Fails with BAL_ENOMEM.
 * Cost: n d^2 flops; allreduces of 16 bytes for each entry of C's blocks.
 */
bal_verdict bal_covariance(bal_comm *c, const bal_shard *x,
                           const bal_standard *s, const double *most,
                           bal_size memory, int threads, bal_pca *pca,
                           double *total);

/** Bytes bal_covariance() holds.  Local. */
bal_size bal_covariance_memory(bal_size d, bal_size memory, int threads);

#endif
