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

#include "balans/app/options.h"
#include "balans/par/comm.h"

typedef struct bal_simulation {
    char *output;
    int64_t points, dims, clusters, batches;
    double missing;  ///< share of the clusters that each batch lacks
    double outliers; ///< share of the points with wild values
    uint64_t seed;
    bool truth; ///< store the values without batch effects as layers/truth
    bool force; ///< overwrite the output
    bool quiet;
} bal_simulation;

/** The options of a simulation. */
extern const bal_option bal_simulation_table[];

/** Checks what involves several options, and the operand.  Local.  Fails with
 *  BAL_EUSAGE. */
bal_status bal_simulation_check(const bal_simulation *s);

/**
 * Draws the points and writes the file.  Collective.  Same on every rank: all
 * of `s`.
 * Fails with BAL_EIO, also if the output exists and is not to be overwritten;
 * with BAL_ENOMEM.
 * Cost: 2 points dims normal numbers, spread over the ranks; memory about
 * 12 dims (clusters + batches) + 12 clusters batches bytes and panels of 64 MiB
 * on each rank.
 */
bal_verdict bal_simulate_file(bal_comm *c, const bal_simulation *s);

/** Frees the strings.  Local. */
void bal_simulation_destroy(bal_simulation *s);

#endif
