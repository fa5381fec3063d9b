"""docs/scaling.md and its figure say what bench/scaling.py makes of the runs.

usage: scaling.py SOURCE_ROOT
"""
import pathlib
import subprocess
import sys
import tempfile

root = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    figure = pathlib.Path(folder) / "scaling.svg"
    out = subprocess.run(
        [sys.executable, root / "bench/scaling.py",
         root / "docs/scaling-runs.csv", "--simgrid",
         root / "docs/scaling-simgrid.csv", "--svg", figure],
        check=True, capture_output=True, text=True).stdout
    same = figure.read_text() == (root / "docs/scaling.svg").read_text()
text = (root / "docs/scaling.md").read_text()
missing = [line for line in out.splitlines() if line not in text]
for line in missing:
    print("docs/scaling.md lacks:", line)
if not same:
    print("docs/scaling.svg is another figure")
sys.exit(bool(missing) or not same)
