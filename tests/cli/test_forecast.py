"""What --dry-run and info say of a run before it is made: batches, bytes,
memory, and landmarks that the run then finds.  No time is asserted.

usage: test_forecast.py PROGRAM LAUNCHER...
"""
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])
PAPER = ["--config", "paper"]
ONE = ["--passes", "1"]  # of which all is said that a run reports
UNIT = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def field(text, name):
    found = re.findall(rf"^{name} +(.*)$", text, re.M)
    t.check(len(found) == 1, f"{len(found)} lines '{name}' in {text!r}")
    return found[0] if found else ""


def numbers(text):
    return [int(x) for x in re.findall(r"\d+", text)]


def size_of(text):
    found = re.search(r"([0-9.]+) (B|KiB|MiB|GiB)", text)
    return float(found[1]) * UNIT[found[2]]


def dry(source, *options, ranks=1):
    """The text of a dry run, which leaves nothing behind."""
    folder = source.parent
    before = sorted(os.listdir(folder))
    run = t.works("correct", source, folder / "none.h5ad", "--batch", "batch",
                  "--dry-run", *options, ranks=ranks)
    t.check(sorted(os.listdir(folder)) == before, "a dry run wrote a file")
    return run.stdout


def simulate(path, points, *options):
    t.works("simulate", path, "--points", points, "--quiet", *options)


def landmarks_of(source, *options):
    report = source.parent / "report.json"
    t.works("correct", source, source.parent / "out.h5ad", "--batch", "batch",
            "--report", report, "--force", *options)
    result = json.loads(report.read_text())["result"]
    return result["n_landmarks"], result["n_affinities"]


def check_whole(source):
    """A file as small as the sample: the forecast is the truth."""
    for options in (PAPER, [*PAPER, "--neighbors", "1%"],
                    [*PAPER, "--uncovered", "keep"],
                    [*PAPER, "--max-landmarks", "40"], ONE,
                    [*ONE, "--landmarks", "200"],
                    [*ONE, "--landmarks", "2500"]):
        truth = landmarks_of(source, *options)
        for ranks in (1, 3):
            text = dry(source, *options, ranks=ranks)
            said = (numbers(field(text, "landmarks")),
                    numbers(field(text, "affinities")))
            t.check(said == ([truth[0]], [truth[1]]),
                    f"{options} on {ranks}: {said} instead of {truth}")


def check_range(source, *options):
    """A file larger than the sample: the range holds the truth, and does not
    depend on the number of ranks."""
    m, entries = landmarks_of(source, *options)
    text = dry(source, *options)
    low, high, mid = numbers(field(text, "landmarks"))
    # What is said is rounded to three digits.
    t.check(0.99 * low <= m <= 1.01 * high and low <= mid <= high,
            f"{options}: {m} landmarks, expected {low} to {high}")
    t.check(high <= 4 * low, f"{low} to {high} says nothing")
    least, most, _ = numbers(field(text, "affinities"))
    t.check(least <= entries <= most,
            f"{options}: {entries} affinities, expected {least} to {most}")
    for name in ("memory in all", "time", "forecast"):
        field(text, name)
    other = dry(source, *options, ranks=2)
    t.check(field(other, "landmarks") == field(text, "landmarks"),
            f"{other} on two ranks, {text} on one")


def check_memory(source):
    """More ranks, less for each; the rest is the work space."""
    need = {}
    for ranks in (1, 2, 8):
        run = t.works("info", source, "--batch", "batch", "--ranks", ranks,
                      "--threads", "3", "--memory-per-rank", "8M")
        t.check(field(run.stdout, "ranks x threads").startswith(
            f"{ranks} x 3,"), f"{ranks} x 3 in {run.stdout!r}")
        need[ranks] = size_of(field(run.stdout, "memory per rank"))
    data = need[1] - need[2]
    t.check(data > 0 and abs((need[1] - need[8]) / data - 7 / 4) < 0.2,
            f"memory does not go with ranks: {need}")
    two = dry(source, "--memory-per-rank", "8M", ranks=2)
    t.check(size_of(field(two, "memory per rank")) == need[2],
            f"asked for two ranks {need[2]}, on two ranks {two}")


def resize_batches(source, sizes):
    """Gives the first batches these sizes, the last one what is left."""
    with h5py.File(source, "r+") as f:
        codes = f["obs/batch/codes"]
        rest = len(codes) - sum(sizes)
        codes[...] = np.repeat(np.arange(len(sizes) + 1),
                               [*sizes, rest]).astype(codes.dtype)
        return [str(x) for x in f["obs/batch/categories"].asstr()[...]]


