/**
 * @file
 * Rows of a matrix in the global order, and their way from and to the file.
 *
 * A shard is [m, d], row-major, without gaps: row j is the point with local
 * index j of the layout.  The file is read and written by slabs, runs of input
 * rows; a *route* knows where each row of this rank's slab belongs and moves
 * rows both ways in panels, so that no second copy of the matrix exists.
 */
#ifndef BAL_DATA_SHARD_H
#define BAL_DATA_SHARD_H

#include "balans/base/status.h"
#include "balans/data/labels.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"

typedef struct bal_shard {
    const bal_layout *layout; ///< borrowed
    bal_lidx m;               ///< layout->m, may be 0
    bal_size d;               ///< features, at least 1
    float *at;                ///< [m, d], row-major
} bal_shard;

/** Zeroed rows.  Local.  `layout` is borrowed.  Fails with BAL_ENOMEM. */
bal_status bal_shard_create(const bal_layout *layout, bal_size d,
                            bal_shard **out);

/** Local; NULL is fine. */
void bal_shard_destroy(bal_shard **s);

typedef struct bal_route {
    const bal_layout *layout; ///< borrowed
    bal_gidx first;           ///< first input row of this rank's slab
    bal_size m;               ///< rows of the slab
    bal_gidx *pos;            ///< [m], position of each row of the slab
    bal_gidx *row;            ///< [layout->m], input row of each local point
} bal_route;

/** Finds the position of every input row.  Collective.  `layout` is borrowed
 *  and made from the sizes of `labels`.  Fails with BAL_ENOMEM, BAL_ERANGE. */
bal_verdict bal_route_create(bal_comm *c, const bal_labels *labels,
                             const bal_layout *layout, bal_route **out);

/** Local; NULL is fine. */
void bal_route_destroy(bal_route **r);

/**
 * Moves a panel of slab rows into the shard.
 *
 * Collective; each rank gives rows of its own slab, possibly none.
 * @param[in] first  first row of the panel, counted from the slab's start
 * @param[in] count  rows in the panel
 * @param[in] rows   [count, s->d]
 */
bal_verdict bal_route_scatter(bal_comm *c, const bal_route *r, bal_size first,
                              bal_size count, const float *rows, bal_shard *s);

/** The way back: fetches a panel of slab rows out of the shards.  Collective;
 *  arguments as in bal_route_scatter(), `rows` is written. */
bal_verdict bal_route_gather(bal_comm *c, const bal_route *r, bal_size first,
                             bal_size count, const bal_shard *s, float *rows);

#endif
