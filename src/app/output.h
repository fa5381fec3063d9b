/** @file  The output of a run: what it holds, and how it gets there. */
#ifndef BAL_APP_OUTPUT_H
#define BAL_APP_OUTPUT_H

#include "balans/io/h5ad_out.h"
#include "passes.h"

/** No file that the run writes is another of its files, and each may be made;
 *  said before anything is read.  Collective.  Fails with BAL_EUSAGE,
 *  BAL_EIO. */
bal_verdict bal_output_check(bal_comm *c, const bal_params *par);

/** Begins the output, before the work: its name, and all that is copied.
 *  Collective. */
bal_verdict bal_output_begin(const bal_input *in, bal_h5ad_out **out);

/** What is written. */
typedef struct bal_output {
    const bal_input *in;
    const bal_space *space;
    const bal_points *points;
    const bal_passed *passed;
    json_t *uns; ///< what determines the result; rank 0's counts
    bool applied; ///< by a model: no landmark is a row of the input
} bal_output;

/** Makes and fills all arrays.  Collective.  Fails with BAL_EIO, BAL_ENOMEM. */
bal_verdict bal_output_write(const bal_output *o, bal_h5ad_out *out);

#endif
