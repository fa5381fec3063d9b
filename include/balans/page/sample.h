/** @file  Which points a figure shows. */
#ifndef BAL_PAGE_SAMPLE_H
#define BAL_PAGE_SAMPLE_H

#include "balans/base/status.h"
#include "balans/base/types.h"

/**
 * Draws at most `most` of n points without replacement: one of each group, if
 * they are not too many, and of the rest as many of each group as is its share,
 * to within one.  A function of its arguments alone.
 *
 * Local.
 * @param[in]  code   [n], the group of each point
 * @param[in]  size   [groups], points of each, which add up to n
 * @param[out] chosen [min(n, most)], numbers of points, ascending
 * Fails with BAL_ENOMEM.
 */
bal_status bal_sample_by_group(const int32_t *code, bal_size n,
                               const bal_size *size, bal_size groups,
                               bal_size most, uint64_t seed,
                               bal_gidx *chosen);

/** A random order of 0 .. n - 1.  Local. */
void bal_shuffle(bal_size n, uint64_t seed, bal_size *order);

#endif
