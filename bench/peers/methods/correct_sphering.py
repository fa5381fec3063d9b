"""Sphering by pycytominer: whitening by the negative controls, or by all profiles
where none are named.  --set epsilon=E: what is added to the variances.

needs: pycytominer==1.7.1 h5py
"""
import adapter
import pandas as pd
from pycytominer.operations import Spherize


def correct(x, batch, job):
    spherize = Spherize(epsilon=float(job.options["epsilon"]), method="ZCA",
                        return_numpy=True)
    x = pd.DataFrame(x.astype(float))
    spherize.fit(x if job.control is None else x[job.control])
    return spherize.transform(x)


if __name__ == "__main__":
    adapter.main(correct, "pycytominer")
