/** @file  The rows that are looked at.  Not for others. */
#ifndef BAL_FORECAST_ROWS_H
#define BAL_FORECAST_ROWS_H

#include "balans/forecast/measure.h"

/** Fewer batches do not stand for all. */
enum { BAL_BATCHES_LEAST = 8 };

/** Where rows are taken from. */
typedef struct bal_rows_source {
    bal_comm *c;
    bal_h5ad *file;
    const bal_matrix_info *info;
    const bal_labels *labels;
} bal_rows_source;

/** Rows and the batch of each, as in the labels. */
typedef struct bal_sample_rows {
    bal_size m, d;
    float *rows;   ///< [m, d]
    int32_t *code; ///< [m]
} bal_sample_rows;

/** Chooses rows of the file and reads them, those of all ranks on each; says by
 *  `m` what reading costs, and whether they are all rows.  Collective.  Fails
 *  as reading does. */
bal_verdict bal_sample_rows_read(const bal_rows_source *s, bal_measured *m,
                                 bal_sample_rows *out);

/** Local. */
void bal_sample_rows_finish(bal_sample_rows *s);

#endif
