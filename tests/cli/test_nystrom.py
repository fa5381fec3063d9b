"""--estimator nystrom from file to file: the dense formula, what the run says
about itself, and nearly the same values on any number of ranks.

usage: test_nystrom.py PROGRAM LAUNCHER...
"""
import json
import pathlib
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

RCOND = 0.1
NYSTROM = ["--config", "paper", "--estimator", "nystrom"]
t = Tests(sys.argv[1], sys.argv[2:])


def read(path, name="X"):
    with h5py.File(path, "r") as f:
        return f[name][()].astype(float)


def affinities(path):
    """A, dense, and its landmarks."""
    with h5py.File(path, "r") as f:
        g = f["uns/balans/affinity"]
        a = np.zeros(g.attrs["shape"])
        start, column = g["indptr"][()], g["indices"][()]
        for i in range(len(a)):
            run = slice(start[i], start[i + 1])
            a[i, column[run]] = g["data"][run]
        return a, f["uns/balans/landmarks"][()]


def dense(path, x):
    """The corrected profiles, and what the report should say."""
    a, landmarks = affinities(path)
    w = a[:, landmarks]
    value, q = np.linalg.eigh((w + w.T) / 2)
    kept = value > RCOND * value[-1]
    k = a.T @ (q[:, kept] / value[kept] @ q[:, kept].T) @ a
    total = k.sum(1)
    share = a / a.sum(1, keepdims=True)
    smooth = (share.T / share.T.sum(1, keepdims=True)) @ (share @ x)
    slack = 1e-6 * (x.max(0) - x.min(0))
    with np.errstate(all="ignore"):
        out = k @ x / total[:, None]
    falls = ((total <= 1e-6) | (out < x.min(0) - slack).any(1)
             | (out > x.max(0) + slack).any(1))
    out[falls] = smooth[falls]
    return out, {"landmarks": len(landmarks), "rank_kept": kept.sum(),
                 "largest_eigenvalue": value[-1],
                 "smallest_eigenvalue": value[0],
                 "share_negative": (value < 0).mean(),
                 "fallbacks": falls.sum()}


def check_report(said, wanted, where):
    for key, value in wanted.items():
        t.check(key in said and abs(said[key] - value) < 1e-6,
                f"{where}: {key} is {said.get(key)}, not {value}")


def check_formula(source, folder):
    x, first = read(source), None
    width = x.max(0) - x.min(0)
    for ranks in (1, 2, 3, 4):
        out, report = folder / f"out{ranks}.h5ad", folder / f"r{ranks}.json"
        run = t.works("correct", source, out, "--batch", "batch",
                      *NYSTROM, "--save-affinity", "-v",
                      "--report", report, ranks=ranks)
        if run.returncode != 0:
            return
        t.check("eigenvalues kept; largest" in run.stderr
                and "fell back" in run.stderr, f"-v says {run.stderr}")
        if first is None:
            first, wanted = dense(out, x)
        off = np.abs(read(out) - first) / width
        t.check(off.max() < 1e-6, f"{ranks} ranks: off by {off.max()}")
        said = json.loads(report.read_text())["nystrom"]
        check_report(said, wanted, f"report of {ranks} ranks")
        with h5py.File(out, "r") as f:
            check_report({k: v[()] for k, v
                          in f["uns/balans/run/nystrom"].items()},
                         wanted, f"uns of {ranks} ranks")


def check_same_ranks(source, folder):
    """On equal numbers of ranks, the same bytes: with passes and threads too."""
    options = ["--batch", "batch", *NYSTROM, "--passes", "2"]
    for ranks in (1, 3):
        both = []
        for turn, threads in enumerate((1, 2)):
            out = folder / f"same{ranks}-{turn}.h5ad"
            t.works("correct", source, out, *options, "--threads", threads,
                    ranks=ranks)
            both.append(read(out).tobytes())
        t.check(both[0] == both[1], f"{ranks} ranks: two runs differ")


def check_limits(source, folder):
    t.fails(1, ["affinities between landmarks", "allowed",
                "--memory-per-rank"],
            "correct", source, folder / "none.h5ad", "--batch", "batch",
            *NYSTROM, "--patience", "1000000",
            "--max-landmarks", "400", "--memory-per-rank", "1M", "-q",
            ranks=2)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "demo.h5ad"
        t.works("simulate", source, "--points", 700, "--dims", 24)
        check_formula(source, folder)
        check_same_ranks(source, folder)
        check_limits(source, folder)
    t.end()


main()
