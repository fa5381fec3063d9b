/** @file  What a file holds and what a run on it would need, for people. */
#ifndef BAL_FORECAST_PRINT_H
#define BAL_FORECAST_PRINT_H

#include "balans/data/labels.h"
#include "balans/forecast/model.h"
#include "balans/io/h5ad.h"
#include "balans/par/comm.h"

/** What is asked; the same on every rank but for the labels' rows. */
typedef struct bal_question {
    bal_h5ad *file;           ///< with the matrix open
    const bal_labels *labels; ///< batches
    bool named;               ///< whether they come from a column; else all
                              ///< profiles are one and no more is told than
                              ///< what does not hang on them
    bool verbose;             ///< lists all batches
    bool estimator;           ///< the run inverts A (nystrom): left out
    double opening;           ///< seconds that opening the file took
    const bal_workload *run;
} bal_question;

/**
 * Prints matrix, batches, memory, bytes and, as far as a sample of the file and
 * this machine tell (forecast/measure), landmarks and time of the run, on rank
 * 0's stdout.
 *
 * Collective.
 * Fails where a run on the input would, as the sample shows, after what is
 * known was printed; with BAL_ENOMEM.
 * Cost: that of bal_measure().
 */
bal_verdict bal_forecast_print(bal_comm *c, const bal_question *q);

/**
 * Prints shape, type, storage and compression of every matrix of a file, on
 * rank 0's stdout.  A matrix that cannot be used is named with the reason.
 *
 * Collective.  Another matrix of `f` may be open afterwards.
 * Fails where the file cannot be read.  Cost: independent of the entries.
 */
bal_verdict bal_matrices_print(bal_comm *c, bal_h5ad *f);

#endif
