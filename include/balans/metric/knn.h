/**
 * @file
 * The exact k nearest other points of every point.
 */
#ifndef BAL_METRIC_KNN_H
#define BAL_METRIC_KNN_H

#include <string.h>

#include "balans/base/status.h"
#include "balans/metric/ring.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

/** Neighbours in ascending order of (squared distance, shuffled number of the
 *  point): both are in one key, so ties do not depend on how they were found.
 *  Numbers are shuffled because files are sorted: of many equal points the
 *  first few would all be of one batch. */
typedef struct bal_knn {
    bal_metric_space space;
    bal_size m;     ///< points of this rank
    int k;          ///< most neighbours of a point
    int32_t *count; ///< [m], neighbours of each
    uint64_t *key;  ///< [m, k]
} bal_knn;

/**
 * Finds for each point of this rank its k nearest others of all ranks - with
 * `code` [n], of those in its own group only; all of them if there are fewer.
 *
 * Collective.  Same on every rank: code, k, kind.
 * @param[in] threads  OpenMP threads of this rank
 * Fails with BAL_ENOMEM.
 * Cost: 3 p flops a pair of points; three blocks of n / size points and
 * 8 k bytes a point of memory; n p / size floats sent in each of `size` turns.
 */
bal_verdict bal_knn_create(bal_comm *c, const bal_set *set, bal_space_kind kind,
                           const int32_t *code, int k, int threads,
                           bal_knn **out);

/** Local; NULL is fine. */
void bal_knn_destroy(bal_knn **g);

/** A fixed permutation of the 32-bit numbers, and its inverse: products with an
 *  odd number and its inverse modulo 2^32, between folds of the high half into
 *  the low one.  Local. */
static inline uint32_t bal_shuffled(uint32_t v)
{
    v ^= v >> 16;
    v *= UINT32_C(0x9e3779b1);
    v ^= v >> 16;
    v *= UINT32_C(0x9e3779b1);
    return v ^ v >> 16;
}
static inline uint32_t bal_unshuffled(uint32_t v)
{
    v ^= v >> 16;
    v *= UINT32_C(0x0e8b2f51);
    v ^= v >> 16;
    v *= UINT32_C(0x0e8b2f51);
    return v ^ v >> 16;
}

/** The neighbour's number in the set.  Local. */
static inline int32_t bal_knn_id(const bal_knn *g, bal_size i, int j)
{
    return (int32_t)bal_unshuffled((uint32_t)g->key[i * g->k + j]);
}

/** Its distance.  Local. */
static inline double bal_knn_distance(const bal_knn *g, bal_size i, int j)
{
    uint32_t bits = (uint32_t)(g->key[i * g->k + j] >> 32);
    float d2;

    memcpy(&d2, &bits, sizeof d2);
    return bal_metric_distance(&g->space, d2);
}

#endif
