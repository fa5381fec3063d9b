"""Harmony (Korsunsky et al., Nature Methods 16, 2019) by harmonypy, on 50 principal
components.  Seeded.

needs: harmonypy==2.1.0 pandas h5py
"""
import adapter
import pandas as pd
from harmonypy import run_harmony


def correct(x, batch, job):
    meta = pd.DataFrame({"batch": batch.astype(str)})
    found = run_harmony(adapter.components(x).astype(float), meta, "batch",
                        random_state=job.seed, ncores=job.cores, verbose=False)
    z = found.Z_corr
    return z if z.shape[0] == len(x) else z.T


if __name__ == "__main__":
    adapter.main(correct, "harmonypy")
