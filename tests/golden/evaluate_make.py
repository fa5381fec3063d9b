"""Computes evaluate_scores.json from evaluate_points.csv with other people's
programs; run by hand, in a Python that has them.

    evaluate_make.py points   writes the points anew
    evaluate_make.py scores   computes the scores

Silhouettes, ARI, NMI and nearest neighbours are scikit-learn's, LISI is
harmonypy's compute_simpson(), components and chi-squared are scipy's, Leiden is
igraph's, average precision is by sorting.
"""
import json
import pathlib
import random
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent


def make_points():
    r = np.random.default_rng(20)
    n = 400
    label = r.choice(4, n, p=[.4, .3, .2, .1])
    batch = r.choice(3, n, p=[.5, .3, .2])
    x = (r.normal(size=(4, 6))[label] * 2 + r.normal(size=(3, 6))[batch] * .35
         + r.normal(size=(n, 6)) * .6)
    label[7] = 4
    rows = [",".join([str(b), str(l)] + [f"{v:.4f}" for v in p])
            for b, l, p in zip(batch, label, x)]
    (HERE / "evaluate_points.csv").write_text("\n".join(rows) + "\n")


def near(x, k, metric):
    from sklearn.neighbors import NearestNeighbors
    return NearestNeighbors(n_neighbors=k, metric=metric,
                            algorithm="brute").fit(x).kneighbors()


def silhouettes(x, batch, label, metric):
    from sklearn.metrics import silhouette_samples
    inside = []
    for one in np.unique(label):
        i = label == one
        if 1 < len(set(batch[i])) < i.sum():
            s = silhouette_samples(x[i], batch[i], metric=metric)
            inside.append(np.mean(1 - np.abs(s)))
    s = silhouette_samples(x, label, metric=metric)
    return np.mean(inside), (s.mean() + 1) / 2


def lisi(distance, index, group, perplexity):
    import pandas as pd
    from harmonypy.lisi import compute_simpson
    cat = pd.Categorical(group)
    return np.median(1 / compute_simpson(distance.T, index.T, cat,
                                         len(cat.categories), perplexity))


def adjacency(index, weight):
    from scipy.sparse import coo_matrix
    n, k = index.shape
    return coo_matrix((weight.ravel(), (np.repeat(np.arange(n), k),
                                        index.ravel())), shape=(n, n)).tocsr()


def components(a, i):
    from scipy.sparse.csgraph import connected_components
    return connected_components(a[i][:, i], directed=False)


def kbet(x, batch, label, a, metric):
    from scipy.stats import chi2
    rates = []
    for one in np.unique(label):
        i = np.flatnonzero(label == one)
        names, b = np.unique(batch[i], return_inverse=True)
        if len(i) < 10 or len(names) < 2:
            continue
        size = np.bincount(b)
        k0 = min(70, max(10, int(np.mean(size) / 4)))
        count, part = components(a, i)
        used = (np.bincount(part)[part] >= 3 * k0) | (count == 1)
        if used.mean() < .75:
            rates.append(1.)
            continue
        j = near(x[i], k0 - 1, metric)[1]
        j = np.c_[np.arange(len(i)), j]
        seen = np.stack([(b[j] == q).sum(1) for q in range(len(names))], 1)
        expected = size / size.sum() * k0
        stat = ((seen - expected) ** 2 / expected).sum(1)
        rates.append((chi2.sf(stat, len(names) - 1) < .05)[used].mean())
    return 1 - np.mean(rates)


def umap_weights(distance):
    k = distance.shape[1]
    w = np.zeros_like(distance)
    for i, d in enumerate(distance):
        over = np.maximum(0, d - d[d > 0][0])
        low, high, sigma = 0, np.inf, 1.
        for _ in range(64):
            off = np.exp(-over / sigma).sum() - np.log2(k + 1)
            if abs(off) < 1e-5:
                break
            low, high = (low, sigma) if off > 0 else (sigma, high)
            sigma = sigma * 2 if np.isinf(high) else (low + high) / 2
        w[i] = np.exp(-over / sigma)
    return w


def leiden(index, distance, label, seed=0):
    import igraph
    from sklearn.metrics import (adjusted_rand_score,
                                 normalized_mutual_info_score)
    a = adjacency(index, umap_weights(distance))
    a = (a + a.T - a.multiply(a.T)).tocoo()
    up = a.row < a.col
    random.seed(seed)
    g = igraph.Graph(n=len(label),
                     edges=list(zip(a.row[up].tolist(), a.col[up].tolist())))
    member = g.community_leiden(
        objective_function="modularity", weights=a.data[up].tolist(),
        resolution=1.0, n_iterations=-1).membership
    return (adjusted_rand_score(label, member),
            normalized_mutual_info_score(label, member))


def mean_precision(x, batch, label, metric):
    from sklearn.metrics import pairwise_distances
    distance = pairwise_distances(x, metric=metric)
    by_label = []
    for one in np.unique(label):
        ap = []
        for i in np.flatnonzero(label == one):
            hit = np.sort(distance[i, (label == one) & (batch != batch[i])])
            miss = np.sort(distance[i, label != one])
            rank = np.arange(1, len(hit) + 1)
            if len(hit):
                ap.append(np.mean(rank / (rank + np.searchsorted(
                    miss, hit, side="right"))))
        if ap:
            by_label.append(np.mean(ap))
    return np.mean(by_label)


def scores(points, metric):
    batch, label, x = (points[:, 0].astype(int), points[:, 1].astype(int),
                       points[:, 2:].astype("f4").astype("f8"))
    out = {}
    distance, index = near(x, 90, metric)
    a = adjacency(index[:, :24], np.ones((len(x), 24)))
    share = []
    for one in np.unique(label):
        i = np.flatnonzero(label == one)
        share.append(np.bincount(components(a, i)[1]).max() / len(i))
    out["graph_connectivity"] = np.mean(share)
    out["kbet"] = kbet(x, batch, label, a, metric)
    batches, labels = len(set(batch)), len(set(label))
    out["lisi_batch"] = (lisi(distance, index, batch, 30) - 1) / (batches - 1)
    out["lisi_label"] = ((labels - lisi(distance, index, label, 30))
                         / (labels - 1))
    out["silhouette_batch"], out["silhouette_label"] = silhouettes(
        x, batch, label, metric)
    out["leiden_ari"], out["leiden_nmi"] = leiden(index[:, :24],
                                                  distance[:, :24], label)
    out["map"] = mean_precision(x, batch, label, metric)
    return {k: float(v) for k, v in out.items()}


def make_scores():
    from importlib.metadata import version
    points = np.loadtxt(HERE / "evaluate_points.csv", delimiter=",")
    out = {"versions": {p: version(p) for p in
                        ["numpy", "scipy", "scikit-learn", "harmonypy",
                         "igraph"]}}
    for metric in ["cosine", "euclidean"]:
        out[metric] = scores(points, metric)
    (HERE / "evaluate_scores.json").write_text(json.dumps(out, indent=2)
                                               + "\n")


if __name__ == "__main__":
    {"points": make_points, "scores": make_scores}[sys.argv[1]]()
