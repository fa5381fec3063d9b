/**
 * @file
 * Mean, standard deviation and centre of every feature, exactly summed.
 *
 *     mean   = sum x / n
 *     sd     = sqrt(sum (x - mean)^2 / n)
 *     centre = sum clip((x - mean) / sd, +-C) / n
 *
 * Sums are taken by tile in double and over tiles in fixed point, with a bound
 * for each feature that follows from its extremes; so they have the same bits
 * on any number of ranks and threads.  Source: algorithm.md, sections 2 and 8.
 */
#ifndef BAL_ALGO_STANDARDISE_H
#define BAL_ALGO_STANDARDISE_H

#include "balans/algo/space.h"
#include "balans/data/shard.h"
#include "balans/kernel/moments.h"
#include "balans/par/comm.h"

/** All arrays have length d; owned. */
typedef struct bal_scaler {
    bal_size d;
    double *mean;
    double *sd;        ///< 0 where the feature is constant; 1 for scale none
    double *divisor;   ///< sd, or +infinity where that is 0
    double *centre;    ///< 0 for scale none
    double *most;      ///< the largest |xs|
    double clip;       ///< +infinity for scale none
    bal_size constant; ///< features that do not vary
} bal_scaler;

/**
 * Collective.
 * @param[out] out  owned by the caller; the same on every rank
 * Fails with BAL_ENOMEM; with BAL_ENUMERIC for a value that is not finite.
 * Cost: four passes over X (scale none: two), five allreduces of at most 16 d
 * bytes.
 */
bal_verdict bal_scaler_create(bal_comm *c, const bal_shard *x,
                              const bal_space_params *par, bal_scaler **out);

/** Local; NULL is fine. */
void bal_scaler_destroy(bal_scaler **s);

/** The view kernels take.  Local.  Borrowed. */
bal_standard bal_scaler_view(const bal_scaler *s);

/** Bytes held while it is made, with `threads` threads.  Local. */
bal_size bal_scaler_memory(bal_size d, int threads);

#endif
