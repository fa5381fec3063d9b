/**
 * @file
 * What an output of this program says about itself, read back: uns/balans and
 * what belongs to it.
 *
 * Rank 0's helper reads (io/aside.h); every rank has the answer.
 */
#ifndef BAL_IO_H5AD_UNS_H
#define BAL_IO_H5AD_UNS_H

#include <jansson.h>

#include "balans/io/h5ad.h"

/**
 * Reads a dataset, or all those of a group, as JSON: groups are objects,
 * vectors and matrices are arrays and arrays of arrays, numbers that are not
 * finite are null.  A sparse matrix is `true`; what is none of these, or has
 * more than 2^22 elements, is left out.
 *
 * Collective.  Same on every rank: path.
 * @param[out] out  NULL where the file has nothing of that name
 * Fails with BAL_EINPUT, BAL_ENOMEM.
 */
bal_verdict bal_h5ad_value(bal_h5ad *f, const char *path, json_t **out);

/**
 * Reads the affinities of some landmarks to one another from
 * uns/balans/affinity.
 *
 * Collective.  Same on every rank: count, landmark, row.
 * @param[in]  landmark  [count], rows of A
 * @param[in]  row       [count], their rows of the input, all different
 * @param[out] a         [count, count], row-major; 0 where there is no entry
 * Fails with BAL_EINPUT where A is not what `correct` writes; BAL_ENOMEM.
 */
bal_verdict bal_h5ad_entries(bal_h5ad *f, bal_size count,
                             const int64_t *landmark, const int64_t *row,
                             float *a);

#endif
