/** @file  `balans evaluate`: from a file to a table of scores. */
#ifndef BAL_APP_EVALUATE_H
#define BAL_APP_EVALUATE_H

#include "balans/app/params.h"
#include "balans/par/comm.h"

/**
 * Computes all metrics of the matrices, prints them side by side on rank 0's
 * stdout, and writes the JSON file.
 *
 * Collective.  Same on every rank: p.
 * Fails as reading does; with BAL_EINPUT if no point has the control's label,
 * or none is left without it.
 */
bal_verdict bal_evaluate_file(bal_comm *c, const bal_params *p);

#endif
