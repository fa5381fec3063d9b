"""Models: fitted once, applied to new plates.

usage: test_apply.py PROGRAM LAUNCHER...
"""
import pathlib
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402
from h5ad import names, profiles, write  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])


def simulate(path, points, batches, seed=0, dims=30):
    t.works("simulate", path, "--points", points, "--dims", dims,
            "--clusters", 5, "--batches", batches, "--seed", seed, "-q",
            "--force")
    return path


def gap(a, b, unit):
    """Largest difference in standard deviations of a feature."""
    return float(np.max(np.abs(a.astype(float) - b) / unit.std(axis=0)))


def fit(source, model, *options, ranks=1):
    return t.works("fit", source, model, "--batch", "batch", "--force", "-q",
                   *options, ranks=ranks)


def apply(model, source, output, *options, ranks=1):
    run = t.works("apply", model, source, output, "--force", *options,
                  ranks=ranks)
    return run.stderr if run.returncode == 0 else None


# What it is applied to is what it was fitted to.

def check_same_data(folder):
    data = simulate(folder / "same.h5ad", 1380, 3)
    x = profiles(data)
    model, want, got = (folder / n for n in ("same.h5", "c.h5ad", "a.h5ad"))
    cases = [(["--trust", "off"], 1e-5), (["--trust", "on"], 1e-5),
             (["--trust", "strict"], 1e-5),
             (["--trust", "off", "--gate", "1.5"], 1e-5),
             (["--trust", "off", "--pca", "0"], 1e-5),
             (["--trust", "off", "--landmarks", "200", "--blend", "0.25"],
              1e-5),
             (["--config", "paper"], 1e-5)]
    for i, (options, bound) in enumerate(cases):
        t.works("correct", data, want, "--batch", "batch", "--force", "-q",
                "--save-model", model, *options)
        apply(model, data, got, "-q", ranks=1 + i % 4)
        far = gap(profiles(want), profiles(got), x)
        t.check(far <= bound, f"{options} on the same data: {far} sd")
        moved = gap(profiles(want), x, x)
        t.check(moved > 0.1, f"{options}: nothing moved ({moved} sd)")
    t.works("correct", data, want, "--batch", "batch", "--force", "-q",
            "--landmarks", "300", "--save-model", model)
    apply(model, data, got, "-q", ranks=2)
    a, b = profiles(want).astype(float), profiles(got)
    share = (np.median(np.linalg.norm(a - b, axis=1)) /
             np.median(np.linalg.norm(a - x, axis=1)))
    t.check(share < 0.1, f"with trust and few landmarks: {share} of a move")


def check_fit(folder, data):
    """The model does not depend on ranks, nor on whether there is output."""
    first = folder / "m1.h5"
    fit(data, first)
    for ranks in (2, 3, 4):
        fit(data, folder / "m.h5", ranks=ranks)
        t.check((folder / "m.h5").read_bytes() == first.read_bytes(),
                f"another model on {ranks} ranks")
    t.works("correct", data, folder / "o.h5ad", "--batch", "batch", "-q",
            "--save-model", folder / "m.h5", "--force")
    t.check((folder / "m.h5").read_bytes() == first.read_bytes(),
            "another model with correct")
    said = t.works("fit", data, folder / "m.h5", "--batch", "batch",
                   "--force").stderr
    t.check("m.h5' in" in said.split("\n")[-2], f"no last line: {said}")
    said = t.works("fit", data, folder / "d.h5", "--batch", "batch",
                   "--dry-run").stdout
    t.check("forecast" in said and not (folder / "d.h5").exists(),
            f"dry run: {said}")
    said = t.works("info", first, ranks=2).stdout
    for word in ("features         30: f0,", "residual", "batch_0",
                 "neighbors"):
        t.check(word in said, f"info: no {word!r} in {said}")
    t.fails(1, ["m1.h5"], "fit", data, first, "--batch", "batch")
    t.fails(2, ["the input", "the model"], "fit", data, data, "--batch",
            "batch", "--force")
    return first


def check_ranks(folder, model, data):
    first = None
    for ranks, options in [(1, []), (2, []), (3, []), (4, []),
                           (1, ["--threads", 2]), (2, ["--stream", "on"]),
                           (1, ["--memory-per-rank", "2M"])]:
        out = folder / "ranks.h5ad"
        apply(model, data, out, "-q", *options, ranks=ranks)
        now = [profiles(out, n).tobytes() for n in ("X",
                                                    "obs/balans_coverage")]
        first = first or now
        t.check(now == first, f"other bytes on {ranks} ranks, {options}")
    with h5py.File(out, "r") as f:
        t.check("landmarks" not in f["uns/balans"] and
                "model" in f["uns/balans"], f"uns: {list(f['uns/balans'])}")
        t.check(f["X"].dtype == np.float32, "X is not float32")


