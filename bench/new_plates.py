#!/usr/bin/env python3
"""What a model loses against correcting all together: a table in Markdown.

    bench/new_plates.py PROGRAM DATA... [--seeds N] [--options TEXT]

Two designs for each set and seed: random halves of each batch, and all but one
batch's wells of half the labels.  A model is fitted to one part and applied to
the other, the rest; what 'balans evaluate' says of the rest is compared with the
rest of a correction of all.  Scores are those of standardised profiles, as in
quality.py; the loss is given as mean and standard deviation over the seeds.
Needs numpy and h5py.
"""
import argparse
import pathlib
import shlex
import statistics
import sys
import tempfile

import h5py
import numpy as np
from quality import Bench

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests/cli"))
from h5ad import write  # noqa: E402

SCORES = [("avg_all", "all"), ("map", "replicates")]


def column(path, name):
    with h5py.File(path, "r") as f:
        group = f["obs"][name]
        if isinstance(group, h5py.Dataset):
            return group.asstr()[:].astype(str)
        return group["categories"].asstr()[:].astype(str)[group["codes"][:]]


def matrix(path):
    with h5py.File(path, "r") as f:
        return f["X"][:], f["var"][f["var"].attrs["_index"]].asstr()[:]


def random_halves(batch, label, r):
    """The rest: every other well of each batch, at random."""
    rest = np.zeros(len(batch), bool)
    for name in sorted(set(batch)):
        wells = r.permutation(np.flatnonzero(batch == name))
        rest[wells[:len(wells) // 2]] = True
    return rest


def half_the_labels(batch, label, r):
    """The rest: one batch's wells of half the labels."""
    out = r.choice(sorted(set(batch)))
    labels = r.permutation(sorted(set(label)))
    return (batch == out) & np.isin(label, labels[:len(labels) // 2])


DESIGNS = [("random halves", random_halves),
           ("one batch's wells of half the labels", half_the_labels)]


class Trial:
    def __init__(self, bench, path, options, seed):
        self.bench, self.options, self.seed = bench, options, seed
        self.x, self.features = matrix(path)
        self.batch, self.label = column(path, "batch"), column(path, "label")

    def file(self, name, rows, x=None):
        return write(self.bench.folder / name,
                     (self.x if x is None else x)[rows], self.batch[rows],
                     self.features, label=self.label[rows])

    def three(self, rest):
        """Scores without correction, of all together, by a model; of all points
        where the rest is of one batch."""
        b, every = self.bench, np.ones(len(rest), bool)
        shown = rest if len(set(self.batch[rest])) > 1 else every
        common = ["--batch", "batch", *self.options, "--seed", self.seed]
        whole, model = self.file("whole.h5ad", every), b.folder / "model.h5"
        b.run("correct", whole, b.folder / "together.h5ad", *common, "--force")
        fitted = self.file("fitted.h5ad", ~rest)
        b.run("correct", fitted, b.folder / "fitted_out.h5ad", *common,
              "--save-model", model, "--force")
        b.run("apply", model, self.file("rest.h5ad", rest),
              b.folder / "rest_out.h5ad", "--force")
        by_model = np.empty_like(self.x)
        by_model[~rest] = matrix(b.folder / "fitted_out.h5ad")[0]
        by_model[rest] = matrix(b.folder / "rest_out.h5ad")[0]
        source = self.file("shown.h5ad", shown)
        together = matrix(b.folder / "together.h5ad")[0]
        return [b.judge(source, self.file("out.h5ad", shown, x), self.seed)
                for x in (self.x, together, by_model)]


def print_row(name, design, found):
    cells = []
    for key, _ in SCORES:
        values = np.array([[s[key] for s in three] for three in found])
        loss = list(values[:, 1] - values[:, 2])
        spread = statistics.stdev(loss) if len(loss) > 1 else 0
        cells.append(" | ".join([f"{v:.3f}" for v in values.mean(axis=0)] +
                                [f"{np.mean(loss):.3f} ({spread:.3f})"]))
    print(f"| {name}, {design} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("data", nargs="+", help=".h5ad with 'batch', 'label'")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--options", default="", help="of the correction")
    args = parser.parse_args()
    titles = " | ".join(f"{title}: none | together | by a model | lost"
                        for _, title in SCORES)
    print(f"| data | {titles} |\n| --- {'| --: ' * 8}|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.program, folder)
        for path in map(pathlib.Path, args.data):
            for design, choose in DESIGNS:
                found = []
                for seed in range(args.seeds):
                    trial = Trial(bench, path, shlex.split(args.options), seed)
                    rest = choose(trial.batch, trial.label,
                                  np.random.default_rng(seed))
                    found.append(trial.three(rest))
                print_row(path.stem, design, found)


if __name__ == "__main__":
    main()
