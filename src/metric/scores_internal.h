#ifndef BAL_METRIC_SCORES_INTERNAL_H
#define BAL_METRIC_SCORES_INTERNAL_H

#include "balans/metric/scores.h"

/* Turns the scores from .. to that the data do not define into NaN and says
 * why.  Local. */
void bal_scores_explain(bal_scores *s, bal_score from, bal_score to,
                        const bal_set *all, const bal_set *drawn);

#endif
