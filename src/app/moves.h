/** @file  How far the points of a pass have moved, and what that is measured
 *  by: when --passes auto ends. */
#ifndef BAL_APP_MOVES_H
#define BAL_APP_MOVES_H

#include "passes.h"

/** Lower median of the landmarks' scales in their own batches; -1 where
 *  no landmark has one.  Local.  Fails with BAL_ENOMEM. */
bal_status bal_moves_scale(const bal_layout *l, const bal_landmarks *k,
                           double *out);

/** Lower median of the lengths of all points' moves, of which this rank knows
 *  the squares, [l->m].  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_moves_median(bal_comm *c, const bal_layout *l,
                             const double *move2, double *out);

#endif
