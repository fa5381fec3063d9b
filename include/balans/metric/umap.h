/** @file  Points in the plane, neighbours near each other: for the eye, not a
 *  metric. */
#ifndef BAL_METRIC_UMAP_H
#define BAL_METRIC_UMAP_H

#include "balans/base/status.h"
#include "balans/metric/knn.h"

/** Scales given places so that a layout can begin with them: in each direction
 *  mean 0, standard deviation 4, and what is beyond 10 is put there, so that a
 *  few that are far away do not crowd the rest.  Local.  `xy` is [n, 2]. */
void bal_umap_begin(double *xy, bal_size n);

/**
 * Moves places so that neighbours come near each other, and others apart.
 *
 * Local: for a graph that one rank holds whole.  The result depends on the
 * arguments alone.
 * @param[in]     g   k nearest neighbours of all g->m points
 * @param[in]     w   [m, k], of bal_graph_weights() with g->k
 * @param[in,out] xy  [m, 2], such as bal_umap_begin() leaves
 * Fails with BAL_ENOMEM.
 * Cost: at most 12 m k exponentials an epoch, of which there are 200 to 500;
 * as many in fact as heavy edges have.
 * Reference: McInnes, Healy, Melville, UMAP, arXiv 1802.03426, sections 3.2 and
 * 4.2.
 */
bal_status bal_umap(const bal_knn *g, const double *w, uint64_t seed,
                    double *xy);

#endif
