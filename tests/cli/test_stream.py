"""The same bytes whether the matrix is in memory or read again for every sweep,
on any number of ranks, from a dense, compressed or sparse input.

usage: test_stream.py PROGRAM LAUNCHER...
"""
import json
import pathlib
import shutil
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])
RUNS = [
    ["--config", "paper", "--passes", 2, "--pca", 8, "--save-affinity"],
    ["--passes", 2, "--pca", 8, "--blend", 0.5, "--keep-original"],
]


def sparse(group, values, by_row):
    """Stores the values as a sparse matrix."""
    order = values if by_row else values.T
    group.attrs["encoding-type"] = "csr_matrix" if by_row else "csc_matrix"
    group.attrs["encoding-version"] = "0.1.0"
    group.attrs["shape"] = np.array(values.shape)
    where = [np.flatnonzero(line) for line in order]
    group["data"] = np.concatenate([order[i, w] for i, w in enumerate(where)])
    group["indices"] = np.concatenate(where).astype("i4")
    group["indptr"] = np.cumsum([0] + [len(w) for w in where]).astype("i4")


def make_inputs(folder):
    """The same matrix, a third of it zeros, in every form."""
    dense = folder / "dense.h5ad"
    t.works("simulate", dense, "--points", 1700, "--dims", 20, "--batches", 4)
    with h5py.File(dense, "r+") as f:
        values = f["X"][()].astype("f4")
        values[np.abs(values) < np.quantile(np.abs(values), 1 / 3)] = 0
        f["X"][...] = values
    for form in ("gzip", "csr", "csc"):
        path = folder / f"{form}.h5ad"
        shutil.copy(dense, path)
        with h5py.File(path, "r+") as f:
            attributes = dict(f["X"].attrs)
            del f["X"]
            if form == "gzip":
                f.create_dataset("X", data=values, chunks=(100, 7),
                                 compression="gzip", shuffle=True)
                f["X"].attrs.update(attributes)
            else:
                sparse(f.create_group("X"), values, form == "csr")
    return [folder / f"{form}.h5ad" for form in ("dense", "gzip", "csr", "csc")]


def contents(path, apart=("uns/balans/run", "uns/balans/input",
                          "layers/original")):
    """The bytes of every dataset; what is left out describes the input, or
    the run."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith(apart):
            found[name] = (str(item[()]) if item.dtype == object
                           else np.asarray(item[()]).tobytes())

    with h5py.File(path, "r") as f:
        f.visititems(note)
    return found


def run(folder, path, options, stream, ranks):
    out, report = folder / "out.h5ad", folder / "run.json"
    t.works("correct", path, out, "--batch", "batch", "--block", 10, "--force",
            "-q", "--memory-per-rank", "1M", "--stream", stream, "--report",
            report, *options, ranks=ranks)
    said = json.loads(report.read_text())
    t.check(said["streamed"] == (stream == "on"),
            f"--stream {stream}: streamed is {said['streamed']}")
    return contents(out)


def check(folder, inputs, options):
    wanted = run(folder, inputs[0], options, "off", 1)
    for path in inputs:
        for stream in ("off", "on"):
            for ranks in (1, 2, 3):
                got = run(folder, path, options, stream, ranks)
                bad = [k for k in wanted.keys() | got.keys()
                       if wanted.get(k) != got.get(k)]
                t.check(not bad, f"{options} {path.name} --stream {stream} on "
                                 f"{ranks}: differs in {bad[:5]}")


def check_left(folder):
    """Changed rows leave nothing beside the output."""
    left = [p.name for p in folder.iterdir()
            if p.suffix not in (".h5ad", ".json")]
    t.check(not left, f"left {left}")


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    files = make_inputs(where)
    for case in RUNS:
        check(where, files, case)
    check_left(where)
t.end()
