"""Tables to .h5ad, and .h5ad to tables."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd

from . import _obs, _sources
from ._errors import Error, some
from ._progress import bar
from ._values import Spool, Values

PREFIX = "Metadata_"
_NONFINITE = re.compile(
    r"error|drop-rows|median|drop-features(:(0?\.\d+|0|1|0\.|1\.0*))?")


@dataclass
class Plan:
    """What becomes of tables; the options of balans-convert."""

    metadata: Sequence[str] = ()  # columns of obs besides Metadata_...
    joins: Sequence[tuple[Path, list[str]]] = ()  # table, columns to join on
    batch_from: Sequence[str] = ()  # columns of the joint column 'batch'
    nonfinite: str = "error"
    normalize: str | None = None  # "mad" or "standard"
    by: Sequence[str] = ()
    controls: str | None = None  # COLUMN=VALUE
    force: bool = False
    progress: bool | None = None
    said: list[str] = field(default_factory=list)  # what there is to know

    def check(self) -> None:
        steps = self.nonfinite_steps()
        wrong = [s for s in self.nonfinite.split(",")
                 if not _NONFINITE.fullmatch(s)]
        if wrong or (not steps and self.nonfinite != "error"):
            raise Error(f"cannot take '{self.nonfinite}' for --nonfinite: it "
                        "is error, drop-features, drop-features:SHARE (0 to "
                        "1), drop-rows, median, or several with commas", 2)
        if self.normalize not in (None, "mad", "standard"):
            raise Error(f"cannot normalise by '{self.normalize}': it is mad "
                        "or standard", 2)
        if self.normalize is None and (self.by or self.controls):
            raise Error("cannot use --by or --controls without --normalize", 2)
        if self.normalize is not None and not self.by:
            raise Error("cannot normalise without --by; give the column of the "
                        "plate, such as --by Metadata_Plate", 2)
        if self.controls is not None and "=" not in self.controls:
            raise Error(f"cannot take '{self.controls}' for --controls; give "
                        "COLUMN=VALUE, such as Metadata_pert_type=negcon", 2)

    def nonfinite_steps(self) -> list[str]:
        return [s for s in self.nonfinite.split(",") if s != "error"]


# ---- which columns are what ----


@dataclass
class _Columns:
    metadata: list[str]
    features: list[str]


def _columns_of(sources: list[_sources.Source], plan: Plan) -> _Columns:
    first = sources[0]
    shared = [n for n in first.kinds
              if all(n in s.kinds for s in sources[1:])]
    for name in plan.metadata:
        if name not in shared:
            where = next(s.path for s in sources if name not in s.kinds)
            raise Error(f"cannot find column '{name}' of --metadata in "
                        f"'{where}'", 2)
    columns = _Columns([], [])
    neither = []
    for name in shared:
        kinds = {s.kinds[name] for s in sources}
        is_metadata = name.startswith(PREFIX) or name in plan.metadata
        if is_metadata and "other" not in kinds:
            columns.metadata.append(name)
        elif (not is_metadata and "number" in kinds
              and kinds <= {"number", "empty"}
              and not _sources.is_row_index(name)):
            columns.features.append(name)
        else:
            neither.append(name)
    _say_dropped(sources, shared, neither, plan)
    if not columns.features:
        scope = " in all files" if len(sources) > 1 else ""
        raise Error(f"cannot find a feature in '{first.path}': no column but "
                    f"metadata is numeric{scope}")
    return columns


def _say_dropped(sources: list[_sources.Source], shared: list[str],
                 neither: list[str], plan: Plan) -> None:
    if neither:
        plan.said.append(
            "left out, neither metadata nor numeric: "
            + ", ".join(n or "(a column without a name)" for n in neither))
    every: dict[str, int] = {}
    for s in sources:
        for name in s.kinds:
            every[name] = every.get(name, 0) + 1
    dropped = [f"{n} (in {count})" for n, count in every.items()
               if n not in shared]
    if dropped:
        plan.said.append(f"left out, not in all {len(sources)} files: "
                         + ", ".join(dropped))


# ---- tables to .h5ad ----


def to_h5ad(inputs: list[Path], output: Path, plan: Plan) -> tuple[int, int]:
    """Returns numbers of profiles and features.

    Inputs: tables, and folders of tables; profiles come in this order.  Memory:
    a few hundred MB and obs; on disk, beside the output, the matrix once more
    while it is being made.
    """
    plan.check()
    paths = _sources.find_tables(inputs)
    refuse(output, paths + [j[0] for j in plan.joins], plan.force)
    sources = [_sources.open_source(p) for p in paths]
    columns = _columns_of(sources, plan)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.",
                                     dir=output.parent) as folder:
        spool = Spool(Path(folder) / "values", columns.features,
                      _width(sources, columns, plan))
        obs, ends = _read(sources, columns, spool, plan)
        obs = _complete(obs, plan)
        values = Values(spool)
        _normalise(values, obs, plan)
        plan.said += values.make_finite(plan.nonfinite_steps(),
                                        _row_namer(paths, ends))
        part = Path(folder) / "output"
        shape = _write(part, obs, values, plan)
        os.replace(part, output)
    return shape


def refuse(output: Path, inputs: list[Path], force: bool) -> None:
    for path in inputs:
        if path.exists() and output.exists() and path.samefile(output):
            raise Error(f"cannot write '{output}': it is an input", 2)
    if output.exists() and not force:
        raise Error(f"cannot write '{output}': it is there already; --force "
                    "overwrites it", 2)
    if not output.parent.is_dir():
        raise Error(f"cannot write '{output}': there is no folder "
                    f"'{output.parent}'")


def _width(sources: list[_sources.Source], columns: _Columns, plan: Plan
           ) -> type:
    """float64 where normalising could use more than float32 has."""
    narrow = {"float", "halffloat", "int8", "uint8", "int16", "uint16", "null"}
    if plan.normalize is None or all(s.types[name] in narrow for s in sources
                                     for name in columns.features):
        return np.float32
    return np.float64


def _read(sources: list[_sources.Source], columns: _Columns, spool: Spool,
          plan: Plan) -> tuple[pd.DataFrame, list[int]]:
    """obs, and the number of rows up to the end of each source."""
    metadata, ends = _obs.Metadata(sources, columns.metadata), []
    known = [s.rows for s in sources if s.rows is not None]
    total = sum(known) if len(known) == len(sources) else None
    progress = bar(plan.progress, "read", total, unit=" profiles")
    with contextlib.closing(progress):
        for source in sources:
            for batch in _sources.read_batches(source, columns.metadata,
                                               columns.features):
                metadata.add(batch)
                spool.add(batch)
                progress.update(batch.num_rows)
            ends.append(spool.rows)
    if not spool.rows:
        raise Error(f"cannot find a profile in '{sources[0].path}'")
    return metadata.frame(spool.rows), ends


def _complete(obs: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    for path, on in plan.joins:
        obs, new, known = _obs.join(obs, path, on)
        if not new:
            plan.said.append(f"'{path}' has no new column")
        if known:
            plan.said.append(f"left out of '{path}', there already: "
                             + ", ".join(known))
    if plan.batch_from:
        _obs.joint_column(obs, list(plan.batch_from), "batch")
    return obs


def _normalise(values: Values, obs: pd.DataFrame, plan: Plan) -> None:
    if plan.normalize is None:
        return
    keys = obs.copy(deep=False)
    _obs.joint_column(keys, list(plan.by), " by")
    groups = pd.Categorical(keys[" by"])
    if (groups.codes < 0).any():
        raise Error(f"cannot normalise by {', '.join(plan.by)}: profile "
                    f"{int(np.argmin(groups.codes))} has no value there")
    controls = np.ones(len(obs), bool)
    if plan.controls is not None:
        name, _, value = plan.controls.partition("=")
        if name not in obs:
            raise Error(f"cannot find column '{name}' of --controls; there "
                        f"are: {some(list(obs))}", 2)
        controls = (_obs.text_of(obs[name]) == value).to_numpy()
    values.normalise(plan.normalize, groups.codes.astype(np.int64),
                     list(groups.categories), controls)


def _row_namer(paths: list[Path], ends: list[int]) -> Any:
    def name(row: int) -> str:
        if len(paths) == 1:
            return f"row {row}"
        at = int(np.searchsorted(ends, row, side="right"))
        return f"row {row - (ends[at - 1] if at else 0)} of '{paths[at].name}'"
    return name


def _write(path: Path, obs: pd.DataFrame, values: Values, plan: Plan
           ) -> tuple[int, int]:
    """obs and var by anndata, the matrix block by block."""
    names = [n for n, kept in zip(values.names, values.features) if kept]
    obs = obs[values.rows]
    obs = pd.DataFrame({c: _without_unused(obs[c]) for c in obs})
    obs.index = _obs.row_names(int(values.rows.sum()))
    var = pd.DataFrame(index=pd.Index(names, dtype=object))
    anndata.AnnData(obs=obs, var=var).write_h5ad(path)
    progress = bar(plan.progress, "write", len(obs), unit=" profiles")
    with h5py.File(path, "r+") as f, contextlib.closing(progress):
        if "X" in f:
            del f["X"]
        x = f.create_dataset("X", (len(obs), len(names)), np.float32)
        x.attrs["encoding-type"] = "array"
        x.attrs["encoding-version"] = "0.2.0"
        row = 0
        for block in values.blocks():
            x[row:row + len(block)] = block
            row += len(block)
            progress.update(len(block))
    return len(obs), len(names)


def _without_unused(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories()
    return column
