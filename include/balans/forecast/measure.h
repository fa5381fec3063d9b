/** @file  A sample of a file, the sampler tried on it, and how fast this
 *  machine is with both. */
#ifndef BAL_FORECAST_MEASURE_H
#define BAL_FORECAST_MEASURE_H

#include "balans/data/labels.h"
#include "balans/forecast/model.h"
#include "balans/io/h5ad.h"
#include "balans/par/comm.h"

/**
 * Reads a sample of the open matrix and times reading, space, sampler and
 * correction on it.
 *
 * Every rank has the whole sample and does all of it at the same time as the
 * others, so that what ranks of a host share is shared here too; the slowest
 * counts.  What is counted, not timed, does not depend on the number of ranks.
 *
 * Collective.  Same on every rank: w.
 * @param[in] labels   batches of the file
 * @param[in] opening  seconds that opening the file took
 * Fails with BAL_EINPUT and BAL_ENUMERIC where a run would on the input, with
 * BAL_EIO, BAL_ENOMEM.
 * Cost: a second or two, for a file of any size; 40 MiB of rows on each rank.
 */
bal_verdict bal_measure(bal_comm *c, bal_h5ad *file, const bal_labels *labels,
                        const bal_workload *w, double opening,
                        bal_measured *out);

#endif
