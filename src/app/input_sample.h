/** @file  A sample of the input's profiles in place of all. */
#ifndef BAL_APP_INPUT_SAMPLE_H
#define BAL_APP_INPUT_SAMPLE_H

#include "input.h"

/**
 * Makes par->fit_sample profiles all that the input has: the same share of each
 * batch of the last column, seeded, the same on any number of ranks.
 *
 * Collective, before the matrix is loaded; `in` has its labels.
 * Fails with BAL_EUSAGE where there are fewer, with BAL_ENOMEM.
 */
bal_verdict bal_input_sample(bal_input *in);

#endif
