"""What the tests of the command line share."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

SKIP = 77
TIMEOUT = 120


def said(stderr):
    """What the program said: Open MPI 5 adds a word of its own, between lines
    of dashes, on processes that end with an error."""
    return re.sub(r"^-{60,}\n\w+ detected that.*?^-{60,}\n", "", stderr,
                  flags=re.M | re.S)


def need_h5py():
    """Goes on only in a Python that has h5py: this one, or the system's."""
    try:
        import h5py  # noqa: F401
        return
    except ImportError:
        pass
    system = "/usr/bin/python3"
    if "BALANS_TEST_PYTHON" not in os.environ and os.path.exists(system):
        os.environ["BALANS_TEST_PYTHON"] = system
        os.execv(system, [system, *sys.argv])
    print("skipped: no h5py")
    sys.exit(SKIP)


class Tests:
    """Runs the program and counts what is wrong."""

    def __init__(self, program, launch):
        self.program, self.launch = program, launch
        self.checks = self.bad = 0
        self.lock = threading.Lock()

    def run(self, *args, ranks=1, env=None):
        """A finished run; its return code is None if it did not end.  One rank
        is started without a launcher, as on a laptop."""
        launch = [*self.launch, str(ranks)] if ranks > 1 else []
        command = [*launch, self.program, *map(str, args)]
        try:
            run = subprocess.run(command, capture_output=True, text=True,
                                 timeout=TIMEOUT, stdin=subprocess.DEVNULL,
                                 env={**os.environ, **(env or {})})
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, None, "",
                                               f"no end within {TIMEOUT} s")
        run.stderr = said(run.stderr)
        return run

    def check(self, ok, what):
        with self.lock:
            self.checks += 1
            if not ok:
                self.bad += 1
                print("wrong:", what)
        return ok

    def fails(self, code, words, *args, ranks=1, env=None):
        """A run that fails with this code and one line with these words."""
        run = self.run(*args, ranks=ranks, env=env)
        line = run.stderr.rstrip("\n")
        self.check(run.returncode == code and line.startswith("balans: ")
                   and "\n" not in line and not run.stdout
                   and all(w in line for w in words),
                   f"{' '.join(map(str, args))} on {ranks}: "
                   f"code {run.returncode} instead of {code}, wanted "
                   f"{words}, stdout {run.stdout[:200]!r}, "
                   f"stderr {run.stderr!r}")

    def works(self, *args, ranks=1, env=None):
        run = self.run(*args, ranks=ranks, env=env)
        self.check(run.returncode == 0,
                   f"{' '.join(map(str, args))} on {ranks}: code "
                   f"{run.returncode}, stderr {run.stderr!r}")
        return run

    def side_by_side(self, inputs, checks):
        """Runs checks that wait for most of their time, a launcher's end, a
        timeout.  Each is a function and what it takes after a folder of its
        own, in which it finds copies of the files `inputs`."""
        def one(check, *args):
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                for path in inputs:
                    shutil.copy(path, folder)
                check(folder, *args)

        with concurrent.futures.ThreadPoolExecutor(
                4 * (os.cpu_count() or 1)) as pool:
            for done in [pool.submit(one, *c) for c in checks]:
                done.result()

    def end(self):
        print(f"{self.checks} checks, {self.bad} wrong")
        sys.exit(1 if self.bad else 0)