def check_order(folder, model, data):
    """Rows in another order, or whole batches in files of their own."""
    x, batch = profiles(data), names(data)
    out = folder / "order.h5ad"
    apply(model, data, out, "-q")
    whole = profiles(out)
    t.check(gap(whole, x, x) > 0.01, "nothing moved")
    order = np.random.default_rng(1).permutation(len(x))
    apply(model, write(folder / "p.h5ad", x[order], batch[order]), out, "-q")
    far = gap(profiles(out), whole[order], x)
    t.check(far <= 1e-5, f"rows in another order: {far} sd")
    for name in sorted(set(batch)):
        one = batch == name
        apply(model, write(folder / "p.h5ad", x[one], batch[one]), out, "-q",
              ranks=2)
        far = gap(profiles(out), whole[one], x)
        t.check(far <= 1e-5, f"batch {name} by itself: {far} sd")


def check_large(folder, model, data):
    """Of a batch of more than 500 points 500 stand for it, drawn by their
    places: rows in another order agree to a tenth of a move."""
    x = profiles(data)
    order = np.random.default_rng(3).permutation(len(x))
    out = folder / "large-out.h5ad"
    apply(model, write(folder / "p.h5ad", x, ["one"] * len(x)), out, "-q")
    whole = profiles(out).astype(float)
    apply(model, write(folder / "p.h5ad", x[order], ["one"] * len(x)), out,
          "-q")
    far = np.linalg.norm(profiles(out) - whole[order], axis=1)
    move = np.linalg.norm(whole - x, axis=1)
    t.check(np.median(far) <= 0.1 * np.median(move),
            f"a large batch in another order: {np.median(far)} of "
            f"{np.median(move)}")


def check_features(folder, model, data):
    x, batch = profiles(data), names(data)
    out = folder / "features.h5ad"
    apply(model, data, out, "-q")
    whole = profiles(out)
    order = np.random.default_rng(2).permutation(x.shape[1])
    label = [f"f{i}" for i in range(x.shape[1])]
    named = [label[i] for i in order]
    path = folder / "q.h5ad"
    apply(model, write(path, x[:, order], batch, named), out, "-q")
    far = gap(profiles(out), whole[:, order], x[:, order])
    t.check(far <= 1e-4, f"features in another order: {far} sd")
    apply(model, write(path, x, batch, label, "float64"), out, "-q", ranks=2)
    t.check(profiles(out).tobytes() == whole.tobytes(), "another dtype")
    write(path, x[:, 2:], batch, label[2:])
    t.fails(1, ["2 of its 30 features", "'f0', 'f1'"], "apply", model, path,
            out, "--force", ranks=2)
    more = np.hstack([x[:, :1] * 3 + 1, x])
    write(path, more, batch, ["extra", *label])
    said = apply(model, path, out)
    t.check(said is not None and "'extra'" in said and "left out" in said,
            f"extra: {said}")
    t.check(profiles(out).tobytes() == whole.tobytes(), "one left out")
    said = apply(model, path, out, "--keep-extra")
    t.check(said is not None and "--keep-extra" in said, f"extra: {said}")
    got = profiles(out)
    t.check(got[:, 0].tobytes() == more[:, 0].tobytes(), "extra was changed")
    far = gap(got[:, 1:], whole, x)
    t.check(far <= 1e-4, f"with a further feature: {far} sd")
    fit(data, folder / "smooth.h5", "--config", "paper")
    t.fails(1, ["'extra'", "smooths", "leave out --keep-extra"], "apply",
            folder / "smooth.h5", path, out, "--force", "--keep-extra")
    t.check(apply(folder / "smooth.h5", path, out) is not None and
            profiles(out).shape == x.shape, "one left out of a smooth model")
    write(path, more, batch, ["f0", *label])
    t.fails(1, ["'f0'", "two"], "apply", model, path, out, "--force")
    t.fails(1, ["have one name", "'f0'"], "fit", path, folder / "n.h5",
            "--batch", "batch")


