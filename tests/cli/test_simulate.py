"""Synthetic data: the same bytes on any number of ranks, first rows that do not
depend on how many follow, and what each option promises.

usage: test_simulate.py PROGRAM LAUNCHER...
"""
import json
import pathlib
import sys
import tempfile
import warnings

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])


class File:
    """What the program wrote."""

    def __init__(self, path):
        with h5py.File(path, "r") as f:
            self.x = f["X"][()]
            self.truth = f["layers/truth"][()] if "truth" in f["layers"] else None
            self.batch, self.batches = self.column(f, "batch")
            self.label, self.labels = self.column(f, "label")
            self.index = f["obs/_index"].asstr()[()]
            self.features = f["var/_index"].asstr()[()]

    @staticmethod
    def column(f, name):
        return (f[f"obs/{name}/codes"][()],
                list(f[f"obs/{name}/categories"].asstr()[()]))


def make(folder, name, *options, ranks=1):
    path = folder / f"{name}.h5ad"
    t.works("simulate", path, *options, "--quiet", ranks=ranks)
    t.check(sorted(p.name for p in folder.glob("*.partial")) == [],
            f"{name}: a partial file is left")
    return path


def check_bytes(folder):
    options = ["--points", 1013, "--dims", 7, "--clusters", 130, "--batches", 3,
               "--missing", 0.4, "--confounded", 0.5, "--nested", "--outliers",
               0.05, "--truth", "--seed", 5]
    first = make(folder, "bytes1", *options).read_bytes()
    for ranks in (2, 3, 4):
        now = make(folder, f"bytes{ranks}", *options, ranks=ranks)
        t.check(now.read_bytes() == first, f"other bytes on {ranks} ranks")
    few = [make(folder, f"few{n}", "--points", 2, "--dims", 1, ranks=n)
           for n in (1, 4)]
    t.check(few[0].read_bytes() == few[1].read_bytes(), "2 points on 4 ranks")
    other = make(folder, "seed", *options[:-1], 6)
    t.check((File(other).x != File(folder / "bytes1.h5ad").x).all(),
            "another seed, equal values")


def check_prefix(folder):
    options = ["--dims", 6, "--clusters", 40, "--batches", 4, "--missing", 0.5,
               "--outliers", 0.1, "--truth"]
    small = File(make(folder, "small", "--points", 500, *options))
    large = File(make(folder, "large", "--points", 2345, *options, ranks=3))
    n = len(small.x)
    for what in ("x", "truth", "batch", "label", "index"):
        t.check(np.array_equal(getattr(small, what), getattr(large, what)[:n]),
                f"the first rows differ in {what}")
    t.check(small.batches == large.batches and small.labels == large.labels,
            "the names differ")


def check_content(folder):
    f = File(make(folder, "plain", "--points", 20000, "--clusters", 12,
                  "--batches", 11, "--dims", 3))
    t.check(f.x.shape == (20000, 3) and f.x.dtype == np.float32
            and np.isfinite(f.x).all() and f.truth is None, "X")
    t.check(f.batches == [f"batch_{i:02}" for i in range(11)], f.batches)
    t.check(f.labels == [f"cluster_{i:02}" for i in range(12)], f.labels)
    t.check(list(f.index) == [str(i) for i in range(20000)], "names of points")
    t.check(list(f.features) == ["f0", "f1", "f2"], "names of features")
    size = np.bincount(f.label, minlength=12)
    t.check(size.min() > 0 and size.max() > 1.5 * size.min(),
            f"clusters of {size} points")
    t.check(np.bincount(f.batch, minlength=11).min() > 0, "an empty batch")
    for clusters, kind in ((126, "i1"), (127, "i2"), (32767, "i4")):
        g = File(make(folder, f"k{clusters}", "--points", 10, "--dims", 1,
                      "--clusters", clusters))
        t.check(g.label.dtype == kind, f"{clusters} clusters: {g.label.dtype}")


