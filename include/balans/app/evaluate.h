/** @file  `balans evaluate`: from a file to a table of scores. */
#ifndef BAL_APP_EVALUATE_H
#define BAL_APP_EVALUATE_H

#include <stdbool.h>

#include "balans/app/options.h"
#include "balans/base/status.h"
#include "balans/par/comm.h"

/** Strings are owned. */
typedef struct bal_evaluation {
    char *input; ///< positional
    char *batch, *label;
    char *matrix;  ///< names joined by line breaks; NULL = X
    char *control; ///< NULL = none
    int distance;  ///< bal_space_kind
    int64_t sample;
    uint64_t seed;
    int64_t threads; ///< 0 = OMP_NUM_THREADS, else 1
    char *json;      ///< NULL = none
    bool verbose, quiet;
} bal_evaluation;

/** The table of options; its object is a bal_evaluation. */
extern const bal_option bal_evaluation_table[];

/** Checks that nothing required is missing.  Local.  Fails with BAL_EUSAGE. */
bal_status bal_evaluation_check(const bal_evaluation *e);

/** Frees the strings.  Local. */
void bal_evaluation_destroy(bal_evaluation *e);

/**
 * Computes all metrics of the matrices, prints them side by side on rank 0's
 * stdout, and writes the JSON file.
 *
 * Collective.  Same on every rank: e.
 * Fails as reading does; with BAL_EINPUT if no point has the control's label,
 * or none is left without it.
 */
bal_verdict bal_evaluate_file(bal_comm *c, const bal_evaluation *e);

#endif
