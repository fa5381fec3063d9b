#!/usr/bin/env python3
"""Scores of a graph: usage graph.py GRAPH.h5ad SEED.  Connectivity, and Leiden clusters
at resolution 1 against the labels, as 'balans evaluate' defines them; in the
environment of BBKNN, which has igraph, scipy and scikit-learn."""
import json
import random
import sys

import h5py
import igraph
import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score


def read(path):
    with h5py.File(path) as f:
        at = f["obsp/connectivities"]
        graph = csr_matrix((at["data"][()], at["indices"][()], at["indptr"][()]),
                           shape=at.attrs["shape"])
        return graph, f["obs/label/codes"][()]


def connectivity(graph, label):
    shares = []
    for one in np.unique(label):
        rows = np.flatnonzero(label == one)
        part = connected_components(graph[rows][:, rows], directed=False)[1]
        shares.append(np.bincount(part).max() / len(rows))
    return float(np.mean(shares))


def clusters(graph, seed):
    random.seed(seed)
    upper = graph.maximum(graph.T).tocoo()
    keep = upper.row < upper.col
    edges = igraph.Graph(n=graph.shape[0],
                         edges=np.c_[upper.row[keep], upper.col[keep]])
    return edges.community_leiden("modularity", weights=upper.data[keep],
                                  n_iterations=-1).membership


def main():
    graph, label = read(sys.argv[1])
    found = clusters(graph, int(sys.argv[2]))
    print(json.dumps({
        "graph_connectivity": connectivity(graph, label),
        "leiden_ari": adjusted_rand_score(label, found),
        "leiden_nmi": normalized_mutual_info_score(label, found)}))


if __name__ == "__main__":
    main()
