"""Wrong input ends with one line, the right exit code and nothing left behind,
on one rank and on several.

usage: test_errors.py PROGRAM LAUNCHER...
"""
import os
import pathlib
import shutil
import sys
import tempfile

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy as np  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])


def damaged(folder, name, change):
    """A copy of the good file with something changed in it."""
    path = folder / f"{name}.h5ad"
    shutil.copy(folder / "good.h5ad", path)
    with h5py.File(path, "r+") as f:
        change(f)
    return path


def put(row, feature, what):
    def change(f):
        f["X"][row, feature] = what
    return change


def words_for_numbers(f):
    del f["X"]
    x = np.full((200, 6), "much", dtype=object)
    f["X"] = x.astype(h5py.string_dtype())
    f["X"].attrs["encoding-type"] = "string-array"
    f["X"].attrs["encoding-version"] = "0.2.0"


def a_batch_missing(f):
    f["obs/batch/codes"][17] = -1


def fractions_for_batches(f):
    f["obs"].create_dataset("dose", data=np.linspace(0, 1, 200))
    f["obs/dose"].attrs["encoding-type"] = "array"
    f["obs/dose"].attrs["encoding-version"] = "0.2.0"


def wrong_length(f):
    del f["X"]
    f["X"] = np.zeros((199, 6), "f4")


def one_dimension(f):
    del f["X"]
    f["X"] = np.zeros(200, "f4")


def make_files(folder):
    good = folder / "good.h5ad"
    t.works("simulate", good, "--points", 200, "--dims", 6, "--batches", 4)
    (folder / "text.h5ad").write_text("not HDF5 at all\n" * 100)
    (folder / "empty.h5ad").write_bytes(b"")
    whole = good.read_bytes()
    (folder / "short.h5ad").write_bytes(whole[:len(whole) // 2])
    with h5py.File(folder / "other.h5ad", "w") as f:
        f["X"] = np.zeros((3, 3))
    return good


def failing_inputs(folder, good):
    """Input, options, words of the message."""
    yield folder / "missing.h5ad", [], ["missing.h5ad"]
    yield folder, [], [str(folder)]
    yield folder / "text.h5ad", [], ["text.h5ad"]
    yield folder / "empty.h5ad", [], ["empty.h5ad"]
    yield folder / "short.h5ad", [], ["short.h5ad"]
    yield folder / "other.h5ad", [], ["other.h5ad"]
    yield good, ["--batch", "Batch"], ["'Batch'", "batch, label"]
    yield good, ["--matrix", "layers/none"], ["layers/none"]
    yield good, ["--matrix", "obsm/none"], ["obsm/none"]
    yield good, ["--matrix", "Y"], ["Y"]
    yield (damaged(folder, "nan", lambda f: (put(191, 4, np.nan)(f),
                                             put(150, 2, np.nan)(f))), [],
           ["row 150", "feature 2"])
    yield (damaged(folder, "inf", put(3, 5, -np.inf)), [],
           ["row 3", "feature 5"])
    yield damaged(folder, "words", words_for_numbers), [], ["X"]
    yield damaged(folder, "hole", a_batch_missing), [], ["row 17", "'batch'"]
    yield (damaged(folder, "dose", fractions_for_batches),
           ["--batch", "dose"], ["'dose'"])
    yield damaged(folder, "length", wrong_length), [], ["199"]
    yield damaged(folder, "flat", one_dimension), [], ["X"]


def check_inputs(folder, good):
    output = folder / "out.h5ad"
    for path, options, words in failing_inputs(folder, good):
        if "--batch" not in options:
            options = ["--batch", "batch", *options]
        for ranks in (1, 3):
            t.fails(1, words, "correct", path, output, *options, ranks=ranks)
            left = [p.name for p in folder.glob("out.h5ad*")]
            t.check(not left, f"{path}: {left} left behind")


def check_outputs(folder, good):
    there = folder / "there.h5ad"
    there.write_text("precious")
    file = folder / "file"
    file.write_text("")
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    before = good.read_bytes()
    for ranks in (1, 3):
        for output, word in [(there, "--force"),
                             (file / "out.h5ad", "out.h5ad"),
                             (folder / "no/such/out.h5ad", "out.h5ad"),
                             ("/proc/out.h5ad", "/proc"), (folder, "")]:
            # Only creating a file tells that /proc takes none.
            for dry in ([], ["--dry-run"])[:1 + (word != "/proc")]:
                t.fails(1, [word], "correct", good, output, "--batch", "batch",
                        "-q", *dry, ranks=ranks)
        for output, code in (good, 2), (pipe, 1):
            t.fails(code, [output.name], "correct", good, output, "--batch",
                    "batch", "--force", "-q", ranks=ranks)
    t.works("correct", good, there, "--batch", "batch", "--force", "--dry-run")
    t.check(there.read_text() == "precious", "an existing file was touched")
    t.check(good.read_bytes() == before, "the input was touched")
    t.check(pipe.is_fifo(), "what is not a file was replaced")
    t.check(not list(folder.glob("*.partial")), "a partial file is left")


def check_warnings(folder, good):
    """More neighbours than a batch has points: said, and done."""
    run = t.works("correct", good, folder / "k.h5ad", "--batch", "batch",
                  "--neighbors", 5000)
    t.check("warning" in run.stderr, f"no warning: {run.stderr}")


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    sound = make_files(where)
    check_inputs(where, sound)
    check_outputs(where, sound)
    check_warnings(where, sound)
t.end()
