/** @file  The rows that the pilot looks at.  Not for others. */
#ifndef BAL_APP_PILOT_INTERNAL_H
#define BAL_APP_PILOT_INTERNAL_H

#include "forecast.h"

/** Fewer batches do not stand for all. */
enum { BAL_BATCHES_LEAST = 8 };

/** Rows of this rank. */
typedef struct bal_pilot_rows {
    bal_size m, d;
    float *rows;   ///< [m, d]
    int32_t *code; ///< [m], batch of each, as in the labels
} bal_pilot_rows;

/** Chooses rows of the file and reads those in this rank's slab; tells by `p`
 *  what reading costs, and whether they are all rows.  Collective.  Fails as
 *  reading does. */
bal_verdict bal_pilot_read(bal_job *j, bal_pilot *p, bal_pilot_rows *s);

/** Local. */
void bal_pilot_rows_finish(bal_pilot_rows *s);

#endif
