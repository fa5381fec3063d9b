"""Scanorama (Hie et al., Nature Biotechnology 37, 2019), on 50 principal components as
scanpy calls it.

needs: scanorama==1.7.4 h5py
"""
import adapter
import numpy as np
from scanorama import assemble


def correct(x, batch, job):
    np.random.seed(job.seed)
    z = adapter.components(x)
    rows = [np.flatnonzero(batch == b) for b in np.unique(batch)]
    moved = assemble([z[r] for r in rows], verbose=0, batch_size=5000)
    z[np.concatenate(rows)] = np.concatenate(moved)
    return z


if __name__ == "__main__":
    adapter.main(correct, "scanorama")
