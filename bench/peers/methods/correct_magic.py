"""MAGIC (van Dijk et al., Cell 174, 2018): smoothing over a graph of all profiles, which
knows of no batches.  Seeded.

needs: magic-impute==3.0.0 numpy<2 h5py
"""
import adapter
from magic import MAGIC


def correct(x, batch, job):
    return MAGIC(random_state=job.seed, n_jobs=job.cores, verbose=0,
                 n_pca=min(100, x.shape[1] - 1)).fit_transform(x)


if __name__ == "__main__":
    adapter.main(correct, "magic-impute")
