/**
 * @file
 * What a tile of rows adds to the moments of the features, and its points in
 * the units of the distance space.
 *
 * The rows are row-major, [m, d], m at most BAL_TILE.  Each number written is
 * one chain over them in ascending order, so it depends on them alone; how the
 * parts are added up is the caller's business (par/sum).
 *
 *     v  = clip((x - mean) / divisor, +-clip)     in double
 *     xs = (float)(v - centre)
 *
 * All functions are local and pure.  Source: algorithm.md, sections 2 and 8.
 */
#ifndef BAL_KERNEL_MOMENTS_H
#define BAL_KERNEL_MOMENTS_H

#include "balans/base/types.h"

/** How features are standardised; borrowed arrays of [d]. */
typedef struct bal_standard {
    bal_size d;
    const double *mean;
    const double *divisor; ///< > 0; +infinity turns a constant feature into 0
    const double *centre;
    double clip; ///< > 0, or +infinity
} bal_standard;

enum {
    BAL_GRAM = 128, ///< most features in one block of the covariance
};

/** Lowers lo and raises hi, both [d], to include the rows.  Values that are
 *  not numbers are passed over. */
void bal_tile_extremes(const float *x, int m, bal_size d, float *lo, float *hi);

/** Sums of the rows, [d]; not finite exactly where a value is not. */
void bal_tile_sums(const float *x, int m, bal_size d, double *sum);

/** Sums of (x - mean)^2, [d]. */
void bal_tile_squares(const float *x, int m, bal_size d, const double *mean,
                      double *sum);

/** Sums of v, [d]; s->centre is not read. */
void bal_tile_clipped_sums(const float *x, int m, const bal_standard *s,
                           double *sum);

/** Writes v, each value times its feature's unit, to out [BAL_TILE, d],
 *  row-major; rows from m on are 0.  s->centre is not read.
 *  @param[in] unit  [d], powers of two */
void bal_tile_clip(const float *x, int m, const bal_standard *s,
                   const double *unit, double *out);

/** Writes xs to out [BAL_TILE, d], row-major; rows from m on are 0. */
void bal_tile_standardise(const float *x, int m, const bal_standard *s,
                          double *out);

/**
 * A block of out = v^T v, by BLAS, over the whole padded tile, so that calls
 * for one block always have one shape.
 * @param[in]  v    [BAL_TILE, d], row-major
 * @param[in]  i,j  first feature of the block's rows and columns
 * @param[in]  ni,nj  how many, at most BAL_GRAM
 * @param[out] out  [ni, nj], row-major; only its upper triangle if i == j
 * Cost: 2 BAL_TILE ni nj flops, half of that if i == j.
 */
void bal_tile_gram(const double *v, bal_size d, bal_size i, int ni, bal_size j,
                   int nj, double *out);

/** Makes BLAS and LAPACK use one thread from now on; their results would
 *  depend on the number otherwise. */
void bal_blas_one_thread(void);

#endif
