"""The command `evaluate`: scores against those of other programs, its table, its
file, its failures.

usage: test_evaluate.py PROGRAM SOURCE_ROOT LAUNCHER...
"""
import json
import pathlib
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[3:])
golden = pathlib.Path(sys.argv[2]) / "tests/golden"


def text(values):
    return np.array([str(v) for v in values], dtype=object)


def put_text(group, name, values):
    group.create_dataset(name, data=text(values), dtype=h5py.string_dtype())
    group[name].attrs["encoding-type"] = "string-array"
    group[name].attrs["encoding-version"] = "0.2.0"


def put_frame(f, name, rows, columns):
    g = f.create_group(name)
    g.attrs["encoding-type"] = "dataframe"
    g.attrs["encoding-version"] = "0.2.0"
    g.attrs["_index"] = "_index"
    g.attrs.create("column-order", list(columns),
                   dtype=h5py.string_dtype(), shape=(len(columns),))
    put_text(g, "_index", range(rows))
    for column, values in columns.items():
        put_text(g, column, values)


def write(path, x, batch, label, **layers):
    with h5py.File(path, "w") as f:
        f.attrs["encoding-type"] = "anndata"
        f.attrs["encoding-version"] = "0.1.0"
        put_frame(f, "obs", len(x), {"batch": batch, "label": label})
        put_frame(f, "var", len(x[0]), {})
        f["X"] = np.asarray(x, "f4")
        g = f.create_group("layers")
        for name, values in layers.items():
            g[name] = np.asarray(values, "f4")
        for d in [f["X"], *g.values()]:
            d.attrs["encoding-type"] = "array"
            d.attrs["encoding-version"] = "0.2.0"
    return path


def evaluate(path, *args, ranks=1):
    out = path.parent / "scores.json"
    run = t.works("evaluate", path, "--batch", "batch", "--label", "label",
                  "--json", out, *args, ranks=ranks)
    found = json.loads(out.read_text()) if out.exists() else {}
    return run.stdout, found


def check_golden(folder):
    p = np.loadtxt(golden / "evaluate_points.csv", delimiter=",")
    wanted = json.loads((golden / "evaluate_scores.json").read_text())
    path = write(folder / "points.h5ad", p[:, 2:], p[:, 0].astype(int),
                 p[:, 1].astype(int))
    for distance in ["cosine", "euclidean"]:
        for ranks in [1, 3]:
            found = evaluate(path, "--distance", distance,
                             ranks=ranks)[1]["matrices"]["X"]["scores"]
            for name, value in wanted[distance].items():
                # Leiden is random: seeds differ by a few hundredths.
                within = 0.05 if name.startswith("leiden") else 2e-5
                t.check(abs(found[name] - value) < within,
                        f"{distance} {name}: {found[name]} instead of {value}")
    return path


def check_ranks(path):
    folder = path.parent
    for more in [[], ["--control", "0"], ["--sample", "150", "--seed", "3"]]:
        first = evaluate(path, *more)
        for ranks in [2, 4]:
            other = evaluate(path, *more, "--threads", "2", ranks=ranks)
            t.check(first == other, f"{more} on {ranks} ranks")
    t.check((folder / "scores.json.partial").exists() is False, "leftovers")


def check_table(folder):
    r = np.random.default_rng(3)
    label, batch = np.arange(240) % 3, np.arange(240) // 3 % 2
    mixed = np.eye(5)[label] + .1 * r.normal(size=(240, 5))
    apart = mixed + 2 * np.eye(5)[3 + batch]
    path = write(folder / "two.h5ad", apart, batch, label, mixed=mixed)
    out, found = evaluate(path, "--matrix", "X", "--matrix", "layers/mixed",
                          "--matrix", "X", ranks=2)
    t.check(list(found["matrices"]) == ["X", "layers/mixed"], "two matrices")
    line = [s for s in out.split("\n") if "LISI batch" in s][0].split()
    t.check(len(line) == 4 and line[3].endswith("*")
            and not line[2].endswith("*"), f"best value: {line}")
    one = found["matrices"]["layers/mixed"]
    s = one["scores"]
    t.check(s["lisi_batch"] > .9 and s["kbet"] > .8 and s["map"] == 1
            and s["leiden_nmi"] > .5, f"mixed: {s}")
    t.check(found["matrices"]["X"]["scores"]["lisi_batch"] < .05, "apart")
    for table, names in [("per_label", "012"), ("per_batch", "01")]:
        t.check(list(one[table]) == list(names), f"{table}: {one[table]}")
        t.check(sum(g["points"] for g in one[table].values()) == 240, table)
    batches = [s[k] for k in ["graph_connectivity", "kbet", "lisi_batch",
                              "silhouette_batch"]]
    labels = [s[k] for k in ["leiden_ari", "leiden_nmi", "lisi_label",
                             "silhouette_label"]]
    for key, value in [("avg_batch", np.mean(batches)),
                       ("avg_label", np.mean(labels)),
                       ("avg_all", np.mean(batches + labels)),
                       ("scib_overall",
                        .4 * np.mean(batches) + .6 * np.mean(labels))]:
        t.check(abs(s[key] - value) < 1e-12, f"{key}: {s[key]}, {value}")


