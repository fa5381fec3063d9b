/** @file  A run in the words of its forecast. */
#ifndef BAL_APP_WORKLOAD_H
#define BAL_APP_WORKLOAD_H

#include "balans/forecast/model.h"
#include "input.h"

/**
 * What `in` and its parameters ask for, on so many ranks; its sizes are
 * borrowed from in->labels.
 *
 * Collective: whether X is read again for every sweep is decided for all, by
 * what the rank with the most needs and what each may use.
 * Fails with BAL_ENOMEM, BAL_ERANGE.
 */
bal_verdict bal_run_workload(const bal_input *in, int ranks, bal_workload *out);

/**
 * Prints what the run would need (forecast/print).
 *
 * Collective.
 * @param[in] opening  seconds that opening the input took
 */
bal_verdict bal_run_forecast(const bal_input *in, int ranks, double opening);

#endif
