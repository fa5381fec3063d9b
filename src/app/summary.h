/** @file  What a run says about itself. */
#ifndef BAL_APP_SUMMARY_H
#define BAL_APP_SUMMARY_H

#include <jansson.h>

#include "balans/forecast/model.h"
#include "passes.h"
#include "shift.h"

/** What there is to say something about. */
typedef struct bal_outcome {
    const bal_input *in;
    const bal_workload *workload;
    const bal_space *space;
    const bal_points *points;
    const bal_passed *passed;
    const bal_shift *shift;
    uint64_t checksum_in, checksum_out; ///< of the profiles
} bal_outcome;

/** What is said of an input; NULL if memory ran out.  Local. */
json_t *bal_run_input(const bal_input *in, uint64_t checksum);

/** What is said of the scaling of a distance space, so that its coordinates can
 *  be made again; NULL if memory ran out.  Local. */
json_t *bal_run_scaling(const bal_space *s);

/** What determines the result and what came out: parameters, version, input,
 *  counts; the same for equal runs.  NULL if memory ran out.  Local. */
json_t *bal_run_provenance(const bal_outcome *r);

/** What may differ between equal runs: hosts, times, calls, bytes, memory.
 *  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_run_report(const bal_outcome *r, json_t **out);

/** The table of phases, at level info.  Local. */
void bal_run_print_phases(const json_t *report);

#endif