def check_undefined(folder):
    r = np.random.default_rng(4)
    x = r.normal(size=(40, 3))
    cases = [
        ("one batch", np.zeros(40), np.arange(40) % 4,
         ["kbet", "lisi_batch", "silhouette_batch", "map"]),
        ("one label", np.arange(40) % 2, np.zeros(40),
         ["leiden_ari", "leiden_nmi", "lisi_label", "silhouette_label",
          "map", "avg_label", "scib_overall"]),
    ]
    for name, batch, label, wanted in cases:
        path = write(folder / "undefined.h5ad", x, batch.astype(int),
                     label.astype(int))
        out, found = evaluate(path, ranks=2)
        one = found["matrices"]["X"]
        lacking = [k for k, v in one["scores"].items() if v is None]
        t.check(sorted(lacking) == sorted(one["undefined"]) and
                set(wanted) <= set(lacking), f"{name}: {lacking}")
        t.check(" - " in out and "not defined" in out, f"{name}: {out}")
    path = write(folder / "names.h5ad", x, np.arange(40) % 2, np.arange(40))
    t.fails(1, ["'label'", "another value in each of the 40 rows"], "evaluate",
            path, "--batch", "batch", "--label", "label", ranks=2)


def check_degenerate(folder):
    batch, label = np.arange(60) // 30, np.arange(60) % 3
    single = label.copy()
    single[11] = 9
    some = np.random.default_rng(5).normal(size=(60, 3))
    some[::4] = 0
    cases = [("equal", np.ones((60, 3)), label),
             ("zero", np.zeros((60, 3)), label), ("some zero", some, label),
             ("single", some, single), ("huge", some * 1e37, label)]
    for name, x, labels in cases:
        path = write(folder / "degenerate.h5ad", x, batch, labels)
        for distance in ["cosine", "euclidean"]:
            one, other = (evaluate(path, "--distance", distance, ranks=n)[1]
                          for n in [1, 4])
            s = one["matrices"]["X"]["scores"]
            t.check(None not in s.values(), f"{name} {distance}: {s}")
            t.check(one == other, f"{name} {distance} on 4 ranks")
            if name == "equal":
                t.check(s["silhouette_batch"] == 1
                        and s["silhouette_label"] == .5
                        and s["lisi_batch"] > .9, f"equal: {s}")
    for n in [1, 2, 3]:
        path = write(folder / "few.h5ad", some[1:n + 1], batch[:n],
                     label[:n] // 2)
        evaluate(path, ranks=4)


def check_control(path):
    found = evaluate(path, "--control", "1", ranks=2)[1]
    one = found["matrices"]["X"]
    t.check(found["controls"] > 0 and "1" not in one["per_label"]
            and found["points"] + found["controls"] == 400, "controls apart")
    t.check(0 < one["scores"]["map_control"] <= 1, f"{one['scores']}")
    t.check("map_control" in one["per_label"]["0"], "by label")
    sampled = evaluate(path, "--sample", "100")
    t.check("sample of 100 of 400" in sampled[0], "the sample is named")
    t.check(sampled[1]["matrices"]["X"]["graph_points"] == 100, "its size")


def check_failures(path):
    folder = path.parent
    usual = [path, "--batch", "batch", "--label", "label"]
    for ranks in [1, 3]:
        for code, words, args in [
                (2, ["FILE.h5ad"], []),
                (2, ["--batch"], [path]),
                (2, ["--label"], [path, "--batch", "batch"]),
                (2, ["--distance", "cosine"], [*usual, "--distance", "l1"]),
                (2, ["--sample"], [*usual, "--sample", "1"]),
                (2, ["-q"], [*usual, "-q", "-v"]),
                (2, ["the input and the scores are one file"], [*usual, "--json", path]),
                (1, ["none.h5ad"], [folder / "none.h5ad", *usual[1:]]),
                (1, ["'dose'", "batch"], [path, "--batch", "dose",
                                          "--label", "label"]),
                (1, ["'layers/none'"], [*usual, "--matrix", "layers/none"]),
                (1, ["'DMSO'", "label"], [*usual, "--control", "DMSO"]),
                (1, ["no/such"], [*usual, "--json", "no/such/a.json"])]:
            t.fails(code, words, "evaluate", *args, ranks=ranks)
    quiet = t.works("evaluate", *usual, "-q")
    t.check(quiet.stderr == "" and quiet.stdout, "-q")


with tempfile.TemporaryDirectory() as name:
    points = check_golden(pathlib.Path(name))
    check_ranks(points)
    check_table(pathlib.Path(name))
    check_undefined(pathlib.Path(name))
    check_degenerate(pathlib.Path(name))
    check_control(points)
    check_failures(points)
t.end()
