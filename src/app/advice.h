/** @file  What a run advises about trust.  Local; warnings of one rank. */
#ifndef BAL_APP_ADVICE_H
#define BAL_APP_ADVICE_H

#include "balans/algo/trust.h"
#include "balans/app/params.h"
#include "balans/data/route.h"

/** Names the batches that share least, and the way out if it is not taken. */
void bal_advise_pairs(const bal_params *par, const bal_order *order,
                      const bal_trust *t);

/** Warns of strict trust where not all points are landmarks, but m. */
void bal_advise_strict(const bal_params *par, const bal_order *order,
                       bal_size m);

#endif
