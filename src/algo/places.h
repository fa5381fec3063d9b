/**
 * @file
 * Where the row of a landmark stands, by the landmark's position; not for
 * others than the sampler.  All functions are local.
 */
#ifndef BAL_ALGO_PLACES_H
#define BAL_ALGO_PLACES_H

#include "balans/base/status.h"
#include "balans/base/types.h"

/** An open hash table of positions.  Cost: O(1) for each call but clear. */
typedef struct bal_places {
    bal_gidx *key;   ///< [room], position + 1; 0 where there is none
    bal_size *place; ///< [room]
    bal_size room;   ///< a power of two
    bal_size count;
} bal_places;

/** Makes room for `count` positions.  Fails with BAL_ENOMEM. */
bal_status bal_places_create(bal_places *p, bal_size count);
void bal_places_finish(bal_places *p);

/** Forgets all positions, keeps the room. */
void bal_places_clear(bal_places *p);

/** The place of a position, -1 if it has none. */
bal_size bal_places_find(const bal_places *p, bal_gidx pos);

/** Sets the place of a position, a new one or not.  Fails with BAL_ENOMEM if it
 *  has to grow. */
bal_status bal_places_set(bal_places *p, bal_gidx pos, bal_size place);

/** Bytes of room for `count` positions. */
bal_size bal_places_memory(bal_size count);

#endif