def check_batches(folder):
    source = folder / "few.h5ad"
    simulate(source, 2000, "--dims", "8", "--batches", "5")
    names = resize_batches(source, [7, 10, 11, 400])
    text = dry(source, "--neighbors", "10")
    t.check(field(text, "batches").startswith(
        "5, of 7 to 1572 profiles; 2 with fewer than k other points"), text)
    for name, size in zip(names, [7, 10, 11, 400, 1572]):
        line = field(text, "  " + re.escape(name))
        t.check(line.split()[0] == str(size), f"{name}: {line}")
        t.check(("fewer than k = 10 others" in line) == (size <= 10),
                f"{name}: {line}")
    share = dry(source, "--neighbors", "50%")
    t.check("; 0 with fewer" in field(share, "batches"), share)

    source = folder / "many.h5ad"
    simulate(source, 3000, "--dims", "4", "--batches", "200", "--force")
    resize_batches(source, [2] * 150 + [20] * 40)
    text = dry(source, "--neighbors", "10")
    t.check(text.count("fewer than k = 10 others") == 100
            and "... and 50 more with fewer than k others" in text
            and "-v lists all" in text, text)
    everything = t.works("info", source, "--batch", "batch", "--neighbors",
                         "10", "-v").stdout
    t.check(everything.count("fewer than k = 10 others") == 150, everything)
    t.check(len(re.findall(r"^  \S+ +20$", everything, re.M)) == 40,
            everything)


def check_matrices(folder):
    """Every matrix is named with its form, and one that cannot be used."""
    source = folder / "layers.h5ad"
    simulate(source, 600, "--dims", "6", "--batches", "3")
    with h5py.File(source, "r+") as file:
        file.create_dataset("layers/raw", data=np.ones((600, 4), "i4"),
                            chunks=(100, 4), compression="gzip")
        file.create_dataset("layers/solid", data=np.ones((600, 2, 2)))
    for text in (dry(source), dry(source, ranks=3), dry(
            source, "--matrix", "layers/raw", "--pca", "0"),
                 t.works("info", source).stdout):
        t.check(re.search(r"^  X +600 x 6 +float32 +dense, not compressed",
                          text, re.M), text)
        t.check(re.search(r"^  layers/raw +600 x 4 +int32 +dense, "
                          r"chunks 100 x 4, gzip", text, re.M), text)
        t.check("layers/solid" not in text
                or re.search(r"^  layers/solid +not usable: ", text, re.M), text)


def check_info(source):
    """Without a batch column: what does not hang on it."""
    text = t.works("info", source).stdout
    for name in ("matrix", "ranks x threads", "memory per rank", "files"):
        field(text, name)
    t.check("'--batch COLUMN'" in field(text, "forecast"), text)
    t.check("landmarks  " not in text, text)
    wrong = t.run("info", source, "--batch", "nothing")
    t.check(wrong.returncode == 1 and "'nothing' not found" in wrong.stderr,
            wrong.stderr)
    with h5py.File(source, "r+") as f:
        f.require_group("layers")
        f.move("X", "layers/only")
    text = t.works("info", source).stdout
    t.check(field(text, "matrix").startswith("no X; give '--matrix NAME'")
            and "layers/only" in field(text, "matrix"), text)
    text = t.works("info", source, "--matrix", "layers/only", "--batch",
                   "batch").stdout
    field(text, "landmarks")


def check_refusals(source, large):
    """What a run needs is said, not failed on; what no run can use is."""
    crowded = dry(large, "--memory-per-rank", "8M", "--landmarks", "40000")
    t.check("too little work space" in crowded
            and "--memory-per-rank" in crowded, crowded)
    tight = dry(large, "--memory-per-rank", "1M")
    t.check(field(tight, "forecast").startswith("left out: ")
            and "'--memory-per-rank'" in field(tight, "forecast"), tight)
    with h5py.File(source, "r+") as f:
        f["X"][:, 2] = np.nan
    for ranks in (1, 2):
        run = t.run("correct", source, source.parent / "none.h5ad", "--batch",
                    "batch", "--dry-run", ranks=ranks)
        t.check(run.returncode == 1 and "row 0, feature 2" in run.stderr,
                f"{run.returncode}: {run.stderr!r}")
        t.check(field(run.stdout, "forecast").startswith("left out: "),
                run.stdout)
        field(run.stdout, "memory per rank")


