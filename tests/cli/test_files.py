"""Files that stand beside one another: no file replaces another of the same run,
of two runs that write one file one says so, and an input stays what it was.

usage: test_files.py PROGRAM LAUNCHER...
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

from common import TIMEOUT, Tests, need_h5py

need_h5py()
import h5py  # noqa: E402

t = Tests(sys.argv[1], sys.argv[2:])
BASE = ["--batch", "batch", "--pca", 0]


def check_names(folder, good):
    """Names of one file, written in two ways."""
    before = good.read_bytes()
    out = folder / "out.h5ad"
    link = folder / "link.h5ad"
    link.symlink_to("out.h5ad")
    here = folder / "." / "sub" / ".." / "out.h5ad"
    (folder / "sub").mkdir()
    for ranks in (1, 3):
        for options, words in (
                (["--report", good], ["the input", "the report"]),
                (["--report", out], ["the output", "the report"]),
                (["--report", link], ["the output", "the report"]),
                (["--checkpoint", here], ["the output", "the checkpoint"]),
                (["--checkpoint", good], ["the input"]),
                (["--checkpoint", folder / "a", "--report", folder / "a"],
                 ["the report", "the checkpoint"])):
            t.fails(2, words, "correct", good, out, *BASE, *options,
                    ranks=ranks)
        t.fails(2, ["the input", "the scores"], "evaluate", good, "--batch",
                "batch", "--label", "label", "--json", good, ranks=ranks)
    t.check(good.read_bytes() == before, "the input was touched")
    t.check(not out.exists(), "an output of a refused run")
    link.unlink()


def check_leftovers(folder, good):
    """An input that has the name of a temporary file, and what others left."""
    odd = folder / "x.h5ad.partial"
    shutil.copy(good, odd)
    t.works("correct", odd, folder / "x.h5ad", *BASE, "-q")
    t.check(odd.exists() and (folder / "x.h5ad").exists(),
            "the input was removed")
    left = [p.name for p in folder.glob("*.partial") if p != odd]
    t.check(not left, f"left behind: {left}")


def start(*args, **env):
    return subprocess.Popen([sys.argv[1], *map(str, args)], text=True,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                            env={**os.environ, **env})


def seed_of(path):
    with h5py.File(path) as f:
        return int(f["uns/balans/params/seed"][()])


def check_races(folder, good):
    for force in ([], ["--force"]):
        for turn in range(3):
            out = folder / f"race{turn}{len(force)}.h5ad"
            if force:
                out.write_text("old")
            runs = [start("correct", good, out, *BASE, "-q", "--seed", seed,
                          *force, BAL_FAULT="sample:0:slow:1500")
                    for seed in (1, 2)]
            said = [run.communicate(timeout=TIMEOUT)[1] for run in runs]
            codes = [run.returncode for run in runs]
            if not t.check(sorted(codes) == [0, 1], f"race: {codes}, {said}"):
                continue
            t.check(said[codes.index(1)].count("\n") == 1,
                    f"the loser said {said}")
            t.check(seed_of(out) == 1 + codes.index(0),
                    "the file is not that of the run that says so")
    left = [p.name for p in folder.glob("race*.partial")]
    t.check(not left, f"left behind: {left}")


def check_replaced(folder, good):
    """The input is replaced, or changed, while the run is on."""
    mine = folder / "mine.h5ad"
    for way in "replace", "change", "remove":
        out = folder / f"{way}.h5ad"
        shutil.copy(good, mine)
        run = start("correct", mine, out, *BASE,
                    BAL_FAULT="sample:0:slow:1500")
        for line in run.stderr:
            if "profiles" in line:
                break
        if way == "replace":
            shutil.copy(good, folder / "other.h5ad")
            os.replace(folder / "other.h5ad", mine)
        elif way == "change":
            with open(mine, "r+b") as f:
                f.seek(0, 2)
                f.write(b"\0")
        else:
            mine.unlink()
        said = run.communicate(timeout=TIMEOUT)[1]
        t.check(run.returncode == 1 and "mine.h5ad" in said
                and "while the run was on" in said and not out.exists(),
                f"{way}: {run.returncode}, {said!r}")


def check_launchers(folder, good):
    """One process that believes to be alone, but was started among others."""
    out = folder / "alone.h5ad"
    args = ["correct", good, out, *BASE, "-q"]
    for env in ({"PMI_SIZE": "4", "PMI_RANK": "0"},
                {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"}):
        t.fails(2, [next(iter(env)), "mpirun"], *args, env=env)
    run = t.run(*args, env={"PMI_SIZE": "4", "PMI_RANK": "3"})
    t.check(run.returncode == 2 and run.stderr == "",
            f"not the first: {run.returncode}, {run.stderr!r}")
    t.check(not out.exists(), "an output of a process among others")
    t.works(*args, env={"SLURM_STEP_NUM_TASKS": "1", "PMI_SIZE": "1"})


def check_limits(folder):
    """A limit on the size of files is an error of one line.  MPI itself needs
    files of some megabytes."""
    large, out = folder / "large.h5ad", folder / "limited.h5ad"
    t.works("simulate", large, "--points", 20000, "--dims", 256, "-q")
    run = subprocess.run(
        [sys.argv[1], "correct", large, out, *map(str, BASE), "-q",
         "--max-landmarks", "50"],
        capture_output=True, text=True, timeout=TIMEOUT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                              (16 << 20, 16 << 20)))
    left = [p.name for p in folder.glob("limited*")]
    t.check(run.returncode == 1 and run.stderr.count("\n") == 1
            and "limited.h5ad" in run.stderr and not left,
            f"file size: {run.returncode}, {run.stderr!r}, {left}")


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    sound = where / "good.h5ad"
    t.works("simulate", sound, "--points", 600, "--dims", 6, "--batches", 4)
    check_names(where, sound)
    check_leftovers(where, sound)
    check_races(where, sound)
    check_replaced(where, sound)
    check_launchers(where, sound)
    check_limits(where)
t.end()
