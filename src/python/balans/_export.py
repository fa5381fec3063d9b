""".h5ad to tables: metadata first, then the numbers."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from ._convert import PREFIX, refuse
from ._errors import Error
from ._progress import bar
from ._sources import BUDGET, SUFFIXES, is_table

Array = np.ndarray[Any, Any]


def to_table(path: Path, output: Path, *, matrix: str = "X",
             obsm: str | None = None, force: bool = False,
             progress: bool | None = None) -> tuple[int, int]:
    """Returns numbers of profiles and features; see balans-convert.

    Memory: a few hundred MB and obs.
    """
    if not is_table(output):
        raise Error(f"cannot write '{output}' as a table; tables end with "
                    f"{', '.join(SUFFIXES)}", 2)
    refuse(output, [path], force)
    if not path.exists():
        raise Error(f"cannot find '{path}'")
    with _open(path) as f:
        element = _element(f, f"obsm/{obsm}" if obsm else matrix)
        rows_of, (n, d) = _reader(element)
        names = (_numbered(obsm, d) if obsm is not None
                 else [str(name) for name in _read_frame(f, "var").index])
        if len(names) != d:
            raise Error(f"cannot write '{matrix}' of '{path}': it has {d} "
                        f"columns, and var names {len(names)} features; use "
                        "--obsm for coordinates")
        obs = _Metadata(_read_frame(f, "obs"))
        twins = sorted(set(obs.names) & set(names))
        if twins:
            raise Error(f"cannot write '{output}': '{twins[0]}' is both a "
                        "column of obs and a feature")
        schema = pa.schema(list(obs.fields)
                           + [pa.field(name, pa.float32()) for name in names])
        step = max(1, 2 * BUDGET // (4 * max(1, d)))
        with _writer(output, schema) as write, contextlib.closing(
                bar(progress, "write", n, unit=" profiles")) as shown:
            for first in range(0, n, step):
                last = min(first + step, n)
                block = np.ascontiguousarray(rows_of(first, last).T)
                arrays = obs.slice(first, last) + [pa.array(c) for c in block]
                write(pa.Table.from_arrays(arrays, schema=schema))
                shown.update(last - first)
    return n, d


# ---- an .h5ad file, without its large parts ----


def _open(path: Path) -> h5py.File:
    try:
        f = h5py.File(path, "r")
    except OSError as e:
        raise Error(f"cannot read '{path}' as .h5ad: {e}") from None
    if "obs" not in f or "var" not in f:
        f.close()
        raise Error(f"cannot read '{path}' as .h5ad: it has no obs and var")
    return f


def _read_frame(f: h5py.File, name: str) -> pd.DataFrame:
    try:
        from anndata.io import read_elem
    except ImportError:  # before 0.11
        from anndata.experimental import read_elem
    return read_elem(f[name])


def _element(f: h5py.File, name: str) -> Any:
    if name in f and name.split("/")[0] in ("X", "layers", "obsm"):
        return f[name]
    there = ["X"] * ("X" in f) + [f"{g}/{k}" for g in ("layers", "obsm")
                                  if g in f for k in f[g]]
    raise Error(f"cannot find '{name}' in '{f.filename}', which has: "
                f"{', '.join(there)}", 2)


def _reader(element: Any) -> tuple[Callable[[int, int], Array],
                                   tuple[int, int]]:
    """A function of first row and end to float32 [rows, columns], and the
    shape."""
    if isinstance(element, h5py.Dataset):
        if element.ndim != 2:
            raise Error(f"cannot write '{element.name}': it is no matrix")
        return (lambda a, b: element[a:b].astype(np.float32)), element.shape
    kind = element.attrs.get("encoding-type", "")
    if kind != "csr_matrix":
        raise Error(f"cannot write '{element.name}': it is stored as "
                    f"'{kind or 'a group'}'; dense and csr_matrix can be")
    shape = tuple(int(v) for v in element.attrs["shape"])
    pointer = element["indptr"][:]

    def rows(a: int, b: int) -> Array:
        out = np.zeros((b - a, shape[1]), np.float32)
        part = slice(int(pointer[a]), int(pointer[b]))
        row = np.repeat(np.arange(b - a), np.diff(pointer[a:b + 1]))
        np.add.at(out, (row, element["indices"][part]), element["data"][part])
        return out

    return rows, (shape[0], shape[1])


def _numbered(obsm: str, d: int) -> list[str]:
    stem = obsm[2:] if obsm.startswith("X_") else obsm
    return [f"{stem}_{j}" for j in range(d)]


# ---- obs as Arrow columns ----


class _Metadata:
    """The columns of obs, those that begin with Metadata_ first, and in front
    of them the names of the profiles if they are more than numbers."""

    def __init__(self, obs: pd.DataFrame) -> None:
        names = [str(c) for c in obs]
        self.names = ([c for c in names if c.startswith(PREFIX)]
                      + [c for c in names if not c.startswith(PREFIX)])
        self._arrays = [_arrow(obs[c]) for c in self.names]
        if list(obs.index) != [str(i) for i in range(len(obs))]:
            name = str(obs.index.name or "obs_names")
            if name in self.names:
                name = "obs_names"
            self.names.insert(0, name)
            self._arrays.insert(0, pa.array(list(map(str, obs.index))))

    @property
    def fields(self) -> Iterator[pa.Field]:
        return (pa.field(n, a.type) for n, a in zip(self.names, self._arrays))

    def slice(self, first: int, last: int) -> list[pa.Array]:
        return [a.slice(first, last - first) for a in self._arrays]


def _arrow(column: pd.Series) -> pa.Array:
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        labels = pa.array([str(v) for v in column.cat.categories], pa.string())
        return labels.take(pa.array(codes, mask=codes < 0))
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufb":
        return pa.array(column.to_numpy())
    values = [None if v is None or v is pd.NA or v != v else v
              for v in column]
    try:
        return pa.array(values)
    except pa.ArrowException:
        return pa.array([None if v is None else str(v) for v in values])


# ---- files ----


@contextlib.contextmanager
def _writer(output: Path, schema: pa.Schema
            ) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables one after the other; the file has its name when all are
    there."""
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.",
                                     dir=output.parent) as folder:
        part = Path(folder) / "output"
        lower = output.name.lower()
        if lower.endswith(".parquet"):
            with pq.ParquetWriter(part, schema) as parquet:
                yield parquet.write_table
        else:
            packing = "gzip" if lower.endswith(".gz") else None
            with pa.output_stream(str(part), compression=packing) as stream, \
                    pc.CSVWriter(stream, schema) as csv:
                yield csv.write
        os.replace(part, output)
