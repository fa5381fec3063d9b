/**
 * @file
 * The affinities of tests/support/reference.h as the program holds them, by
 * tile and by block, over points of tests/support/points.h.
 */
#ifndef TEST_AFFINITIES_H
#define TEST_AFFINITIES_H

#include "balans/data/affinity.h"
#include "points.h"

typedef struct affinities {
    bal_affinity *by_tile, *by_block;
} affinities;

/** Collective; ends the program on failure.  `p` is borrowed. */
affinities affinities_create(bal_comm *c, const points *p,
                             const ref_sample *s);

/** Local. */
void affinities_finish(affinities *a);

/** Makes the entries the float32 numbers that the program gets, and empties
 *  the parts of some landmarks in some batches not theirs.  Local. */
void affinities_round(ref_sample *s, const ref_data *data, bool hollow);

#endif
