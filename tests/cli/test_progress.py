"""Progress on a terminal and in a log, and the last line.

usage: test_progress.py PROGRAM LAUNCHER...
"""
import fcntl
import math
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time

from common import Tests

t = Tests(sys.argv[1], sys.argv[2:])
LINE = re.compile(r"balans: sample: \d+ rows, [\d.]+ % covered, \d+ landmarks"
                  r", \d+:\d\d elapsed(, \d+:\d\d left)?")
WIDTH = 100


def command(folder):
    return ["correct", folder / "in.h5ad", folder / "out.h5ad", "--batch",
            "batch", "--pca", 5, "--force"]


def check_last(line, folder):
    t.check(re.fullmatch(rf"balans: wrote '{folder}/out.h5ad' in [\d.]+ s",
                         line), f"last line: {line!r}")


def check_log(folder):
    """Lines further and further apart, under a launcher too."""
    start = time.monotonic()
    run = t.works(*command(folder), ranks=2,
                  env={"BAL_FAULT": "row:0:slow:40"})
    took = time.monotonic() - start
    lines = run.stderr.rstrip("\n").split("\n")
    found = [s for s in lines if LINE.fullmatch(s)]
    most = 1 + math.log(max(took, 5) / 5) / math.log(1.5)
    t.check(1 <= len(found) <= most, f"{took:.1f} s: {run.stderr}")
    t.check("\r" not in run.stderr and "\033" not in run.stderr,
            f"drawn into a log: {run.stderr!r}")
    check_last(lines[-1], folder)


def run_on_terminal(args, env):
    """What is seen on a terminal of WIDTH columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, WIDTH, 0, 0))
    run = subprocess.Popen([t.program, *map(str, args)], stderr=its,
                           stdin=subprocess.DEVNULL,
                           env={**os.environ, **env})
    os.close(its)
    seen = b""
    while True:
        try:
            now = os.read(ours, 65536)
        except OSError:  # the other end is closed
            now = b""
        if not now:
            break
        seen += now
    os.close(ours)
    t.check(run.wait() == 0, f"on a terminal: {seen!r}")
    return seen.decode()


def check_terminal(folder):
    start = time.monotonic()
    seen = run_on_terminal(command(folder), {"BAL_FAULT": "row:0:slow:5"})
    took = time.monotonic() - start
    drawn = seen.replace("\r\n", "\r").split("\r")
    drawn = [s.removeprefix("\033[K") for s in drawn]
    found = [s for s in drawn if LINE.fullmatch(s)]
    t.check(1 <= len(found) <= 4 * took + 1, f"{took:.1f} s: {seen!r}")
    t.check(all(len(s) < WIDTH for s in found), f"too long: {found}")
    t.check("left" in seen, f"no time left: {seen!r}")
    t.check(len(found) == 1 or "\033[K" in seen, f"not redrawn: {seen!r}")
    check_last(drawn[-2], folder)


with tempfile.TemporaryDirectory() as name:
    where = pathlib.Path(name)
    run = t.works("simulate", where / "in.h5ad", "--points", 3000, "--dims", 10,
                  "--batches", 3)
    t.check(run.stderr.startswith(f"balans: wrote '{where}/in.h5ad' in "),
            f"simulate: {run.stderr!r}")
    check_log(where)
    check_terminal(where)
t.end()