def add_by_feature(path, names, r):
    """What has an axis of features, of each kind."""
    d = len(names)
    text = h5py.string_dtype()
    with h5py.File(path, "a") as f:
        n = len(f["X"])
        f.create_dataset("layers/a", data=r.normal(size=(n, d)), chunks=(64, d),
                         compression="gzip")
        f.create_dataset("varm/PCs", data=r.normal(size=(d, 3)))
        f.create_dataset("varp/links", data=r.normal(size=(d, d)))
        for group in ("layers", "varm", "varp"):
            f[group].attrs["encoding-type"] = "dict"
            f[group].attrs["encoding-version"] = "0.1.0"
        for name, kind in (("layers/sparse", "csr"), ("varp/sparse", "csc")):
            g = f.create_group(name)
            g.attrs["encoding-type"] = f"{kind}_matrix"
            g.attrs["encoding-version"] = "0.1.0"
            rows = n if name == "layers/sparse" else d
            g.attrs["shape"] = np.array([rows, d])
            g["data"], g["indices"] = np.ones(1), np.zeros(1, "i4")
            g["indptr"] = np.minimum(np.arange(rows + 1), 1)
        v = f["var"]
        v["number"] = v["categories"] = np.arange(d)
        v.create_dataset("word", data=[f"w{i}" for i in range(d)], dtype=text)
        g = v.create_group("kind")
        g.attrs["encoding-type"] = "categorical"
        g.attrs["encoding-version"] = "0.2.0"
        g.attrs["ordered"] = False
        g["codes"] = (np.arange(d) % d).astype("i1")
        g.create_dataset("categories", data=[f"k{i}" for i in range(d)],
                         dtype=text)
        v.attrs.create("column-order",
                       ["number", "word", "kind", "categories"], dtype=text)


def check_left_out(folder, model, data):
    """Further features are gone wherever features have an axis."""
    r = np.random.default_rng(5)
    x, batch = profiles(data), names(data)
    out, path = folder / "left-out.h5ad", folder / "further.h5ad"
    apply(model, data, out, "-q")
    whole = profiles(out)
    label = [f"f{i}" for i in range(x.shape[1])]
    at = [0, 7, 7, x.shape[1]]
    more = np.insert(x, at, np.nan, axis=1)
    named = list(np.insert(np.array(label, dtype=object), at,
                           ["x1", "x2", "x3", "x4"]))
    kept = [i for i, name in enumerate(named) if name[0] == "f"]
    write(path, more, batch, named)
    add_by_feature(path, named, r)
    for ranks in (1, 3):
        said = apply(model, path, out, ranks=ranks)
        t.check(said is not None and "4 features" in said and
                "'x1', 'x2', 'x3', 'x4'" in said and "'layers/sparse'" in said
                and "'varp/sparse'" in said, f"left out: {said}")
        t.check(profiles(out).tobytes() == whole.tobytes(),
                f"four left out, on {ranks} ranks")
    with h5py.File(path, "r") as a, h5py.File(out, "r") as b:
        for name, cut in (("layers/a", lambda m: m[:, kept]),
                          ("varm/PCs", lambda m: m[kept]),
                          ("varp/links", lambda m: m[kept][:, kept]),
                          ("var/_index", lambda m: m[kept]),
                          ("var/number", lambda m: m[kept]),
                          ("var/categories", lambda m: m[kept]),
                          ("var/word", lambda m: m[kept]),
                          ("var/kind/codes", lambda m: m[kept]),
                          ("var/kind/categories", lambda m: m)):
            t.check(np.array_equal(cut(a[name][:]), b[name][:]) and
                    dict(a[name].attrs) == dict(b[name].attrs),
                    f"{name} is {b[name][:5]}")
        t.check(b["layers/a"].compression == "gzip" and
                set(b["layers"]) == {"a"} and set(b["varp"]) == {"links"},
                f"layers {list(b['layers'])}, varp {list(b['varp'])}")
    try:
        import anndata
    except ImportError:
        return
    read = anndata.read_h5ad(out)
    t.check(list(read.var_names) == label and read.shape == x.shape and
            list(read.var["kind"]) == [f"k{i}" for i in kept],
            f"anndata reads {read}")


def check_small(folder, model, data):
    """Batches of 1, 2 or a few points: defined, damped, and told."""
    x, batch = profiles(data), names(data)
    path, out = folder / "small.h5ad", folder / "small-out.h5ad"
    apply(model, data, out, "-q")
    usual = np.linalg.norm(profiles(out).astype(float) - x, axis=1).max()
    for count in (1, 2, 20, 21):
        rows = np.flatnonzero(batch == batch[0])[:count]
        write(path, x[rows], ["fresh"] * count)
        said = apply(model, path, out)
        got = profiles(out)
        apply(model, path, out, "-q", ranks=3)
        t.check(got.tobytes() == profiles(out).tobytes(),
                f"{count} points on 3 ranks")
        t.check(np.isfinite(got).all(), f"{count} points: not finite")
        t.check(said is not None and
                ("fewer than 20 points" in said) == (count < 20),
                f"{count} points: {said}")
        move = np.linalg.norm(got.astype(float) - x[rows], axis=1).max()
        t.check(move <= usual, f"{count} points moved {move}, all {usual}")


