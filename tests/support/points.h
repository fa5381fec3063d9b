/**
 * @file
 * Made-up points of tests/support/reference.h, spread over the ranks of a
 * communicator the way the program holds them.
 */
#ifndef TEST_POINTS_H
#define TEST_POINTS_H

#include "balans/data/blocks.h"
#include "balans/data/labels.h"
#include "balans/data/route.h"
#include "balans/data/tiles.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"
#include "reference.h"

typedef struct points {
    bal_labels *labels;
    bal_order *order;
    const bal_layout *layout; ///< the order's
    bal_blocks *x;            ///< resident, in the order of the file
    bal_tiles *z;
} points;

/** Collective; ends the program on failure. */
points *points_create(bal_comm *c, const ref_data *data);

/** Local; NULL is fine. */
void points_destroy(points **p);

/** The batch of every input row, [n], to be freed with free().  Local. */
int *points_batch_by_row(const ref_data *data);

#endif
