"""What the tests of the Python package share.

They run in a Python that has the modules they need: the one that starts them,
that of the folder where jobs/test.sh puts pyarrow, or the system's.  With
every=True they run in each that has another anndata, so in old ones and new.
"""
import os
import pathlib
import subprocess
import sys
import unittest

SKIP = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src/python"


def pythons(modules):
    """{version of anndata: Python that has it and the modules}."""
    named = os.environ.get("BALANS_TEST_PYTHONS", "").split(":")
    build = pathlib.Path(os.environ["BALANS"]).parents[1]
    beside = build / "python/bin/python3"
    found = {}
    code = "import anndata, " + ", ".join(modules)
    for python in [*named, str(beside), sys.executable, "/usr/bin/python3"]:
        if not os.access(python, os.X_OK):
            continue
        run = subprocess.run(
            [python, "-W", "ignore", "-c",
             f"{code}\nprint(anndata.__version__)"],
            capture_output=True, text=True)
        if run.returncode == 0:
            found.setdefault(run.stdout.strip().split("\n")[-1], python)
    return found


def main(modules, every=False):
    """usage: test_NAME.py PROGRAM"""
    if "BALANS_TEST_INSIDE" in os.environ:
        sys.path.insert(0, str(PACKAGE))
        unittest.main(argv=sys.argv[:1], verbosity=1)
    os.environ["BALANS"] = str(pathlib.Path(sys.argv[1]).resolve())
    found = pythons(modules)
    if not found:
        print(f"skipped: no Python has anndata and {', '.join(modules)}")
        sys.exit(SKIP)
    code = 0
    for version, python in list(found.items())[:None if every else 1]:
        print(f"anndata {version}", flush=True)
        code |= subprocess.run(
            [python, "-W", "ignore", sys.argv[0]],
            env={**os.environ, "BALANS_TEST_INSIDE": "1",
                 "PYTHONPATH": str(PACKAGE)}).returncode
    sys.exit(code)
