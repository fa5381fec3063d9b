"""docs/comparison.md, its tables and figures, and the README's table say what
bench/peers/report.py makes of the results that are kept.

usage: comparison.py SOURCE_ROOT
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

FILES = ["comparison.md", "comparison-table1.csv", "comparison-table2.csv",
         "comparison-umap.svg", "comparison-time.svg"]

root = pathlib.Path(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    made, readme = pathlib.Path(folder), pathlib.Path(folder) / "README.md"
    shutil.copy(root / "README.md", readme)
    subprocess.run([sys.executable, root / "bench/peers/report.py", "--docs", made,
                    "--readme", readme], check=True)
    other = [f for f in FILES
             if (made / f).read_bytes() != (root / "docs" / f).read_bytes()]
    if readme.read_bytes() != (root / "README.md").read_bytes():
        other.append("README.md")
for name in other:
    print(f"{name} is not what 'bench/peers/run.sh figures' makes")
sys.exit(bool(other))
