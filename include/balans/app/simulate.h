/**
 * @file
 * Synthetic data of any size: a structured Gaussian mixture seen through
 * batches, written as an AnnData file.  The model: docs/simulate.md.
 *
 * All numbers are functions of the seed and of what they belong to, so the file
 * has the same bytes on any number of ranks, and its first rows are those of a
 * smaller file made with the same other options.  The last bits of the values
 * depend on the logarithm, sine and exponential of the C library.
 */
#ifndef BAL_APP_SIMULATE_H
#define BAL_APP_SIMULATE_H

#include "balans/app/params.h"
#include "balans/par/comm.h"

/** Checks that batches can lack so many clusters.  Local.  Fails with
 *  BAL_EUSAGE. */
bal_status bal_simulation_check(const bal_params *p);

/**
 * Draws the points and writes the file.  Collective.  Same on every rank: all
 * of `p`.
 * Fails with BAL_EIO, also if the output exists and is not to be overwritten;
 * with BAL_ENOMEM.
 * Cost: 2 points dims normal numbers, spread over the ranks; memory about
 * 12 dims (clusters + batches) + 12 clusters batches bytes and panels of 64 MiB
 * on each rank.
 */
bal_verdict bal_simulate_file(bal_comm *c, const bal_params *p);

#endif
