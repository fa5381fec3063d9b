/**
 * @file
 * Points in the distance space.
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
 * Rounds loadings to float32 and orders them for bal_project().  Local.
 * @param[in]  components  [d, p], row-major
 * @param[out] packed      [bal_loadings_size(d, p)]
 */
void bal_loadings_pack(const double *components, bal_size d, bal_size p,
                       double *packed);

/**
 * Projects up to BAL_TILE points.  Local, pure.
 * @param[in]  xs      [BAL_TILE, d], row-major, float32 values; rows from m on
 *                     are 0
 * @param[in]  packed  loadings of p components on d features, 64-byte aligned
 * @param[out] z       [m, p], row-major
 * Cost: 2 m d p flops.
 */
void bal_project(const double *xs, int m, bal_size d, const double *packed,
                 int p, float *z);

#endif