def check_missing(folder):
    for share, clusters, batches in ((0.3, 10, 5), (0.75, 8, 4), (0.5, 40, 60)):
        f = File(make(folder, f"missing{clusters}", "--points", 30000, "--dims",
                      1, "--clusters", clusters, "--batches", batches,
                      "--missing", share))
        seen = np.zeros((batches, clusters), bool)
        seen[f.batch, f.label] = True
        t.check((seen.sum(1) == clusters - round(share * clusters)).all(),
                f"--missing {share}: batches have {seen.sum(1)} clusters")
        t.check(seen.any(0).all(), f"--missing {share}: a cluster is nowhere")


def check_confounded(folder):
    """A point is in its cluster's home with this probability, and elsewhere as
    without."""
    options = ["--points", 30000, "--dims", 1, "--clusters", 12, "--batches",
               4, "--seed", 2]
    plain = File(make(folder, "even", *options))
    every = File(make(folder, "every", *options, "--confounded", 1))
    home = np.array([np.bincount(every.batch[every.label == c], minlength=4)
                     for c in range(12)])
    t.check(((home > 0).sum(1) == 1).all(), f"more than one home: {home}")
    t.check((np.bincount(home.argmax(1), minlength=4) == 3).all(),
            f"homes are not shared out: {home}")
    for share in (0.3, 0.8):
        f = File(make(folder, f"some{share}", *options, "--confounded", share))
        at_home = (f.batch == every.batch).mean()
        t.check(abs(at_home - (share + (1 - share) / 4)) < 0.01,
                f"--confounded {share}: {at_home} are at home")
        stays = f.batch == plain.batch
        t.check(np.array_equal(f.label, plain.label)
                and (f.batch == every.batch)[~stays].all()
                and np.array_equal(f.x[stays], plain.x[stays]),
                f"--confounded {share} changes more than batches")