def check_plates(folder):
    """Many batches of few profiles: thinned, they would be another file."""
    rng = np.random.default_rng(5)
    source = folder / "plates.h5ad"
    simulate(source, 90000, "--dims", "6", "--batches", "250", "--clusters",
             "100")
    resize_batches(source, [360] * 249)
    check_range(source, *PAPER)
    whole = dry(source, *PAPER)
    with h5py.File(source, "r+") as f:
        order = rng.permutation(f["X"].shape[0])
        for name in ("X", "obs/batch/codes"):
            f[name][...] = f[name][...][order]
    mixed = dry(source, *PAPER)
    middle = [numbers(field(x, "landmarks"))[2] for x in (whole, mixed)]
    t.check(max(middle) < 1.5 * min(middle),
            f"sorted by batch and mixed: {middle}")


def check_limits(large):
    """Numbers stay in order where landmarks are limited, and what is said of
    the first of several passes is not said of all."""
    text = dry(large, *PAPER, "--max-landmarks", "300")
    low, high, mid = numbers(field(text, "affinities"))
    t.check(low <= mid <= high, f"{low} to {high}, about {mid}")
    t.check(numbers(field(text, "landmarks")) == [300], text)
    text = dry(large, *ONE, "--landmarks", "70000")
    t.check(numbers(field(text, "landmarks")) == [90000], text)


def check_passes(source):
    text = dry(source, "--passes", "3")
    t.check(field(text, "landmarks").endswith(" in the first of 3 passes"),
            text)
    text = dry(source)
    t.check(field(text, "landmarks").endswith(
        " in the first of at most 4 passes"), text)
    t.check("the time is that of all of at most 4" in field(text, "forecast"),
            text)


def check_stream(source):
    """What stays in the file is not in memory, and is read more often."""
    need, files = {}, {}
    for stream in ("on", "off"):
        text = dry(source, "--stream", stream, "--memory-per-rank", "8M")
        need[stream] = size_of(field(text, "memory per rank"))
        files[stream] = field(text, "files")
        t.check(("stay in the file" in text) == (stream == "on"), text)
    t.check(need["on"] < need["off"], f"memory {need}")
    t.check("sweeps" in files["on"] and size_of(files["on"])
            > 2 * size_of(files["off"]), f"files {files}")


def check_stored(folder, source):
    """What is expected does not hang on how the matrix is stored."""
    plain = field(dry(source), "landmarks")
    other = folder / "stored.h5ad"
    for tall in (True, False):
        shutil.copy(source, other)
        with h5py.File(other, "r+") as f:
            x, attrs = f["X"][...], dict(f["X"].attrs)
            del f["X"]
            if tall:
                f.create_dataset("X", data=x, chunks=(len(x), 1),
                                 compression="gzip")
                f["X"].attrs.update(attrs)
            else:
                write_csc(f, x)
        said = field(dry(other), "landmarks")
        t.check(said == plain, f"{said} instead of {plain}, tall {tall}")
        field(dry(other, ranks=2), "time")


def write_csc(f, x):
    group = f.create_group("X")
    group.attrs.update({"encoding-type": "csc_matrix",
                        "encoding-version": "0.1.0", "shape": x.shape})
    rows, columns = x.shape
    group["data"] = x.T.ravel()
    group["indices"] = np.tile(np.arange(rows, dtype=np.int32), columns)
    group["indptr"] = np.arange(columns + 1, dtype=np.int64) * rows


def check_wide(folder):
    """More features than the pilot looks at, all of them dimensions."""
    source = folder / "wide.h5ad"
    simulate(source, 600, "--dims", "1500", "--batches", "3")
    text = dry(source, *PAPER, "--pca", "0")
    low, high, mid = numbers(field(text, "landmarks"))
    t.check(0 < low <= mid <= high <= 600, text)
    t.check("in 1500 dimensions" in field(text, "work"), text)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    source = folder / "small.h5ad"
    simulate(source, 3000, "--dims", "60", "--clusters", "10")
    check_whole(source)
    check_memory(source)
    wide_enough = folder / "streamed.h5ad"
    simulate(wide_enough, 20000, "--dims", "200", "--clusters", "10")
    check_passes(source)
    check_stream(wide_enough)
    check_stored(folder, source)
    check_plates(folder)
    check_wide(folder)
    large = folder / "large.h5ad"
    simulate(large, 90000, "--dims", "6", "--clusters", "10", "--batches", "3")
    check_range(large, *PAPER)
    check_range(large, *PAPER, "--neighbors", "0.2%")
    check_range(large, *ONE, "--landmarks", "1000", "--correction", "smooth",
                "--sparsify", "elbow", "--neighbors", "10")
    check_range(large, *ONE)
    check_limits(large)
    check_batches(folder)
    check_matrices(folder)
    check_refusals(source, large)
    check_info(large)
t.end()
