"""A run in which one rank hangs ends by itself.

usage: test_stall.py PROGRAM LAUNCHER...

Wherever a rank hangs, the job ends within a stated time with one line and a
code other than zero, and there is no output under the final name.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from common import Tests

t = Tests(sys.argv[1], sys.argv[2:])
TIMEOUT, MOST = 2, 2 + 90
HANG = """#include <stdio.h>
#include <unistd.h>
int %s(void)
{
    for (fputs("here\\n", stderr);;)
        pause();
}
"""


def commands(folder):
    data, out = folder / "in.h5ad", folder / "out.h5ad"
    return {
        "correct": ["correct", data, out, "--batch", "batch", "--pca", 5],
        "evaluate": ["evaluate", data, "--batch", "batch", "--label", "label",
                     "--json", out],
        "info": ["info", data, "--batch", "batch"],
        "simulate": ["simulate", out],
    }


def check_hang(folder, point, rank, ranks, way="hang", command="correct"):
    out = folder / "out.h5ad"
    start = time.monotonic()
    run = t.run(*commands(folder)[command], "-q", "--stall-timeout", TIMEOUT,
                ranks=ranks, env={"BAL_FAULT": f"{point}:{rank}:{way}"})
    took = time.monotonic() - start
    what = f"{point} on rank {rank} of {ranks}"
    lines = [line for line in run.stderr.split("\n")
             if line.startswith("balans: ")]
    t.check(run.returncode not in (0, None), f"{what}: code {run.returncode}")
    t.check(lines and "stalled" in lines[0] and "--stall-timeout" in lines[0],
            f"{what}: {run.stderr!r}")
    # A stopped process may get to a last word while the launcher ends it.
    t.check(len(lines) == 1 or way == "stop", f"{what}: {run.stderr!r}")
    t.check(took < MOST, f"{what}: took {took:.1f} s")
    t.check(not out.exists(), f"{what}: there is an output")


def check_lost(folder, rank, ranks):
    """Where a rank is killed, rank 0 says that it is ended, or nobody."""
    run = t.run("correct", folder / "in.h5ad", folder / "out.h5ad", "--batch",
                "batch", "-q", ranks=ranks,
                env={"BAL_FAULT": f"row:{rank}:kill:5"})
    lines = [line for line in run.stderr.split("\n")
             if line.startswith("balans: ")]
    t.check(run.returncode not in (0, None), f"lost: code {run.returncode}")
    t.check(len(lines) == (rank > 0) and all("SIGTERM" in x for x in lines),
            f"lost rank {rank} of {ranks}: {run.stderr!r}")


def check_ended(folder, way, number):
    """A signal ends a run that keeps no checkpoint, with one line."""
    run = t.run("correct", folder / "in.h5ad", folder / "out.h5ad", "--batch",
                "batch", "-q", env={"BAL_FAULT": f"row:0:{way}:5"})
    t.check(run.returncode == -number, f"{way}: code {run.returncode}")
    t.check(run.stderr.count("\n") == 1 and "'sample'" in run.stderr
            and number.name in run.stderr, f"{way}: {run.stderr!r}")


def check_ended_inside(folder, call, code, keep):
    """SIGTERM ends a run that hangs in this call of MPI, also with a
    checkpoint to keep."""
    extra = ["--checkpoint", folder / "state.h5"] if keep else []
    (folder / "hang.c").write_text(HANG % call)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "hang.so",
                    folder / "hang.c"], check=True)
    run = subprocess.Popen(
        [t.program, "correct", folder / "in.h5ad", folder / "out.h5ad",
         "--batch", "batch", "-q", "--force", *extra], text=True,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        env={**os.environ, "LD_PRELOAD": str(folder / "hang.so")})
    t.check(run.stderr.readline() == "here\n", f"{call} was not met")
    run.terminate()
    try:
        rest = run.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        run.kill()
        rest = run.communicate()[1]
    t.check(run.returncode == code and not rest,
            f"{call} {extra}: code {run.returncode}, {rest!r}")


def check_quiet(folder):
    """A timeout shorter than the run does no harm while it makes progress, and
    none is needed."""
    for timeout in (0, 1, 600):
        t.works("correct", folder / "in.h5ad", folder / f"{timeout}.h5ad",
                "--batch", "batch", "--pca", 5, "--stall-timeout", timeout,
                ranks=2)


with tempfile.TemporaryDirectory() as name:
    data = pathlib.Path(name) / "in.h5ad"
    t.works("simulate", data, "--points", 2000, "--dims", 20, "--batches", 4)
    checks = [(check_hang, spot, 1, 3)
              for spot in ("open", "space", "row", "write")]
    checks += [(check_hang, "row", 0, 2), (check_hang, "correct", 0, 1),
               (check_hang, "row", 0, 2, "stop"),
               (check_hang, "read", 1, 2, "hang", "evaluate"),
               (check_hang, "batches", 1, 2, "hang", "info"),
               (check_hang, "write", 1, 2, "hang", "simulate"),
               (check_lost, 0, 3), (check_lost, 1, 3),
               (check_ended, "term", signal.SIGTERM),
               (check_ended, "int", signal.SIGINT)]
    # Sanitizers want to be the first library.
    if shutil.which("cc") and "ASAN_OPTIONS" not in os.environ:
        for keep in (False, True):
            checks += [(check_ended_inside, "MPI_Init_thread",
                        -signal.SIGTERM, keep),
                       (check_ended_inside, "MPI_Finalize", 0, keep)]
    t.side_by_side([data], checks)
    t.fails(2, ["--stall-timeout"], "correct", data, data.with_name("x.h5ad"),
            "--batch", "batch", "--stall-timeout", -1)
    check_quiet(data.parent)
t.end()
