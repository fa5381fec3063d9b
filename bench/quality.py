#!/usr/bin/env python3
"""How good the forms of the correction are: a table in Markdown.

    bench/quality.py PROGRAM [--data FOLDER] [--seeds N]

Corrects synthetic designs, and the real sets that are in FOLDER, by each form with
seeds 0 to N - 1, and gives mean and standard deviation over the seeds of what
'balans evaluate' says of the result.  A synthetic design is drawn anew with each
seed; a real set is the same, so what its raw form varies by is the clustering.
Scores are those of standardised profiles (mean and deviation of the input, cut off
at 10 deviations): in their own units a few features of large numbers would decide.
Needs numpy and h5py.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

import h5py
import numpy as np

FORMS = [
    ("raw", None),
    ("`--config paper`", ["--config", "paper"]),
    ("`--trust off`", ["--trust", "off"]),
    ("default", []),
    ("`--trust strict`", ["--trust", "strict"]),
]
SHAPE = ["--points", "3000", "--dims", "100", "--clusters", "60",
         "--batches", "6"]
SIMULATED = [
    ("simulated, clean", []),
    ("simulated, `--missing 0.5`", ["--missing", "0.5"]),
    ("simulated, `--confounded 0.9`", ["--confounded", "0.9"]),
]
REAL = ["varchamp_b20_21", "cmqtl_crispri"]
SCORES = [("avg_batch", "batch"), ("avg_label", "label"),
          ("avg_all", "all"), ("map", "replicates")]


def standardised(values, x):
    """Values in deviations of x from its mean, cut off at 10."""
    deviation = x.std(0)
    deviation[deviation == 0] = 1
    return np.clip((values - x.mean(0)) / deviation, -10, 10)


def standardise(source, path):
    """Scales the matrix of this file as that of its source."""
    with h5py.File(source, "r") as f:
        x = f["X"][()].astype(float)
    with h5py.File(path, "r+") as f:
        f["X"][...] = standardised(f["X"][()], x).astype("f4")


class Bench:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)

    def run(self, *args):
        subprocess.run([self.program, *map(str, args), "-q"], check=True,
                       stdout=subprocess.DEVNULL)

    def simulate(self, options, seed):
        path = self.folder / "design.h5ad"
        self.run("simulate", path, *SHAPE, *options, "--seed", seed, "--force")
        return path

    def scores(self, source, options, seed):
        """Of this file, corrected with these options; None: as it is."""
        path = self.folder / "out.h5ad"
        if options is None:
            shutil.copy(source, path)
        else:
            self.run("correct", source, path, "--batch", "batch", *options,
                     "--seed", seed, "--force")
        return self.judge(source, path, seed)

    def judge(self, source, path, seed):
        """Of this file, which is standardised as its source."""
        said = self.folder / "scores.json"
        standardise(source, path)
        said.unlink(missing_ok=True)
        self.run("evaluate", path, "--batch", "batch", "--label", "label",
                 "--seed", seed, "--json", said)
        return json.loads(said.read_text())["matrices"]["X"]["scores"]


def print_design(name, found):
    """One row for each form: means, with their deviations."""
    for form, of_seeds in found.items():
        cells = []
        for key, _ in SCORES:
            values = [s[key] for s in of_seeds]
            spread = statistics.stdev(values) if len(values) > 1 else 0
            cells.append(f"{statistics.mean(values):.3f} ({spread:.3f})")
        print(f"| {name} | {form} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description="How good the forms of the correction are.")
    parser.add_argument("program")
    parser.add_argument("--data", default="", help="folder of the real sets")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    designs = [(name, options, None) for name, options in SIMULATED]
    for name in REAL if args.data else []:
        path = pathlib.Path(args.data) / f"{name}.h5ad"
        if path.exists():
            designs.insert(0, (name, None, path))
    titles = " | ".join(title for _, title in SCORES)
    print(f"| data | form | {titles} |\n| --- | --- {'| --: ' * len(SCORES)}|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.program, folder)
        for name, options, path in designs:
            found = {form: [] for form, _ in FORMS}
            for seed in range(args.seeds):
                source = path or bench.simulate(options, seed)
                for form, how in FORMS:
                    found[form].append(bench.scores(source, how, seed))
            print_design(name, found)


if __name__ == "__main__":
    main()
