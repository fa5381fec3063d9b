/** @file  How far a run moved each batch as a whole. */
#ifndef BAL_APP_SHIFT_H
#define BAL_APP_SHIFT_H

#include <jansson.h>

#include "passes.h"

enum { BAL_TOLD_BATCHES = 256 }; ///< with more, nothing is told batch by batch

/** Of the batches of the first column; nothing where they are too many. */
typedef struct bal_shift {
    bal_size batches; ///< 0 where nothing is told
    double *before;   ///< [batches, p] mean coordinates
    double *length;   ///< [batches] of the way from there to those afterwards
} bal_shift;

/** Notes where the batches are.  `s` is zeroed before.  Collective.  Fails with
 *  BAL_ENOMEM. */
bal_verdict bal_shift_begin(bal_comm *c, const bal_points *points,
                            bal_shift *s);

/** Measures how far they have come: the distance between the mean coordinates
 *  of a batch before and after, with the same bits on any number of ranks.
 *  Collective.  Fails with BAL_ENOMEM.
 *  Cost: with several batch columns the coordinates go to the first one's order
 *  and back. */
bal_verdict bal_shift_end(bal_comm *c, bal_points *points, bal_shift *s);

/** What is told; an object without entries where it is nothing.  NULL if memory
 *  ran out.  Local. */
json_t *bal_shift_report(const bal_points *points, const bal_shift *s);

/** Nothing is told then.  Local; one that was zeroed is fine. */
void bal_shift_finish(bal_shift *s);

#endif
