"""The main command: readable by anndata, the same bytes on any number of ranks
and threads.

usage: test_correct.py PROGRAM DATA LAUNCHER...

DATA is "demo" for a synthetic file, or a folder with real ones; where that is
not there the test is skipped.
"""
import pathlib
import subprocess
import sys
import tempfile

from common import SKIP, Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[3:])
data = sys.argv[2]
here = pathlib.Path(__file__).parent

# File, options of the run, options of check_anndata.py.
REAL = [
    ("varchamp_b20_21.h5ad", ["--batch", "batch", "--save-affinity"],
     ["--affinity", "--pca", "50"]),
    ("cmqtl_crispri.h5ad", ["--batch", "batch", "--config", "paper",
                            "--sparsify", "scale", "--neighbors", "5%",
                            "--keep-original"],
     ["--original", "--pca", "50"]),
    ("anndata-v0.7.0.h5ad", ["--batch", "obs_cat", "--neighbors", "3"], []),
    ("anndata-v0.7.0.h5ad", ["--batch", "int64", "--matrix", "obsm/array",
                             "--pca", "4", "--save-affinity"],
     ["--matrix", "obsm/array", "--pca", "4", "--affinity"]),
]
DEMO = [
    ("demo.h5ad", ["--batch", "batch", "--save-affinity", "--pca", "8"],
     ["--affinity", "--pca", "8"]),
    ("demo.h5ad", ["--batch", "batch", "--config", "paper", "--uncovered",
                   "keep", "--max-landmarks", "7", "--scale", "none", "--pca",
                   "0"],
     []),
]


def contents(path):
    """Every dataset and attribute outside uns/balans/run, by name."""
    found = {}

    def visit(name, item):
        if name.startswith("uns/balans/run"):
            return
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]
        for key, value in item.attrs.items():
            if not isinstance(value, h5py.Reference):
                found[f"{name}@{key}"] = value

    with h5py.File(path, "r") as f:
        f.visititems(visit)
    return found


def same(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.hasobject:
        return a.tolist() == b.tolist() or str(a) == str(b)
    return a.tobytes() == b.tobytes()


def check_equal(what, first, other):
    t.check(set(first) == set(other),
            f"{what}: elements {set(first) ^ set(other)}")
    for name in set(first) & set(other):
        t.check(same(first[name], other[name]), f"{what}: {name} differs")


def check_anndata(source, output, options):
    run = subprocess.run([sys.executable, here / "check_anndata.py", source,
                          output, *options], capture_output=True, text=True)
    if run.returncode == SKIP:
        print("not read in anndata:", run.stdout.strip())
        return
    t.check(run.returncode == 0, f"{output.name} in anndata: {run.stdout}"
                                 f"{run.stderr[-500:]}")


def check_file(source, options, how, folder):
    first = None
    for ranks, threads in [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (2, 2)]:
        output = folder / f"out-{ranks}-{threads}.h5ad"
        run = t.works("correct", source, output, *options, "--threads",
                      threads, "--force", "-v", ranks=ranks)
        t.check("not given back" not in run.stderr, f"memory: {run.stderr}")
        if run.returncode != 0:
            return
        now = contents(output)
        if first is None:
            first = now
            check_anndata(source, output, how)
        check_equal(f"{source.name} {options} on {ranks} x {threads}", first,
                    now)


def check_quiet(source, folder):
    run = t.works("correct", source, folder / "quiet.h5ad", "--batch", "batch",
                  "-q", ranks=2)
    t.check(run.stdout == "" and run.stderr == "", f"-q: {run}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cases, files = REAL, pathlib.Path(data)
        if data == "demo":
            cases, files = DEMO, folder
            t.works("simulate", folder / "demo.h5ad", "--points", 700,
                    "--dims", 24, "--clusters", 12, "--batches", 4)
            check_quiet(folder / "demo.h5ad", folder)
        for file, options, how in cases:
            if (files / file).exists():
                check_file(files / file, options, how, folder)
            else:
                print("not there:", file)
    if t.checks == 0:
        print("skipped: no real data")
        sys.exit(SKIP)
    t.end()


main()
