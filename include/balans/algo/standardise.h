/**
 * @file
 * Range, mean, standard deviation and centre of every feature, exactly summed.
 *
 *     mean   = sum x / n
 *     sd     = sqrt(sum (x - mean)^2 / n)
 *     v      = clip((x - mean) / sd, +-C)
 *     centre = sum v / n
 *
 * Sums are taken by slice of a block in double and over slices in fixed point;
 * those of x need no bound, so they are found together with the range, from
 * which the bounds of the others follow.  All have the same bits on any number
 * of ranks and threads.  Source: algorithm.md, sections 2 and 8.
 */
#ifndef BAL_ALGO_STANDARDISE_H
#define BAL_ALGO_STANDARDISE_H

#include "balans/algo/space.h"
#include "balans/data/blocks.h"
#include "balans/kernel/moments.h"
#include "balans/par/comm.h"

/**
 * Sets low, high, mean, sd, divisor, centre, clip and constant of `s`, made for
 * x->d features.  With s->pca, `centre` is left at 0: bal_covariance() finds
 * it.
 *
 * Collective.
 * @param[out] most  [d], the largest |v| of each feature
 * Fails with BAL_ENOMEM; with BAL_ENUMERIC for a value that is not finite; as
 * the source of `x` does.
 * Cost: sweeps of X, each with an allreduce: one (at most 80 d bytes), scale
 * standard one more (16 d bytes), and another without s->pca.
 */
bal_verdict bal_standardise(bal_comm *c, bal_blocks *x,
                            const bal_space_params *par, bal_space *s,
                            double *most);

/** Bytes held in between, with `threads` threads.  Local. */
bal_size bal_standardise_memory(bal_size d, int threads);

#endif
