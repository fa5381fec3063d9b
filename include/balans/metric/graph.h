/**
 * @file
 * The neighbour graph as a graph: weights of its edges, components inside
 * labels.
 */
#ifndef BAL_METRIC_GRAPH_H
#define BAL_METRIC_GRAPH_H

#include "balans/base/status.h"
#include "balans/metric/knn.h"
#include "balans/metric/set.h"
#include "balans/par/comm.h"

/**
 * Components of the subgraph of each label: two points are joined if they have
 * one label and one is among the other's k nearest.
 *
 * Collective.  Same on every rank: k.
 * @param[in]  k     at most g->k
 * @param[out] root  [n], the least point of each point's component; the same on
 *                   every rank
 * Fails with BAL_ENOMEM.
 * Cost: n k steps and log(size) messages of 4 n bytes.
 */
bal_verdict bal_label_components(bal_comm *c, const bal_set *set,
                                 const bal_knn *g, int k, int32_t *root);

/** The share of each label's points that its largest component holds; NaN for
 *  labels without points.  Local.  `share` is [labels].  Fails with
 *  BAL_ENOMEM. */
bal_status bal_connectivity(const bal_set *set, const int32_t *root,
                            double *share);

/**
 * Weights w(i, j) of the k nearest neighbours j of i, as UMAP takes them,
 * before they are made symmetric:
 *
 *     w = exp(-max(0, d_ij - rho_i) / sigma_i)
 *
 * rho_i: the smallest distance above 0; sigma_i: such that the weights of i add
 * up to log2(k + 1), by bisection.
 *
 * Collective.
 * @param[out] w  [m, k]; 0 where there is no neighbour
 * Fails with BAL_ENOMEM.
 * Reference: McInnes, Healy, Melville, UMAP, arXiv 1802.03426, section 4.1.
 */
bal_verdict bal_graph_weights(bal_comm *c, const bal_set *set, const bal_knn *g,
                              int k, int threads, double *w);

#endif
