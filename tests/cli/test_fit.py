"""Models of a sample, `fit --sample`, and models of runs that were stopped.

usage: test_fit.py PROGRAM LAUNCHER...
"""
import json
import pathlib
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402
from h5ad import names, profiles, write  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])
N, WANT = 2900, 700
# All points are landmarks, and coordinates are profiles less their mean.
PLAIN = ["--pca", 0, "--scale", "none", "--landmarks", 600]


def fit(source, model, *options, ranks=1):
    return t.works("fit", source, model, "--batch", "batch", "--force",
                   *options, ranks=ranks)


def sampled_rows(model, x):
    """Rows of x that are landmarks of the first pass."""
    with h5py.File(model, "r") as f:
        z, mean = f["pass 1 landmarks"][:], f["mean"][:].ravel()
    far = np.abs(z[:, None, :2] + mean[:2] - x[None, :, :2]).max(axis=2)
    return np.argmin(far, axis=1), float(far.min(axis=1).max())


def content(model):
    """All that is in a model but how it came about."""
    with h5py.File(model, "r") as f:
        return {k: f[k][:].tobytes() for k in f
                if k not in ("provenance", "table of keys")}


def check_sample(folder, data):
    """The model is that of a file with the sample alone."""
    x, batch = profiles(data), names(data)
    model, part = folder / "sample.h5", folder / "part.h5"
    said = fit(data, model, "--sample", WANT, *PLAIN).stderr
    t.check(f"{WANT} profiles" in said and f"sample of its {N}" in said,
            f"said {said}")
    rows, far = sampled_rows(model, x)
    t.check(far < 1e-4 and len(set(rows)) == WANT == len(rows),
            f"{len(set(rows))} of {len(rows)} rows found, {far} off")
    for name in set(batch):
        share = WANT * np.mean(batch == name)
        got = np.sum(batch[rows] == name)
        t.check(abs(got - share) < 1, f"{name}: {got} rows, not {share}")
    rows = np.sort(rows)
    t.check(0.3 < rows.mean() / N < 0.7 and rows[-1] - rows[0] > 0.9 * N,
            f"rows {rows[0]} .. {rows[-1]}, mean {rows.mean()}")
    fit(write(folder / "part.h5ad", x[rows], batch[rows]), part, "-q", *PLAIN)
    t.check(content(model) == content(part), "not the model of its rows")
    return rows


def check_bytes(folder, data, dense):
    """On any ranks, streamed, and in every storage; another seed, another
    sample; all of them, no sample."""
    want = folder / "sample.h5"
    options = ["--sample", WANT, "-q", *PLAIN]
    for ranks, more in [(2, []), (3, ["--stream", "on"]), (4, []),
                        (1, ["--memory-per-rank", "2M", "--threads", 2])]:
        fit(data, folder / "m.h5", *options, *more, ranks=ranks)
        t.check((folder / "m.h5").read_bytes() == want.read_bytes(),
                f"another model on {ranks} ranks, {more}")
    for path, ranks in zip(dense, (2, 3)):
        fit(path, folder / "m.h5", *options, ranks=ranks)
        t.check(content(folder / "m.h5") == content(want),
                f"another model of {path.name}")
    fit(data, folder / "m.h5", *options, "--seed", 1)
    rows, _ = sampled_rows(folder / "m.h5", profiles(data))
    mine, _ = sampled_rows(want, profiles(data))
    t.check(len(set(rows) & set(mine)) < 0.5 * WANT, "the seed has no say")
    fit(data, folder / "a.h5", "--sample", N, "-q", ranks=2)
    fit(data, folder / "b.h5", "-q")
    t.check(content(folder / "a.h5") == content(folder / "b.h5"),
            "a sample of all is another model")


def check_told(folder, data):
    report = folder / "report.json"
    fit(data, folder / "m.h5", "--sample", WANT, "-q", "--report", report,
        ranks=2)
    result = json.loads(report.read_text())["result"]
    t.check(result["params"]["sample"] == WANT and
            result["input"]["profiles"] == WANT and
            result["input"]["sample_of"] == N, f"report: {result['input']}")
    said = t.works("info", folder / "m.h5").stdout
    t.check(f"{WANT} of its {N} profiles" in said, f"info: {said}")
    said = t.works("fit", data, folder / "d.h5", "--batch", "batch",
                   "--sample", WANT, "--dry-run").stdout
    t.check(f"{WANT} profiles" in said and not (folder / "d.h5").exists(),
            f"dry run: {said}")


