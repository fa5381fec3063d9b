/**
 * @file
 * Small loops that run often: exact sums, products with a panel, and counts.
 *
 * Each number is made by the same operations in the same order with every
 * instruction set.  All functions are local and pure.
 */
#ifndef BAL_KERNEL_SUMS_H
#define BAL_KERNEL_SUMS_H

#include <stdint.h>

#include "balans/base/types.h"

/** Adds each value to its exact sum (balans/par/sum.h), all of one scale.
 *  @param[in,out] sum    [count, 2], the two limbs of each sum
 *  @param[in]     up_hi  2^e of the scale
 *  @param[in]     up_lo  2^L of the scale */
void bal_fixed_add_all(int64_t *sum, const double *value, bal_size count,
                       double up_hi, double up_lo);

/** dot[g] = sum over f of u_f panel_fg, one chain over ascending f.
 *  @param[in]  panel  [p, ld], row-major, `count` columns of it
 *  @param[out] dot    [count] */
void bal_panel_products(const double *u, const double *panel, bal_size p,
                        bal_size ld, bal_size count, double *dot);

/** How many of v[0 .. n) are at most t. */
uint32_t bal_count_up_to(const float *v, int n, float t);

#endif
