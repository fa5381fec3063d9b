/** @file  What a file holds and what a run on it would need, without a run. */
#ifndef BAL_APP_PLAN_H
#define BAL_APP_PLAN_H

#include "balans/app/params.h"
#include "balans/io/h5ad.h"
#include "balans/par/comm.h"

/**
 * Prints batches, memory, bytes and, as far as a sample of the file and a
 * calibration of this machine tell, landmarks and time of a run, on rank 0's
 * stdout.  Without p->batch, only what does not hang on it.  Nothing is
 * written.
 *
 * Collective.  Same on every rank: p, complete and checked.
 * Fails as opening the file does, and where the sample shows that a run would
 * fail on the input.  What else keeps the sample from being taken is printed.
 * Cost: a second or two, for a file of any size.
 */
bal_verdict bal_plan_file(bal_comm *c, const bal_params *p);

/**
 * Prints shape, type, storage and compression of every matrix of a file, on
 * rank 0's stdout.  A matrix that cannot be used is named with the reason.
 *
 * Collective.  Another matrix of `f` may be open afterwards.
 * Fails where the file cannot be read.  Cost: independent of the entries.
 */
bal_verdict bal_plan_matrices(bal_comm *c, bal_h5ad *f);

#endif
