/** @file  The phases of `balans correct`, in order. */
#ifndef BAL_APP_CORRECT_H
#define BAL_APP_CORRECT_H

#include "balans/app/params.h"
#include "balans/par/comm.h"

/**
 * Reads par->input, corrects it and writes par->output.
 *
 * Collective.  Same on every rank: `par`, complete and checked.
 * Fails with anything a phase fails with; the output then does not exist (or is
 * what it was) and no partial file is left.
 */
bal_verdict bal_correct_file(bal_comm *c, const bal_params *par);

#endif
