/**
 * @file
 * Squared Euclidean distances of the points of one tile to W landmarks.
 *
 * A tile is feature-major: [p, ld], feature f of point j at tile[f * ld + j],
 * where ld is a multiple of BAL_LANES, at most BAL_TILE, and the columns from
 * the tile's number of points up to ld hold +infinity (their distances come out
 * as +infinity, which no selection takes).
 *
 *     d2(w, j) = fma-chain over f = 0 .. p-1 of (z_jf - y_wf)^2,  from 0
 *
 * in float32, ascending f: it depends on its two points alone - not on W, the
 * tile, the thread or the instruction set - and is exactly 0 for equal points.
 * Source: algorithm.md, section 8.
 */
#ifndef BAL_KERNEL_DISTANCE_H
#define BAL_KERNEL_DISTANCE_H

#include "balans/base/types.h"

/**
 * Local, pure.
 * @param[in]  tile      [p, ld], 64-byte aligned
 * @param[in]  landmark  [w, p], finite
 * @param[out] d2        [w, ld], 64-byte aligned, not overlapping the inputs
 * Cost: 3 w p ld flops; reads the tile once for every six landmarks.
 */
void bal_distance_tile(const float *tile, int ld, int p, const float *landmark,
                       int w, float *d2);

/**
 * The same for BAL_LANES columns of a tile.  Local, pure.
 * @param[in]  z   the first of them, in a tile of leading dimension ld
 * @param[out] d2  [w, ld], of which so many columns are written
 */
void bal_distance_lanes(const float *z, int ld, int p, const float *landmark,
                        int w, float *d2);

#endif
