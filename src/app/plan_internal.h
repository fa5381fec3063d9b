/** @file  A forecast and how it is shown.  Not for others. */
#ifndef BAL_APP_PLAN_INTERNAL_H
#define BAL_APP_PLAN_INTERNAL_H

#include "forecast.h"

/** Everything there is to say; the same on every rank. */
typedef struct bal_plan {
    int ranks;
    bal_size most;                ///< points of the rank with the most
    bal_size memory;              ///< of the rank with the most, without A
    bal_size read, write;         ///< bytes in files
    bool told;                    ///< whether the rest is known
    char why[BAL_ERROR_TEXT_MAX]; ///< else the reason
    bal_size sample;              ///< rows of the pilot ...
    bal_size tried;               ///< ... on which the sampler was tried
    bool thin;                    ///< it has few points of a batch for its k
    bal_expected expected;
    bal_guess seconds;             ///< of all phases
    double phase[BAL_PHASE_COUNT]; ///< seconds expected of each
    double cost;                   ///< seconds the forecast took
} bal_plan;

/** Prints the batches, and those with fewer than k other points.  Local. */
void bal_plan_print_batches(const bal_job *j);

/** Prints the rest.  Local. */
void bal_plan_print(const bal_job *j, const bal_plan *plan);

#endif
