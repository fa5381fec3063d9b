/**
 * @file
 * The two orders of the points, and the way between them.
 *
 * The *file order*, cut into blocks, is that of everything as wide as the
 * profiles; the *batch order* (par/layout), cut into tiles, that of everything
 * in the distance space.  A batch column of obs defines a batch order; this
 * module alone knows both.
 * Source: architecture.md, "The way of the data".
 */
#ifndef BAL_DATA_ROUTE_H
#define BAL_DATA_ROUTE_H

#include "balans/base/status.h"
#include "balans/data/labels.h"
#include "balans/data/tiles.h"
#include "balans/par/comm.h"
#include "balans/par/layout.h"

typedef struct bal_order {
    const bal_labels *labels; ///< borrowed: batches of the rank's input rows
    bal_layout *layout;
    bal_gidx first;  ///< first input row of this rank
    bal_size m;      ///< input rows of this rank
    bal_gidx *pos;   ///< [m], position of each of them
    bal_gidx *row;   ///< [layout->m], input row of each local point
    int32_t *batch;  ///< [layout->m], its batch
    bal_size *tile_start; ///< [layout->tiles + 1], first point of each tile
} bal_order;

/** The batch order of a column.  Collective.  `labels` is borrowed.  Fails with
 *  BAL_ENOMEM, BAL_ERANGE.  Cost: 16 bytes a row are exchanged once. */
bal_verdict bal_order_create(bal_comm *c, const bal_labels *labels,
                             bal_order **out);

/** Local; NULL is fine. */
void bal_order_destroy(bal_order **o);

/** The rank that holds an input row.  Local.  Cost: log(size). */
int bal_slab_owner(bal_size n, int size, bal_gidx row);

/**
 * Moves coordinates of rows of the file into the tiles.
 *
 * Collective; each rank gives rows of its own, possibly none.
 * @param[in] first  first of the rows, counted from the rank's first
 * @param[in] count  how many
 * @param[in] rows   [count, z->p]
 * Fails with BAL_ENOMEM, BAL_ERANGE.
 * Cost: 4 (p + 1) bytes for each row that leaves its rank.
 */
bal_verdict bal_route_to_tiles(bal_comm *c, const bal_order *o, bal_size first,
                               bal_size count, const float *rows, bal_tiles *z);

/** The way back; arguments as in bal_route_to_tiles(), `rows` is written.
 *  Collective. */
bal_verdict bal_route_to_file(bal_comm *c, const bal_order *o, bal_size first,
                              bal_size count, const bal_tiles *z, float *rows);

#endif
