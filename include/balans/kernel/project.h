/**
 * @file
 * The points of one tile in the distance space.
 *
 *     z_jc = sum over f = 0 .. d-1 of xs_jf v_fc,   ascending f, from 0
 *
 * xs and v are float32 values held as doubles, so each product is exact and a
 * fused multiply-add gives what a multiplication and an addition give: the
 * chain has the same bits with every instruction set, and depends on its point
 * and its component alone.  Source: algorithm.md, sections 2 and 8.
 */
#ifndef BAL_KERNEL_PROJECT_H
#define BAL_KERNEL_PROJECT_H

#include "balans/base/types.h"

enum { BAL_LOADINGS = 8 }; ///< components side by side in packed loadings

/** Doubles that packed loadings of p components on d features take.  Local. */
bal_size bal_loadings_size(bal_size d, bal_size p);

/**
 * Rounds loadings to float32 and orders them for bal_project_tile().  Local.
 * @param[in]  components  [d, p], row-major
 * @param[out] packed      [bal_loadings_size(d, p)]
 */
void bal_loadings_pack(const double *components, bal_size d, bal_size p,
                       double *packed);

/**
 * Projects a tile.  Local, pure.
 * @param[in]  xs      [BAL_TILE, d], row-major, float32 values
 * @param[in]  m       points of the tile
 * @param[in]  packed  loadings of p components on d features, 64-byte aligned
 * @param[out] z       [p, ld], feature-major; columns from m on are not written
 * Cost: 2 m d p flops.
 */
void bal_project_tile(const double *xs, int m, bal_size d, const double *packed,
                      int p, float *z, int ld);

/** Turns a tile as above into one that is feature-major without projecting it:
 *  z [d, ld], columns from m on not written.  Local, pure. */
void bal_transpose_tile(const double *xs, int m, bal_size d, float *z, int ld);

#endif
