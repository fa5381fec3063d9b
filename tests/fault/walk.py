"""Makes a run fail at every fault point on every rank in turn.

usage: walk.py PROGRAM LAUNCHER...

Each run must end by itself with exit code 1, exactly one line on stderr that
names the rank and the point, and no output file, whole or partial.  The points
come from the program, so that none is forgotten.  `correct` goes by all of them,
on one rank to four; `fit` and `apply` by those of theirs, on two.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cli"))
from common import Tests, said  # noqa: E402

TIMEOUT = 60
# What a point needs to be on the way: options, and a further fault.
STOP = ["--checkpoint", "{folder}/state.h5"], ",row:0:term:2"
NEEDS = {"invert": (["--config", "paper", "--estimator", "nystrom"], ""),
         "keep": STOP, "fill": STOP, "publish": STOP}
# A helper process that only rank 0 has.
FIRST_ONLY = {"aside"}
# Points that a command does not come by; rank 0 alone writes a model.
ELSEWHERE = {
    "fit": {"begin", "create", "join", "write", "finish", "invert"},
    "apply": {"space", "eigen", "sample", "keep", "fill", "publish", "invert"},
}
FIRST_OF_FIT = FIRST_ONLY | {"fill"}
FILES = {"correct": ["in.h5ad", "out.h5ad"], "fit": ["in.h5ad", "out.h5"],
         "apply": ["model.h5", "in.h5ad", "out.h5ad"]}


def points_of(program):
    run = subprocess.run([program, "params", "--faults"], capture_output=True,
                         text=True, timeout=TIMEOUT, check=True)
    return run.stdout.split()


def expected(point, rank, size):
    where = f" on rank {rank}" if size > 1 else ""
    return f"balans: i/o error{where}: failure on demand at '{point}'"


def fail_once(program, launch, folder, command, point, rank, size):
    """What is wrong with this run, or nothing."""
    options, more = NEEDS.get(point, ([], ""))
    if command != "correct":
        options, more = [], ""
    if command != "apply":
        options = ["--batch", "batch", "--pca", "5", *options]
    try:
        run = subprocess.run(
            [*launch, str(size), program, command,
             *(str(folder / f) for f in FILES[command]), "--quiet",
             *(o.format(folder=folder) for o in options)],
            capture_output=True, text=True, timeout=TIMEOUT,
            env={**os.environ, "BAL_FAULT": f"{point}:{rank}{more}"})
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT} s"
    wrong = []
    if run.returncode != 1:
        wrong.append(f"exit code {run.returncode}")
    if said(run.stderr).rstrip("\n") != expected(point, rank, size):
        wrong.append(f"stderr: {run.stderr!r}")
    if run.stdout:
        wrong.append(f"stdout: {run.stdout!r}")
    left = sorted(p.name for p in folder.iterdir()
                  if p.name not in ("in.h5ad", "model.h5"))
    if left:
        wrong.append(f"left behind: {left}")
    return "; ".join(wrong)


def check(folder, t, command, point, rank, size):
    wrong = fail_once(t.program, t.launch, folder, command, point, rank, size)
    t.check(not wrong, f"{command}, {point} on rank {rank} of {size}: {wrong}")


def ways(points):
    """(command, point, rank, size) of all runs."""
    every = [("correct", point, rank, size) for point in points
             for size in (1, 2, 3, 4)
             for rank in range(1 if point in FIRST_ONLY else size)]
    first = {"fit": FIRST_OF_FIT, "apply": FIRST_ONLY}
    return every + [(command, point, rank, 2)
                    for command, others in ELSEWHERE.items()
                    for point in points if point not in others
                    for rank in range(1 if point in first[command] else 2)]


def main():
    t = Tests(sys.argv[1], sys.argv[2:])
    with tempfile.TemporaryDirectory() as name:
        data = pathlib.Path(name) / "in.h5ad"
        model = pathlib.Path(name) / "model.h5"
        t.works("simulate", data, "--points", 1200, "--dims", 20, "--batches",
                4)
        t.works("fit", data, model, "--batch", "batch", "--pca", 5)
        t.side_by_side([data, model], [(check, t, *way)
                                       for way in ways(points_of(t.program))])
    t.end()


if __name__ == "__main__":
    main()
