"""A run that is stopped or killed goes on with the same result.

usage: test_checkpoint.py PROGRAM LAUNCHER...

Runs are ended by SIGTERM, SIGUSR1 and SIGKILL in every phase, at many steps of
the sampler and while a checkpoint is written, on 1 to 4 ranks, and started again
on another number of ranks until they are done.  All of the output but
uns/balans/run is that of an undisturbed run.  Where a run ends is told in steps,
so nothing depends on how fast it is.
"""
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import time

from common import Tests, need_h5py

need_h5py()
import h5py  # noqa: E402
import numpy  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])
BASE = ["--batch", "batch", "--pca", 8, "--block", 10, "--save-affinity"]
PAPER = ["--config", "paper"]
PASSES = [*PAPER, "--passes", 2]
NYSTROM = [*PAPER, "--estimator", "nystrom"]
# The default: rows of a bounded number of landmarks, trust, passes as needed.
BOUNDED = ["--landmarks", 200]
stops = []  # runs that were ended on the way


def contents(path):
    """Every dataset and attribute by name, but for what may differ."""
    found = {}

    def note(name, item):
        if name.startswith("uns/balans/run"):
            return
        found[name] = {k: str(v) for k, v in item.attrs.items()}
        if isinstance(item, h5py.Dataset):
            found[name, "data"] = numpy.asarray(item[()]).tobytes() \
                if item.dtype != object else str(item[()])

    with h5py.File(path, "r") as f:
        f.visititems(note)
    return found


def same(path, wanted, what):
    if not t.check(path.exists(), f"{what}: no output"):
        return
    got = contents(path)
    bad = [k for k in wanted.keys() | got.keys()
           if wanted.get(k) != got.get(k)]
    t.check(not bad, f"{what}: differs in {bad[:5]}")


def command(folder, extra):
    return ["correct", folder / "in.h5ad", folder / "out.h5ad", *BASE, *extra,
            "--checkpoint", folder / "state.h5", "-q"]


def clear(folder):
    for path in folder.glob("out.h5ad*"), folder.glob("state.h5*"):
        for found in path:
            found.unlink()


def go_on(folder, extra, ranks):
    """The same command once more.  A launcher may come back before the last
    process of a run that was killed has gone: not before that one has."""
    for _ in range(100):
        run = t.run(*command(folder, extra), ranks=ranks)
        if "is writing it" not in run.stderr:
            break
        time.sleep(0.1)
    return run


def check_stop(folder, wanted, extra, way, point, count, ranks, then):
    """A run ended by `way`, one more that goes on."""
    what = f"{extra} {way} at {point} {count} on {ranks}, then {then}"
    every = ["--checkpoint-every", 0]
    rank = count % ranks
    run = t.run(*command(folder, extra), *every, ranks=ranks,
                env={"BAL_FAULT": f"{point}:{rank}:{way}:{count}"})
    if run.returncode == 0:
        same(folder / "out.h5ad", wanted, f"{what}, not met")
        return
    stops.append(what)
    t.check(not (folder / "out.h5ad").exists(), f"{what}: an output")
    if way != "kill":
        t.check(run.returncode == 75, f"{what}: code {run.returncode}")
        t.check("state.h5" in run.stderr and run.stderr.count("\n") == 1,
                f"{what}: {run.stderr!r}")
        t.check((folder / "state.h5").exists(), f"{what}: no checkpoint")
    again = go_on(folder, extra, then)
    t.check(again.returncode == 0,
            f"{what}: code {again.returncode}, {again.stderr!r}")
    same(folder / "out.h5ad", wanted, what)
    # What a killed process was at stays, under a name of its own.
    left = [p.name for p in folder.iterdir() if "state" in p.name
            and not (way == "kill" and p.name.endswith(".partial"))]
    t.check(not left, f"{what}: left {left}")


