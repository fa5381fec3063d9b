/** @file  Clusters of the neighbour graph, and how two partitions agree. */
#ifndef BAL_METRIC_CLUSTER_H
#define BAL_METRIC_CLUSTER_H

#include "balans/base/status.h"
#include "balans/metric/knn.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

/**
 * Communities by the Leiden algorithm (igraph's), for modularity with a
 * resolution, until nothing changes.  The graph is undirected; an edge weighs
 * w_ij + w_ji - w_ij w_ji.
 *
 * Collective; rank 0 works.  Same on every rank: k, resolution, seed.
 * @param[in]  w       [m, k], of bal_graph_weights()
 * @param[out] member  [n], from 0; the same on every rank
 * Fails with BAL_ENOMEM; BAL_ERANGE if rank 0 would get 2^31 edges;
 * BAL_ENUMERIC if igraph gives up.
 * Cost: about 100 n k bytes on rank 0.
 * Reference: Traag, Waltman, van Eck, Scientific Reports 9, 2019.
 */
bal_verdict bal_leiden(bal_comm *c, const bal_set *set, const bal_knn *g, int k,
                       const double *w, double resolution, uint64_t seed,
                       int32_t *member);

/**
 * Adjusted Rand index and normalised mutual information (by the arithmetic mean
 * of the entropies) of two partitions a, b [n]; 1 if they are the same.
 *
 * Local.  Fails with BAL_ENOMEM.
 * Reference: Hubert, Arabie, J. of Classification 2, 1985; Vinh, Epps, Bailey,
 * JMLR 11, 2010.
 */
bal_status bal_partition_scores(const int32_t *a, const int32_t *b, bal_size n,
                                double *ari, double *nmi);

#endif
