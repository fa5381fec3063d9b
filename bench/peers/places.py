#!/usr/bin/env python3
"""Where points lie in UMAPs: usage places.py RESULT.h5ad...  One list of rows as JSON:
x and y of at most 600 points, from 0 to 999, with their batches and labels."""
import json
import pathlib
import sys

import h5py
import numpy as np
import umap

MOST = 600


def places(path):
    with h5py.File(path) as f:
        x = f["X"][()]
        batch, label = (f[f"obs/{c}/codes"][()] for c in ("batch", "label"))
    at = umap.UMAP(metric="cosine", random_state=0).fit_transform(x)
    low, high = np.percentile(at, [1, 99], axis=0)
    at = np.clip((at - low) / np.maximum(high - low, 1e-12), 0, 1) * 999
    shown = np.sort(np.random.default_rng(0).permutation(len(x))[:MOST])
    row = {"x": at[shown, 0], "y": at[shown, 1], "batch": batch[shown],
           "label": label[shown]}
    return {"method": path.name.split(".")[0]} | {
        key: " ".join(str(int(v)) for v in values) for key, values in row.items()}


print(json.dumps([places(pathlib.Path(p)) for p in sys.argv[1:]]))