def check_failure_first(folder):
    """A rank that has failed while others are told to stop: its error counts,
    or the same command would be started for ever."""
    wide, state = folder / "wide.h5ad", folder / "wide.h5"
    t.works("simulate", wide, "--points", 1500, "--dims", 250, "--batches", 4)
    again = ["correct", wide, folder / "wide_out.h5ad", *BASE, "-q",
             "--checkpoint", state, "--memory-per-rank", "1M"]
    run = t.run(*again, ranks=2, env={"BAL_FAULT": "row:0:term:5"})
    t.check(run.returncode == 75 and state.exists(), f"wide: {run.stderr!r}")
    t.fails(1, ["failure on demand at 'read'"], *again, ranks=2,
            env={"BAL_FAULT": "read:0:term,read:1"})


def check_signal_to_launcher(folder, wanted, number):
    """Whatever the launcher makes of a signal, the same command goes on."""
    run = subprocess.Popen(
        [*sys.argv[2:], "2", sys.argv[1],
         *map(str, command(folder, PASSES)), "--checkpoint-every", "0"],
        env={**os.environ, "BAL_FAULT": "row:0:wait:60"}, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    while run.poll() is None and not (folder / "state.h5").exists():
        time.sleep(0.001)
    run.send_signal(number)
    code = run.wait(timeout=60)
    if not (folder / "out.h5ad").exists():
        t.check(code != 0, f"{number}: code 0 without an output")
        again = go_on(folder, PASSES, 3)
        t.check(again.returncode == 0, f"{number}: {again.stderr!r}")
    same(folder / "out.h5ad", wanted, f"signal {number}, code {code}")


def check_phase(folder, wanted, extra, point, ranks, stops_there):
    """A signal in any phase: stopped with a checkpoint, or finished."""
    what = f"{extra} signal at {point} on {ranks}"
    run = t.run(*command(folder, extra), ranks=ranks,
                env={"BAL_FAULT": f"{point}:{ranks - 1}:term"})
    if stops_there:
        t.check(run.returncode == 75 and (folder / "state.h5").exists()
                and run.stderr.count("\n") == 1
                and not (folder / "out.h5ad").exists(),
                f"{what}: code {run.returncode}, {run.stderr!r}")
        t.works(*command(folder, extra), ranks=ranks % 3 + 1)
    else:
        t.check(run.returncode == 0 and not run.stderr,
                f"{what}: code {run.returncode}, {run.stderr!r}")
    same(folder / "out.h5ad", wanted, what)
    left = [p.name for p in folder.iterdir() if "state" in p.name]
    t.check(not left, f"{what}: left {left}")


def check_writing(folder, wanted, point):
    """A checkpoint that fails, once it is due and once it is to stop with; the
    one before stays what it was."""
    state = folder / "state.h5"
    run = t.run(*command(folder, PAPER)[:-1], "--checkpoint-every", 0, ranks=2,
                env={"BAL_FAULT": f"{point}:1"})
    t.check(run.returncode == 0 and f"warning: failure on demand at '{point}'"
            in run.stderr, f"{point}: code {run.returncode}, {run.stderr!r}")
    same(folder / "out.h5ad", wanted, f"{point} fails")
    clear(folder)
    t.run(*command(folder, PAPER), ranks=2, env={"BAL_FAULT": "row:1:term:25"})
    before = state.read_bytes()
    t.fails(1, [point], *command(folder, PAPER), ranks=3,
            env={"BAL_FAULT": f"row:0:term:20,{point}:2"})
    t.check(state.read_bytes() == before, f"{point}: another checkpoint")
    t.works(*command(folder, PAPER))
    same(folder / "out.h5ad", wanted, f"after {point} has failed")


def check_nothing_to_keep(folder, wanted):
    """A stop long before the sampler starts."""
    run = t.run(*command(folder, PAPER), ranks=2,
                env={"BAL_FAULT": "open:0:term,eigen:0:slow:6000"})
    t.check(run.returncode == 75 and "without checkpoint" in run.stderr,
            f"nothing to keep: code {run.returncode}, {run.stderr!r}")
    t.works(*command(folder, PAPER), ranks=2)
    same(folder / "out.h5ad", wanted, "from nothing")


def check_many_stops(folder, wanted):
    """Stopped again and again, on any number of ranks, it still gets there."""
    for turn in range(60):
        ranks = turn % 4 + 1
        run = t.run(*command(folder, PASSES), ranks=ranks,
                    env={"BAL_FAULT": f"row:{turn % ranks}:usr1:"
                                      f"{23 + 7 * (turn % 5)}"})
        if run.returncode != 75:
            break
    t.check(run.returncode == 0 and turn > 2,
            f"code {run.returncode} after {turn} stops: {run.stderr!r}")
    same(folder / "out.h5ad", wanted, "many stops")


def check_time_limit(folder, wanted):
    state = folder / "state.h5"
    for turn in range(2):
        run = t.run(*command(folder, PAPER), "--time-limit", 1e-5, ranks=2)
        t.check(run.returncode == 75 and "added nothing" in run.stderr,
                f"time limit: code {run.returncode}, {run.stderr!r}")
        if turn == 0:
            before = state.stat().st_ino
    t.check(state.stat().st_ino == before, "nothing was written anew")
    run = t.run(*command(folder, PAPER), "--time-limit", 60, ranks=3)
    t.check(run.returncode == 0, f"time limit: {run.stderr!r}")
    same(folder / "out.h5ad", wanted, "after a time limit")
    t.fails(2, ["--checkpoint"], "correct", folder / "in.h5ad",
            folder / "x.h5ad", "--batch", "batch", "--time-limit", 5)


def check_refusals(folder):
    state = folder / "state.h5"
    t.run(*command(folder, PAPER), ranks=2, env={"BAL_FAULT": "row:1:term:30"})
    kept = state.read_bytes()
    for ranks in (1, 3):
        t.fails(1, ["state.h5", "--seed 0", "--seed 7"],
                *command(folder, [*PAPER, "--seed", 7]), ranks=ranks)
        other = command(folder, PAPER)
        other[1] = folder / "other.h5ad"
        t.fails(1, ["state.h5", "checksum"], *other, ranks=ranks)
    if platform.machine() == "x86_64":
        t.fails(1, ["state.h5", "OpenBLAS kernels"], *command(folder, PAPER),
                ranks=2, env={"OPENBLAS_CORETYPE": "Prescott"})
    t.check(state.read_bytes() == kept, "a refused checkpoint was touched")
    for junk in (b"", b"nothing of the kind", kept[:len(kept) // 2]):
        state.write_bytes(junk)
        t.fails(1, ["state.h5"], *command(folder, PAPER), ranks=2)
    clear(folder)
    wanted = folder / "in.h5ad"
    t.fails(2, ["--checkpoint"], "correct", wanted, folder / "x.h5ad",
            "--batch", "batch", "--checkpoint", wanted)
    t.fails(1, ["no/such"], "correct", wanted, folder / "x.h5ad", "--batch",
            "batch", "-q", "--checkpoint", folder / "no/such/state.h5")


def check_processors(folder):
    """Ranks on different processors: a warning, and a checkpoint that serves
    no other ones."""
    script = folder / "mixed.sh"
    script.write_text(f"""#!/bin/sh
case ${{OMPI_COMM_WORLD_RANK-$PMI_RANK}} in
1) OPENBLAS_CORETYPE=Prescott ;;
*) OPENBLAS_CORETYPE=Nehalem ;;
esac
export OPENBLAS_CORETYPE BALANS_BLAS_REPLACED=test
exec '{os.path.abspath(t.program)}' "$@"
""")
    script.chmod(0o755)
    mixed = Tests(script, t.launch)
    run = mixed.run(*command(folder, PAPER)[:-1], ranks=2,
                    env={"BAL_FAULT": "row:1:term:30"})
    t.check(run.returncode == 75 and "processors differ" in run.stderr
            and "Prescott on rank 1" in run.stderr,
            f"mixed: code {run.returncode}, {run.stderr!r}")
    for ranks in (1, 3):
        run = mixed.run(*command(folder, PAPER), ranks=ranks)
        t.check(run.returncode == 1 and "OpenBLAS kernels" in run.stderr,
                f"mixed: code {run.returncode}, {run.stderr!r}")
    run = mixed.run(*command(folder, PAPER), ranks=2)
    t.check(run.returncode == 0 and not run.stderr,
            f"mixed, again: code {run.returncode}, {run.stderr!r}")


def undisturbed(folder, extra):
    clear(folder)
    t.works("correct", folder / "in.h5ad", folder / "out.h5ad", *BASE, *extra,
            "-q")
    return contents(folder / "out.h5ad")


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    for seed, file in enumerate(("in.h5ad", "other.h5ad")):
        t.works("simulate", where / file, "--points", 1500, "--dims", 20,
                "--batches", 4, "--seed", seed)
    plain, twice, weighed, bounded = (
        undisturbed(where, e) for e in (PAPER, PASSES, NYSTROM, BOUNDED))
    inputs = [where / "in.h5ad", where / "other.h5ad"]
    # The longest first.
    checks = [(check_many_stops, twice), (check_refusals,),
              (check_time_limit, plain), (check_failure_first,)]
    if platform.machine() == "x86_64":
        checks.append((check_processors,))
    for turn, point in enumerate(("keep", "fill", "publish")):
        checks.append((check_writing, plain, point))
        for count in (1, 2 + turn, 5):
            checks.append((check_stop, plain, PAPER, "kill", point, count,
                           count % 3 + 1, turn % 4 + 1))
        checks.append((check_stop, twice, PASSES, "kill", point, 14, 2, 3))
    checks.append((check_stop, plain, PAPER, "int", "row", 30, 2, 3))
    turn = 0
    for way in ("term", "usr1", "kill"):
        for count in (1, 11, 25, 40, 58, 66):
            checks.append((check_stop, plain, PAPER, way, "row", count,
                           turn % 4 + 1, (turn + 1 + turn // 4) % 4 + 1))
            turn += 1
    for n in ((1, 3), (3, 2)):
        checks += [
            (check_stop, plain, PAPER, "kill", "correct", 1, *n),
            (check_stop, plain, PAPER, "kill", "write", 2, *n),
            (check_stop, twice, PASSES, "kill", "row", 95, *n),
            (check_stop, twice, PASSES, "term", "row", 118, *n),
            (check_stop, twice, PASSES, "kill", "correct", 3, *n),
            (check_stop, twice, [*PASSES, "--stream", "on"], "term", "row",
             118, *n),
            (check_stop, bounded, BOUNDED, "term", "row", 95, *n),
            (check_stop, bounded, BOUNDED, "kill", "row", 230, *n),
            (check_stop, bounded, BOUNDED, "kill", "correct", 2, *n)]
    checks.append((check_stop, weighed, NYSTROM, "term", "row", 64, 2, 4))
    for turn, point in enumerate(("open", "read", "space", "eigen", "sample",
                                  "publish", "correct", "create", "write",
                                  "finish")):
        checks.append((check_phase, plain, PAPER, point, turn % 3 + 1,
                       turn < 7))
    checks += [(check_phase, twice, PASSES, "correct", 2, True),
               (check_phase, weighed, NYSTROM, "invert", 2, True),
               (check_nothing_to_keep, plain),
               *((check_signal_to_launcher, twice, number)
                 for number in (signal.SIGUSR1, signal.SIGTERM))]
    t.side_by_side(inputs, checks)
    t.check(len(stops) > 20, f"only {len(stops)} runs were stopped")
t.end()