def check_columns(folder, data):
    """Of two columns the finer one has its share; a batch may have none."""
    x, batch = profiles(data), names(data)
    path = write(folder / "two.h5ad", x, batch)
    plate = [f"{b}-{i % 3}" for i, b in enumerate(batch)]
    plate[5] = "alone"
    with h5py.File(path, "a") as f:
        f["obs"].create_dataset("plate", data=plate, dtype=h5py.string_dtype())
        f["obs"].attrs["column-order"] = ["batch", "plate"]
    said = ""
    for ranks in (1, 3):
        said = t.works("fit", path, folder / f"two{ranks}.h5", "--batch",
                       "batch,plate", "--sample", 100, "--seed", 3,
                       ranks=ranks).stderr
    t.check((folder / "two1.h5").read_bytes() ==
            (folder / "two3.h5").read_bytes(), "two columns on 3 ranks")
    with h5py.File(folder / "two1.h5", "r") as f:
        last = max(k for k in f if k.endswith(" sizes"))
        size, alone = f[last][:].ravel(), len(f[last]) == 13
    t.check(size.sum() == 100, f"{size.sum()} profiles")
    t.check(sorted(size)[1] >= 100 / 13 - 2, f"plates of {size}")
    t.check(("have no profile in the sample" in said) != alone, f"said {said}")


def check_stops(folder, data):
    """A fit that is stopped in one of its passes, and goes on on other ranks:
    the same bytes, by `fit` as by `correct`."""
    options = ["--batch", "batch", "--passes", 3, "--landmarks", 40, "--blend",
               0.2, "-q", "--sample", WANT, "--trust", "strict"]
    state, model = folder / "state.h5", folder / "stopped.h5"
    t.works("fit", data, folder / "want.h5", *options)
    again = ["fit", data, model, *options, "--checkpoint", state]
    stops = 0
    for count, ranks, then in [(5, 1, 2), (60, 2, 1), (100, 3, 2), (150, 2, 3)]:
        run = t.run(*again, "--checkpoint-every", 0, ranks=ranks,
                    env={"BAL_FAULT": f"row:0:term:{count}"})
        t.check(run.returncode == 75 and state.exists() and
                not model.exists() and "state.h5" in run.stderr,
                f"stop at {count}: code {run.returncode}, {run.stderr!r}")
        stops += run.returncode == 75
        t.works(*again, ranks=then)
        t.check(model.read_bytes() == (folder / "want.h5").read_bytes(),
                f"another model after a stop at {count}")
        t.check(not state.exists(), "a checkpoint is left")
        model.unlink()
    t.check(stops == 4, f"{stops} stops")
    # A checkpoint without what a model needs is that of another run.
    small = [o for o in options if o not in ("--sample", WANT)]
    run = ["correct", data, folder / "out.h5ad", *small, "--checkpoint", state]
    t.run(*run, "--checkpoint-every", 0, env={"BAL_FAULT": "row:0:term:60"})
    t.fails(1, ["state.h5", "model not wanted", "model wanted"], *run,
            "--save-model", model)
    t.works(*run)


def check_refusals(folder, data):
    for value in ("0", "-5", "1.5", "x"):
        t.fails(2, ["--sample", value], "fit", data, folder / "n.h5",
                "--batch", "batch", "--sample", value)
    t.fails(2, ["--sample", str(N), str(N + 1)], "fit", data, folder / "n.h5",
            "--batch", "batch", "--sample", N + 1, ranks=2)
    t.fails(2, ["nystrom", "--estimator normal"], "fit", data,
            folder / "n.h5", "--batch", "batch", "--config", "paper",
            "--estimator", "nystrom")
    t.fails(2, ["--sample"], "correct", data, folder / "n.h5ad", "--batch",
            "batch", "--sample", 5)
    t.check(not (folder / "n.h5").exists(), "a model of a failed fit")


def sparse(folder, x, batch):
    """The same as CSR and as CSC."""
    paths = []
    for kind, count in (("csr", len(x)), ("csc", x.shape[1])):
        paths.append(write(folder / f"{kind}.h5ad", x[:, :0], batch))
        whole = x if kind == "csr" else x.T
        with h5py.File(paths[-1], "a") as f:
            del f["X"], f["var"]
            g = f.create_group("X")
            g.attrs["encoding-type"] = f"{kind}_matrix"
            g.attrs["encoding-version"] = "0.1.0"
            g.attrs["shape"] = np.array(x.shape)
            g.create_dataset("data", data=whole.ravel(), chunks=(1000,),
                             compression="gzip")
            g["indices"] = np.tile(np.arange(whole.shape[1]), count)
            g["indptr"] = np.arange(count + 1) * whole.shape[1]
            with h5py.File(folder / "data.h5ad", "r") as source:
                source.copy("var", f)
    return paths


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        raw, data = folder / "raw.h5ad", folder / "data.h5ad"
        t.works("simulate", raw, "--points", N, "--dims", 8, "--clusters", 4,
                "--batches", 4, "-q")
        write(data, profiles(raw), names(raw))
        check_sample(folder, data)
        check_bytes(folder, data, sparse(folder, profiles(data), names(data)))
        check_told(folder, data)
        check_columns(folder, data)
        check_stops(folder, data)
        check_refusals(folder, data)
    t.end()


main()
