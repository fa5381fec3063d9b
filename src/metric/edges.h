/* The neighbour graph as a list of edges. */
#ifndef BAL_METRIC_EDGES_H
#define BAL_METRIC_EDGES_H

#include "balans/metric/knn.h"

typedef struct bal_edge {
    int32_t a, b; /* a < b */
    double w;
} bal_edge;

/* One edge for each of the k nearest of each point of this rank, of which
 * `first` is the first; w is [m, k], out has room for as many.
 * @return how many */
bal_size bal_edges_list(const bal_knn *g, int k, const double *w,
                        bal_gidx first, bal_edge *out);

/* Sorts, and joins the two directions of an edge to w_ij + w_ji - w_ij w_ji.
 * @return how many edges are left */
bal_size bal_edges_unite(bal_edge *e, bal_size count);

#endif
