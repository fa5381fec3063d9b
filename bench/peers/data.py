"""The data: real sets where they are, planted difficulties, sizes, files of the user's,
and JUMP.  All that is corrected is a working file in build/peers/data: features of mean
0 and deviation 1, cut off at 10 deviations, and the columns batch, label, control."""
import os
import pathlib
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd

from methods import BASE, FOLDER, ROOT, tidy

sys.path.append(str(ROOT / "bench"))
from quality import SHAPE, SIMULATED, standardised  # noqa: E402

# Points; the paper's synthetic sets have from 500 to 5 million.
SIZES = [500, 5000, 25000, 100000, 350000, 5000000]
REAL = {"varchamp_b20_21": "node_type=NC", "cmqtl_crispri": "gene=CONTROL"}
DESIGNS = {options[0].strip("-") if options else "clean": options
           for _, options in SIMULATED}
DESIGNS |= {"nested": ["--nested"], "unequal": []}
DEFAULT = [*REAL, *DESIGNS]
# Sources and types of plates of Arevalo et al.'s scenarios, and their batches.
TARGETS, ALL = ["TARGET2"], ["COMPOUND", "TARGET2"]
JUMP = {
    "jump1": (["6"], TARGETS, "Metadata_Batch"),
    "jump2": (["2", "6", "10"], TARGETS, "Metadata_Source"),
    "jump3": (["2", "6", "10"], ALL, "Metadata_Source"),
    "jump4": (["2", "3", "6", "8", "10"], TARGETS, "Metadata_Source"),
    "jump5": (["2", "3", "6", "8", "10"], ALL, "Metadata_Source"),
}
JUMP_CONTROL = "Metadata_JCP2022=JCP2022_033924"


class Absent(Exception):
    """The data are not to be had here."""


def program(*args):
    subprocess.run([os.environ["BALANS"], *map(str, args), "-q"], check=True,
                   stdout=subprocess.DEVNULL)


def simulated(points, dims):
    """A file for timing, as 'balans simulate' writes it."""
    path = FOLDER / "data" / f"speed-{points}.h5ad"
    path.parent.mkdir(parents=True, exist_ok=True)
    program("simulate", path, "--points", points, "--dims", dims, "--force")
    return path


def designed(name, seed):
    """A design drawn with this seed; 'unequal' keeps fewer of each further batch."""
    path = FOLDER / "data" / f"{name}.{seed}.drawn.h5ad"
    shape = list(SHAPE)
    if name == "unequal":
        shape[shape.index("--points") + 1] = "7500"
    program("simulate", path, *shape, *DESIGNS[name], "--seed", seed, "--force")
    drawn = anndata.read_h5ad(path)
    path.unlink()
    if name == "unequal":
        keep = 0.6 ** drawn.obs["batch"].cat.codes.to_numpy()
        drawn = drawn[np.random.default_rng(seed).random(len(keep)) < keep].copy()
    return drawn


def jump():
    """All profiles of JUMP, by the steps of jobs/jump.sbatch."""
    folder = FOLDER / "data/jump"
    folder.mkdir(parents=True, exist_ok=True)
    convert = folder / "convert"
    convert.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}/src/python' exec '{BASE}' "
                       "-m balans.convert \"$@\"\n")
    convert.chmod(0o755)
    ran = subprocess.run(["bash", ROOT / "jobs/jump.sbatch", "fetch", "convert"],
                         env={**os.environ, "FOLDER": str(folder),
                              "CONVERT": str(convert)}, capture_output=True, text=True)
    if ran.returncode:
        said = tidy(ran.stderr.replace("curl: ", "\ncurl: "))
        raise Absent(f"JUMP's profiles were not fetched and converted: {said}")
    return folder / "profiles.h5ad"


def scenario(name):
    sources, types, batch = JUMP[name]
    every = anndata.read_h5ad(jump(), backed="r")
    chosen = (every.obs["Metadata_Source"].astype(str).isin(
                  [f"source_{s}" for s in sources])
              & every.obs["Metadata_PlateType"].astype(str).isin(types))
    if not chosen.any():
        raise Absent("the file has no plates of it")
    return every[chosen.to_numpy()].to_memory(), batch


def prepare(profiles, path, batch, label, control):
    """Writes the working file."""
    for column in filter(None, (batch, label, control.split("=")[0])):
        if column not in profiles.obs:
            raise Absent(f"there is no column '{column}' in obs")
    profiles = profiles[profiles.obs[[batch, label]].notna().all(axis=1).to_numpy()]
    x = profiles.X.toarray() if hasattr(profiles.X, "toarray") else profiles.X
    obs = pd.DataFrame({
        "batch": pd.Categorical(profiles.obs[batch].astype(str)),
        "label": pd.Categorical(profiles.obs[label].astype(str)),
    }, index=[str(i) for i in range(len(x))])
    if control:
        column, value = control.split("=", 1)
        obs["control"] = (profiles.obs[column].astype(str) == value).to_numpy()
        if not obs["control"].any():
            raise Absent(f"no profile has '{value}' in '{column}'")
    x = np.asarray(x, dtype=float)
    x = standardised(x, x).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    anndata.AnnData(x, obs=obs).write_h5ad(path)


class Set:
    """A data set by name; source(seed) is its working file."""

    def __init__(self, name, args):
        self.given, self.args, self.ready = name, args, False
        self.name = pathlib.Path(name).stem if name.endswith(".h5ad") else name
        known = name.endswith(".h5ad") or name in [*REAL, *DESIGNS, *JUMP]
        if not known:
            raise Absent(f"there is no such set; there are: {' '.join(DEFAULT)} "
                         f"{' '.join(JUMP)}, or a file .h5ad")

    def source(self, seed):
        if self.given in DESIGNS:
            path = FOLDER / "data" / f"{self.name}.{seed}.h5ad"
            if not path.exists():
                drawn = designed(self.name, seed)
                most = drawn.obs["label"].value_counts().index[0]
                prepare(drawn, path, "batch", "label", f"label={most}")
            return path
        path = FOLDER / "data" / f"{self.name}.h5ad"
        if not self.ready and not (self.given in JUMP and path.exists()):
            prepare(*self.profiles(path))
        self.ready = True
        return path

    def profiles(self, path):
        if self.given in JUMP:
            profiles, batch = scenario(self.given)
            return profiles, path, batch, "Metadata_JCP2022", JUMP_CONTROL
        if self.given in REAL:
            found = ROOT.parent / "shared/data" / f"{self.given}.h5ad"
            columns = ["batch", "label", REAL[self.given]]
        else:
            found = pathlib.Path(self.given)
            columns = [self.args.batch, self.args.label, self.args.control]
        if not found.exists():
            raise Absent(f"there is no '{found.name}'")
        return anndata.read_h5ad(found), path, *columns