def check_nested(folder):
    options = ["--points", 4000, "--dims", 20, "--clusters", 12, "--batches",
               9, "--truth"]
    plain = File(make(folder, "flat", *options))
    path = make(folder, "nested", *options, "--nested")
    f = File(path)
    with h5py.File(path, "r") as h:
        source = h["obs/source/codes"][()]
        names = list(h["obs/source/categories"].asstr()[()])
    t.check(names == ["source_0", "source_1", "source_2"]
            and np.array_equal(source, f.batch // 3), f"sources {names}")
    t.check(np.array_equal(f.truth, plain.truth)
            and np.array_equal(f.batch, plain.batch), "--nested moves points")
    off = np.array([(f.x - f.truth)[f.batch == b].mean(0) for b in range(9)])
    sources = off.reshape(3, 3, -1).mean(1)
    t.check(sources.var(0).sum() > off.reshape(3, 3, -1).var(1).sum(1).mean(),
            "sources differ less than their batches")
    check_columns(folder, path)


def score(path, column):
    said = path.with_suffix(".json")
    said.unlink(missing_ok=True)
    t.works("evaluate", path, "--batch", column, "--label", "label", "--json",
            said)
    scores = json.loads(said.read_text())["matrices"]["X"]["scores"]
    return scores["avg_all"], scores["map"]


def check_columns(folder, path):
    """Coarse to fine removes both effects better than either column alone."""
    found = {}
    for columns in ("source", "batch", "source,batch"):
        out = folder / "out.h5ad"
        t.works("correct", path, out, "--batch", columns, "--force", "-q")
        found[columns] = np.array([score(out, c) for c in ("source", "batch")])
    both = found.pop("source,batch")
    for columns, alone in found.items():
        t.check((both > alone).all(), f"{columns} {alone}, both {both}")
    first = File(out).x
    for ranks in (2, 3):
        t.works("correct", path, out, "--batch", "source,batch", "--force",
                "-q", ranks=ranks)
        t.check(np.array_equal(File(out).x, first),
                f"two columns: other bytes on {ranks} ranks")


def check_outliers(folder):
    options = ["--points", 20000, "--dims", 4, "--truth", "--seed", 3]
    f = File(make(folder, "calm", *options))
    g = File(make(folder, "wild", *options, "--outliers", 0.02))
    changed = (f.x != g.x).any(1)
    t.check(abs(changed.mean() - 0.02) < 0.004,
            f"{changed.mean()} of the points are wild")
    t.check((np.abs(f.x - g.x)[changed] > 25).all(), "wild points are too calm")
    t.check(np.array_equal(f.truth, g.truth), "the truth is wild")
    plain = File(make(folder, "untold", *options[:4], "--seed", 3))
    t.check(np.array_equal(plain.x, f.x), "--truth changes X")


def same_batch(x, batch, k=15):
    """Share of the nearest neighbours that are of the same batch."""
    x = (x.astype(float) - x.mean(0)) / x.std(0)
    square = (x ** 2).sum(1)
    apart = square[:, None] + square - 2 * x @ x.T
    np.fill_diagonal(apart, np.inf)
    near = np.argpartition(apart, k, axis=1)[:, :k]
    return (batch[near] == batch[:, None]).mean()


def check_use(folder):
    path = make(folder, "use", "--points", 2000, "--truth", "--batches", 4)
    t.works("correct", path, folder / "used.h5ad", "--batch", "batch", "-q")
    f, g = File(path), File(folder / "used.h5ad")
    before, after = same_batch(f.x, f.batch), same_batch(g.x, f.batch)
    t.check(before > 0.75, f"{before} of neighbours share the batch")
    t.check(same_batch(f.truth, f.batch) < 0.35, "the truth has batches")
    t.check(after < before - 0.2, f"before {before}, corrected {after}")


def check_anndata(folder):
    try:
        import anndata
    except ImportError:
        print("not checked: anndata")
        return
    warnings.simplefilter("ignore")
    path = make(folder, "read", "--points", 300, "--truth")
    a, f = anndata.read_h5ad(path), File(path)
    t.check(list(a.obs.columns) == ["batch", "label"]
            and a.obs["batch"].dtype == "category"
            and not a.obs["batch"].cat.ordered, f"obs is {a.obs.dtypes}")
    t.check(list(a.obs_names) == list(f.index)
            and list(a.var_names) == list(f.features), "indices")
    t.check(np.array_equal(a.X, f.x)
            and np.array_equal(a.layers["truth"], f.truth), "values")
    t.check(list(a.obs["label"]) == [f.labels[c] for c in f.label], "labels")
    t.check(a.uns["balans"]["simulation"]["points"] == 300, "provenance")
    a.write(folder / "again.h5ad")


def check_usage(folder):
    path = folder / "never.h5ad"
    for name in ("points", "dims", "clusters", "batches"):
        for wrong in ("0", "2.5"):
            t.fails(2, [f"--{name}", wrong], "simulate", path, f"--{name}",
                    wrong)
    t.fails(2, ["--confounded", "1.1"], "simulate", path, "--confounded", 1.1)
    for name in ("missing", "outliers"):
        for wrong in ("-0.1", "1"):
            t.fails(2, [f"--{name}", wrong], "simulate", path, f"--{name}",
                    wrong)
    t.fails(2, ["--missing", "0.5"], "simulate", path, "--missing", 0.5,
            "--batches", 1, ranks=2)
    t.fails(2, ["--missing", "0.99"], "simulate", path, "--missing", 0.99)
    t.fails(2, ["OUTPUT.h5ad"], "simulate", "--points", 10)
    t.fails(2, ["--cluster"], "simulate", path, "--cluster", 3)
    t.check(not path.exists(), "a file after wrong usage")


def check_output(folder):
    path = make(folder, "there", "--points", 20)
    before = path.read_bytes()
    for ranks in (1, 3):
        t.fails(1, ["there.h5ad", "--force"], "simulate", path, ranks=ranks)
    t.fails(1, ["no folder"], "simulate", folder / "none" / "a.h5ad")
    t.check(path.read_bytes() == before, "an existing file was changed")
    t.works("simulate", path, "--points", 21, "--force", "-q")
    t.check(len(File(path).x) == 21, "--force does not overwrite")
    for point in ("create", "write", "finish"):
        for rank in (0, 2):
            t.fails(1, [point, f"rank {rank}"], "simulate", folder / "f.h5ad",
                    ranks=3, env={"BAL_FAULT": f"{point}:{rank}"})
    t.check(not list(folder.glob("f.h5ad*")), "a file after a failure")


def main():
    for check in (check_bytes, check_prefix, check_content, check_missing,
                  check_confounded, check_nested, check_outliers, check_use,
                  check_anndata, check_usage, check_output):
        with tempfile.TemporaryDirectory() as name:
            check(pathlib.Path(name))
    t.end()


main()
