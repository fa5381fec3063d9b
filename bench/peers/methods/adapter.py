"""What the adapters share.  A method is one function

    correct(x, batch, job) -> matrix, or a sparse graph of the profiles

of x, float32 [points, features], and the batch of each point, numbered from 0; job
has what some methods ask for.  main() makes a program of it:

    METHOD.py IN.h5ad OUT.h5ad [--seed S] [--cores N] [--set NAME=VALUE]...

which reads 'X', obs 'batch' and obs 'control', writes the columns of obs beside the
result as 'X' (a graph: obsp 'connectivities'), and ends with one line of JSON: the
seconds that the function took, the peak memory of the process, the version.
"""
import argparse
import importlib.metadata
import json
import re
import time

import h5py
import numpy as np


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("source")
    p.add_argument("result")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--cores", type=int, default=1)
    p.add_argument("--set", action="append", default=[])
    job = p.parse_args()
    job.options = dict(o.split("=", 1) for o in job.set)
    return job


def components(x, most=50):
    """Principal components of centred features, for methods that start there."""
    x = x - x.mean(0)
    _, vectors = np.linalg.eigh(x.T @ x)
    return np.ascontiguousarray(x @ vectors[:, ::-1][:, :most])


def read(path):
    """The matrix, the number of each point's batch, which points are controls."""
    with h5py.File(path, "r") as f:
        x, obs = f["X"][()].astype(np.float32), f["obs"]
        control = obs["control"][()] if "control" in obs else None
        return x, obs["batch/codes"][()].astype(int), control


def encode(element, kind, version):
    element.attrs["encoding-type"], element.attrs["encoding-version"] = kind, version


def write(source, path, found):
    with h5py.File(source, "r") as old, h5py.File(path, "w") as f:
        encode(f, "anndata", "0.1.0")
        old.copy("obs", f)
        width = old["X"].shape[1] if hasattr(found, "tocsr") else found.shape[1]
        var = f.create_group("var")
        encode(var, "dataframe", "0.2.0")
        var.attrs["_index"] = "_index"
        var.attrs["column-order"] = np.array([], dtype=h5py.string_dtype())
        var["_index"] = np.array([f"f{i}" for i in range(width)],
                                 dtype=h5py.string_dtype())
        if not hasattr(found, "tocsr"):
            f["X"] = np.asarray(found, dtype=np.float32)
            encode(f["X"], "array", "0.2.0")
            return
        graph, at = found.tocsr(), f.create_group("obsp/connectivities")
        encode(f["obsp"], "dict", "0.1.0")
        encode(at, "csr_matrix", "0.1.0")
        at.attrs["shape"] = graph.shape
        for name in ("data", "indices", "indptr"):
            at[name] = getattr(graph, name)


def peak_mib():
    """Of this process alone: what getrusage() says includes who started it."""
    with open("/proc/self/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) / 1024


def say(seconds, peak, version):
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "version": version}))


def main(correct, package):
    job = arguments()
    x, batch, job.control = read(job.source)
    start = time.perf_counter()
    found = correct(x, batch, job)
    seconds = time.perf_counter() - start
    if not hasattr(found, "tocsr") and not np.isfinite(found).all():
        raise SystemExit("the result has values that are not finite")
    write(job.source, job.result, found)
    said = "" if package is None else importlib.metadata.version(package)
    say(seconds, peak_mib(), f"{package} {said}" if package else
        f"numpy {np.__version__}")
