#!/usr/bin/env python3
"""The scores of 'balans evaluate' by scib-metrics and copairs: usage check.py
RESULT.h5ad...  One list of rows as JSON.  Neighbours are exact, by cosine distance, as
many as docs/metrics.md says; kBET takes scib-metrics' own 50."""
import importlib.metadata
import json
import pathlib
import sys

import h5py
import numpy as np
import pandas as pd
import scib_metrics as scib
from copairs.map import average_precision
from scib_metrics.nearest_neighbors import NeighborsResults
from sklearn.neighbors import NearestNeighbors


def neighbours(x, most):
    """With the point itself, which scib-metrics expects first."""
    found = NearestNeighbors(n_neighbors=min(most, len(x)), metric="cosine",
                             algorithm="brute").fit(x)
    distances, indices = found.kneighbors(x)
    return NeighborsResults(indices=indices, distances=distances)


def retrieval(x, batch, label):
    meta = pd.DataFrame({"batch": batch, "label": label})
    found = average_precision(
        meta, x, pos_sameby=["label"], pos_diffby=["batch"], neg_sameby=[],
        neg_diffby=["label"], progress_bar=False)
    return found.groupby("label")["average_precision"].mean().mean()


def kbet(x, batch, label):
    return scib.kbet_per_label(neighbours(x, 50), batch, label)


def connectivity(x, label):
    return scib.graph_connectivity(neighbours(x, 25), label)


def leiden(x, label):
    return scib.nmi_ari_cluster_labels_leiden(
        neighbours(x, 25), label, optimize_resolution=False, resolution=1.0, seed=0)


def scores(path):
    with h5py.File(path) as f:
        x = f["X"][()].astype(np.float32)
        batch, label = (f[f"obs/{c}/codes"][()].astype(int)
                        for c in ("batch", "label"))
    near = neighbours(x, 91)
    yield "silhouette_label", scib.silhouette_label(x, label, metric="cosine")
    yield "silhouette_batch", scib.silhouette_batch(x, label, batch, metric="cosine")
    yield "lisi_batch", scib.ilisi_knn(near, batch, perplexity=30)
    yield "lisi_label", scib.clisi_knn(near, label, perplexity=30)
    yield "graph_connectivity", connectivity(x, label)
    found = leiden(x, label)
    yield "leiden_ari", found["ari"]
    yield "leiden_nmi", found["nmi"]
    yield "kbet", kbet(x, batch, label)
    yield "map", retrieval(x, batch, label)


def main():
    rows = [{"versions": {n: f"{n} {importlib.metadata.version(n)}"
                          for n in ("scib-metrics", "copairs")}}]
    for path in map(pathlib.Path, sys.argv[1:]):
        for score, value in scores(path):
            rows.append({"method": path.name.split(".")[0], "score": score,
                         "value": float(value)})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