def check_new_batch(folder):
    """What is planted in a batch that the fit has not seen is removed."""
    data = simulate(folder / "new.h5ad", 2400, 4, 3)
    x, batch = profiles(data), names(data)
    old = batch != "batch_3"
    model, out = folder / "new.h5", folder / "new-out.h5ad"
    fit(write(folder / "old.h5ad", x[old], batch[old]), model)
    apply(model, write(folder / "p.h5ad", x[~old], batch[~old]), out, "-q")
    t.works("correct", data, folder / "all.h5ad", "--batch", "batch", "-q")

    together = profiles(folder / "all.h5ad")
    before = np.linalg.norm(x[~old].mean(axis=0) - x[old].mean(axis=0))
    after = np.linalg.norm(profiles(out).mean(axis=0) -
                           together[old].mean(axis=0))
    t.check(after < 0.5 * before, f"a new batch: {before} off, then {after}")
    far = x[~old] + 40 * x.std(axis=0)
    said = apply(model, write(folder / "p.h5ad", far, batch[~old]), out)
    t.check(said is not None and "time to fit anew" in said, f"far: {said}")
    said = apply(model, data, out)
    t.check(said is not None and "time to fit anew" not in said,
            f"near: {said}")
    one = batch == "batch_0"
    fit(write(folder / "p.h5ad", x[one], batch[one]), model)
    said = apply(model, folder / "p.h5ad", out)
    t.check(said is not None and "one batch" in said, f"one batch: {said}")


def check_columns(folder, data):
    """Two columns: the model's, in its order."""
    x, batch = profiles(data), names(data)
    path, model = folder / "two.h5ad", folder / "two.h5"
    write(path, x, batch)
    with h5py.File(path, "a") as f:
        half = ["ab"[i % 2] for i in range(len(x))]
        f["obs"].create_dataset("half", data=half, dtype=h5py.string_dtype())
        f["obs"].attrs["column-order"] = ["batch", "half"]
    want, got = folder / "c.h5ad", folder / "a.h5ad"
    t.works("correct", path, want, "--batch", "batch,half", "--trust", "off",
            "--save-model", model, "-q", "--force")
    for ranks in (1, 3):
        apply(model, path, got, "-q", ranks=ranks)
        far = gap(profiles(want), profiles(got), x)
        t.check(far <= 1e-5, f"two columns on {ranks} ranks: {far} sd")
    said = t.works("info", model, ranks=2).stdout
    t.check("batches of 'batch'" in said and "batches of 'half'" in said,
            f"info: {said}")
    t.fails(2, ["2 columns"], "apply", model, path, got, "--force", "--batch",
            "half")


def check_refusals(folder, model, data):
    out, bad = folder / "refused.h5ad", folder / "bad.h5"
    whole = model.read_bytes()
    t.fails(1, ["not a balans model"], "apply", data, data, out, ranks=2)
    t.fails(1, ["no.h5"], "apply", folder / "no.h5", data, out)
    for at in (600, len(whole) // 2, len(whole) - 9):
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        t.fails(1, ["bad.h5", "damaged", "fit it anew"], "apply", bad, data,
                out, ranks=2)
        t.fails(1, ["damaged"], "info", bad)
    bad.write_bytes(whole[:-100])
    t.fails(1, ["truncated"], "apply", bad, data, out)
    t.fails(2, ["the model", "the output"], "apply", model, data, model,
            "--force")
    t.fails(1, ["plate", "not found"], "apply", model, data, out, "--batch",
            "plate")
    t.check(not out.exists(), "an output of a failed run")
    t.check(model.read_bytes() == whole, "the model was changed")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_same_data(folder)
        raw = simulate(folder / "raw.h5ad", 1300, 4, 1)
        data = write(folder / "data.h5ad", profiles(raw), names(raw))
        model = check_fit(folder, data)
        raw = simulate(folder / "raw.h5ad", 900, 3, 2)
        fresh = write(folder / "fresh.h5ad", profiles(raw),
                      ["new " + b for b in names(raw)])
        check_ranks(folder, model, fresh)
        check_order(folder, model, fresh)
        check_large(folder, model, fresh)
        check_features(folder, model, fresh)
        check_left_out(folder, model, fresh)
        check_small(folder, model, fresh)
        check_new_batch(folder)
        check_columns(folder, folder / "same.h5ad")
        check_refusals(folder, model, data)
    t.end()


main()
