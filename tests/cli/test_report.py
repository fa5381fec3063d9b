"""The JSON report follows its schema, and says what happened.

usage: test_report.py PROGRAM SOURCE_ROOT LAUNCHER...
"""
import json
import os
import pathlib
import sys
import tempfile

from common import SKIP, Tests, need_h5py

need_h5py()
import h5py  # noqa: E402

try:
    import jsonschema
except ImportError:
    print("skipped: no jsonschema")
    sys.exit(SKIP)

t = Tests(sys.argv[1], sys.argv[3:])
SCHEMA = json.loads((pathlib.Path(sys.argv[2]) /
                     "docs/report-schema.json").read_text())
RUNS = [[], ["--pca", 4, "--passes", 2, "--landmarks", 100],
        ["--config", "paper", "--pca", 5, "--estimator", "nystrom"],
        ["--config", "paper", "--uncovered", "keep", "--max-landmarks", 9]]


def report_of(folder, options, ranks):
    out, report = folder / "out.h5ad", folder / "run.json"
    t.works("correct", folder / "in.h5ad", out, "--batch", "batch", "--force",
            "-q", "--save-affinity", "--report", report, *options, ranks=ranks)
    said = json.loads(report.read_text())
    errors = list(jsonschema.Draft7Validator(SCHEMA).iter_errors(said))
    t.check(not errors, f"{options} on {ranks}: {[e.message for e in errors]}")
    return said


def check_lists(own, result, what):
    """Names and matrices of numbers are in the file as they are in the
    report."""
    for key in ("shift", "trust"):
        told = result.get(key)
        if not told:
            continue
        names = [n.decode() for n in own[key]["batches"][:]]
        t.check(names == told["batches"] == ["batch_0", "batch_1", "batch_2"],
                f"{what}: {key} of {names}")
    moved = "pca" in result or "trust" in result
    t.check(moved == bool(result["shift"]), f"{what}: {result['shift']}")
    if moved:
        t.check(own["shift/length"][:].tolist() == result["shift"]["length"]
                and min(result["shift"]["length"]) > 0,
                f"{what}: shifts {own['shift/length'][:]}")
    if "trust" in result:
        t.check(own["trust/mean"][:].tolist() == result["trust"]["mean"],
                f"{what}: trust {own['trust/mean'][:]}")


def check_file(folder, said, what):
    """What the file says, and what is in it."""
    with h5py.File(folder / "out.h5ad", "r") as f:
        own = f["uns/balans"]
        lengths = own["affinity/indptr"][:]
        lengths = sorted(lengths[1:] - lengths[:-1])
        t.check(own["checksum"][()].decode() == said["result"]["checksum"],
                f"{what}: checksums differ")
        t.check(set(said) - {"result"} == set(own["run"]),
                f"{what}: the file has {set(own['run'])}")
        check_lists(own, said["result"], what)
    rows = said["row_lengths"]
    t.check(len(rows["twentieths"]) == 21
            and rows["twentieths"] == sorted(rows["twentieths"])
            and rows["twentieths"][0] == rows["min"]
            and rows["twentieths"][-1] == rows["max"],
            f"{what}: lengths {rows['twentieths']}")
    t.check(rows["min"] == lengths[0] and rows["max"] == lengths[-1]
            and rows["median"] == lengths[len(lengths) // 2]
            and abs(rows["mean"] - sum(lengths) / len(lengths)) < 1e-9,
            f"{what}: {rows}")


def check_runs(folder):
    sums = set()
    for options in RUNS:
        all_said = [report_of(folder, options, ranks) for ranks in (1, 3)]
        check_file(folder, all_said[1], options)
        t.check(all_said[0]["result"] == all_said[1]["result"],
                f"{options}: the result depends on the ranks")
        for said, ranks in zip(all_said, (1, 3)):
            t.check(said["ranks"] == ranks
                    and sum(said["hosts"].values()) == ranks,
                    f"{options}: hosts {said['hosts']}")
            curve = said["sampling"]["curve_landmarks"]
            t.check(curve and curve[-1] == said["result"]["n_landmarks"],
                    f"{options}: curve {curve[-3:]}")
        sums.add(all_said[0]["result"]["checksum"])
    t.check(len(sums) == len(RUNS), "results have equal checksums")


def check_no_scale(folder):
    """A landmark alone in its batch has no scale there, which is said so."""
    few, report = folder / "few.h5ad", folder / "run.json"
    t.works("simulate", few, "--points", 4, "--batches", 3, "--dims", 4, "-q")
    t.works("correct", few, folder / "out.h5ad", "--batch", "batch", "--force",
            "-q", "--correction", "residual", "--passes", "auto",
            "--max-landmarks", 1, "--uncovered", "keep", "--seed", 1,
            "--report", report)
    passes = json.loads(report.read_text())["result"]["passes"]
    t.check(set(passes["scale"]) == {-1}, f"without a scale: {passes}")


def check_bytes(folder):
    """A name that is not UTF-8 is not lost."""
    odd = os.fsdecode(os.fsencode(folder) + b"/odd\xff.h5ad")
    os.link(folder / "in.h5ad", odd)
    out, report = folder / "out.h5ad", folder / "run.json"
    t.works("correct", odd, out, "--batch", "batch", "--force", "-q",
            "--report", report)
    said = json.loads(report.read_text())["result"]["input"]
    t.check(said.get("name") == "odd\ufffd.h5ad", f"the input is {said}")
    with h5py.File(out, "r") as f:
        name = f["uns/balans/input/name"][()]
        t.check(name == "odd\ufffd.h5ad".encode(), f"the file has {name}")


def check_warnings(folder):
    """What was warned of is kept, also when it was not printed."""
    t.works("simulate", folder / "one.h5ad", "--points", 60, "--dims", 5,
            "--batches", 1, "-q")
    t.works("correct", folder / "one.h5ad", folder / "out.h5ad", "--batch",
            "batch", "--force", "-q", ranks=2)
    with h5py.File(folder / "out.h5ad", "r") as f:
        said = f["uns/balans/run/warnings"][:]
        t.check(len(said) == 1 and b"one value" in said[0],
                f"warnings {said}")


def check_other_column(folder):
    """Trust of one column's batches is not told as that of another's, whose
    pass has none."""
    nested, report = folder / "nested.h5ad", folder / "run.json"
    t.works("simulate", nested, "--points", 600, "--dims", 5, "--batches", 6,
            "--nested", "-q")
    t.works("correct", nested, folder / "out.h5ad", "--batch", "source,batch",
            "--correction", "smooth", "--passes", 2, "--force", "-q",
            "--report", report)
    said = json.loads(report.read_text())["result"]
    t.check(not said.get("trust"), f"trust {said.get('trust')}")


def check_schema(said):
    """The schema does object."""
    validator = jsonschema.Draft7Validator(SCHEMA)
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    for change in ({"ranks": 0}, {"more": 1}, {"hosts": {}},
                   {"result": {**said["result"], "checksum": "x"}}):
        t.check(not validator.is_valid({**said, **change}), f"{change} passed")
    for key in set(said) - {"nystrom"}:
        less = {k: v for k, v in said.items() if k != key}
        t.check(not validator.is_valid(less), f"a report without {key} passed")


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    t.works("simulate", where / "in.h5ad", "--points", 900, "--dims", 12,
            "--batches", 3)
    check_runs(where)
    check_no_scale(where)
    check_bytes(where)
    check_warnings(where)
    check_other_column(where)
    check_schema(report_of(where, [], 2))
t.end()
