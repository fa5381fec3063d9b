"""Memory is what the formula says: the dry run's figure with what it says of
each affinity, and what it expects with all of them, bound what a rank takes,
within a tenth.

usage: test_memory.py PROGRAM LAUNCHER...
"""
import json
import os
import pathlib
import re
import sys
import tempfile

from common import Tests

t = Tests(sys.argv[1], sys.argv[2:])
UNIT = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def peak_of(*args):
    """Largest resident set of a run without a launcher, as the system saw it."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.execv(t.program, [t.program, *map(str, args)])
    _, status, usage = os.wait4(child, 0)
    t.check(os.waitstatus_to_exitcode(status) == 0, f"{args} failed")
    return usage.ru_maxrss * 1024


def promised(*args):
    """Bytes without affinities, for each of them, and with those expected."""
    text = t.works(*args, "--dry-run").stdout
    figure = re.search(r"memory per rank +([0-9.]+) (\w+) at most .* up to "
                       r"(\d+) bytes for each affinity", text)
    most = re.search(r"memory in all +.* to ([0-9.]+) (\w+) a rank", text)
    t.check(figure is not None and most is not None, f"no figures in {text!r}")
    return (float(figure[1]) * UNIT[figure[2]], int(figure[3]),
            float(most[1]) * UNIT[most[2]])


def compare(folder, source, memory, *options):
    out, report = folder / "out.h5ad", folder / "report.json"
    args = ["correct", source, out, "--batch", "batch", "--memory-per-rank",
            memory, "--force", *options]
    bare, each, expected = promised(*args)
    peak = peak_of(*args, "--report", report)
    run = json.loads(report.read_text())
    formula = run["memory"]["formula_max"]
    most = bare + each * run["result"]["n_affinities"]
    for bound in (most, expected, formula):
        t.check(peak <= 1.1 * bound, f"{memory} {options}: {peak} over {bound}")
    t.check(abs(run["memory"]["rss_peak_max"] - peak) < 2**22,
            f"the report says {run['memory']['rss_peak_max']}, not {peak}")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for shape in ((60000, 10, 10), (20000, 400, 500)):
        points, dims, clusters = shape
        source = folder / "in.h5ad"
        t.works("simulate", source, "--points", points, "--dims", dims,
                "--clusters", clusters, "--force", "--quiet")
        for memory in ("16M", "64M", "auto"):
            compare(folder, source, memory)
        compare(folder, source, "64M", "--config", "paper")
        compare(folder, source, "32M", "--landmarks", "auto",
                "--save-affinity", "--threads", "2")
        compare(folder, source, "24M", "--stream", "on")
t.end()
