/**
 * @file
 * Points in tiles for the distance kernel, and their way round the ranks.
 *
 * Each rank puts its points into a block of tiles, sorted by group, and the
 * blocks travel from rank to rank until everybody has seen everyone's: all
 * pairs, with three blocks in the memory of a rank at a time.  The next block
 * is under way while this one is worked on.
 *
 * Distances are Euclidean in the block's space.  For cosine distances the
 * points are scaled to length 1, where
 *
 *     1 - cos(x, y) = |u - v|^2 / 2;
 *
 * points that are zero have no direction and get one of their own, a further
 * dimension: they are equal to each other and at distance 1 from the rest.
 */
#ifndef BAL_METRIC_RING_H
#define BAL_METRIC_RING_H

#include <stdint.h>

#include "balans/base/status.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

typedef enum bal_space_kind {
    BAL_COSINE = 0,
    BAL_EUCLIDEAN,
} bal_space_kind;

typedef struct bal_block_tile {
    int32_t m;       ///< points, 1 .. BAL_TILE, all of one group
    int32_t ld;      ///< m rounded up to BAL_LANES
    int32_t group;   ///< tiles are in ascending order of it
    int32_t unused;  ///< 0
    bal_size offset; ///< sum of ld over the tiles before it
} bal_block_tile;

typedef struct bal_block {
    bal_size tiles, lanes; ///< lanes: sum of ld
    int p;                 ///< dimensions
    bal_block_tile *tile;  ///< [tiles]
    float *z;              ///< tile t is [p, ld], at z + offset p
    int32_t *id;           ///< [lanes], number of the point in the set; padded
} bal_block;

/** What it takes to turn points of several sets into one space; the same on
 *  every rank. */
typedef struct bal_metric_space {
    bal_space_kind kind;
    int p;        ///< dimensions: d, or d + 1 if there are zero points
    double factor; ///< Euclidean: a power of two that keeps squares finite
} bal_metric_space;

/** The space for `set` and, if not NULL, `other` of the same d.  Collective.
 *  `out` is the same on every rank. */
void bal_metric_space_of(bal_comm *c, const bal_set *set, const bal_set *other,
                         bal_space_kind kind, bal_metric_space *out);

/** The distance whose square in the block's space is d2.  Local. */
double bal_metric_distance(const bal_metric_space *space, float d2);

/** Factor that scales a point [d] to length 1; 0 for a zero point.  Local. */
double bal_unit_factor(const float *x, bal_size d);

/** This rank's points; `code` [n] are groups, NULL if all are one.  Local.
 *  Fails with BAL_ENOMEM. */
bal_status bal_block_create(const bal_set *set, int rank,
                            const bal_metric_space *space, const int32_t *code,
                            bal_block **out);

/** Local; NULL is fine. */
void bal_block_destroy(bal_block **b);

/** Copies points j .. j + count - 1 of a tile to rows [count, p].  Local. */
void bal_block_rows(const bal_block *b, const bal_block_tile *tile, int j,
                    int count, float *rows);

/** The first tile whose group is at least `group`.  Local. */
bal_size bal_block_find(const bal_block *b, int32_t group);

typedef struct bal_ring bal_ring;

/** Prepares rounds of `own`, borrowed.  Collective.  Fails with BAL_ENOMEM. */
bal_verdict bal_ring_create(bal_comm *c, const bal_block *own, bal_ring **out);

/** Local; NULL is fine. */
void bal_ring_destroy(bal_ring **r);

/** The block of turn 0 .. comm size - 1 of a round; every round has all turns,
 *  in order.  Borrowed until the next turn.  Collective. */
const bal_block *bal_ring_turn(bal_comm *c, bal_ring *r, int turn);

#endif
