"""AnnData objects to the program's files and back."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd

from ._errors import Error, some

_GROUPS = ("obs", "obsm", "varm", "layers", "uns")


@contextmanager
def _quiet() -> Iterator[None]:
    """anndata warns of what is meant here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def matrix_name(layer: str | None, obsm: str | None) -> str:
    """As --matrix names it."""
    if layer is not None and obsm is not None:
        raise Error("cannot use both a layer and obsm; give one", 2)
    if layer is not None:
        return f"layers/{layer}"
    return "X" if obsm is None else f"obsm/{obsm}"


def _matrix(adata: anndata.AnnData, name: str) -> Any:
    group, _, key = name.partition("/")
    if name == "X":
        found = adata.X
    else:
        found = (getattr(adata, group).get(key)
                 if group in ("layers", "obsm") else None)
    if found is None:
        there = [f"layers/{k}" for k in adata.layers] + [
            f"obsm/{k}" for k in adata.obsm]
        raise Error(f"cannot find matrix '{name}'; there are: "
                    f"{', '.join(['X'] * (adata.X is not None) + there)}", 2)
    return found.to_numpy() if isinstance(found, pd.DataFrame) else found


def _column(adata: anndata.AnnData, name: str) -> Any:
    if name not in adata.obs:
        raise Error(f"cannot find column '{name}'; obs has: "
                    f"{some(list(map(str, adata.obs)), 20)}", 2)
    column = adata.obs[name]
    kept = column.dtype
    if isinstance(kept, pd.CategoricalDtype):
        kept = kept.categories.dtype
        if kept == object:
            return column
    if isinstance(kept, np.dtype) and kept.kind in "iufb":
        return column
    # Of text and of pandas' own kinds of numbers: labels, missing ones missing.
    return pd.Categorical([None if pd.isna(v) else str(v)
                           for v in column.astype(object)])


def slim(adata: anndata.AnnData, matrices: Sequence[str],
         columns: Sequence[str]) -> anndata.AnnData:
    """What the program needs of an object: some matrices and columns of obs."""
    if adata.isbacked:
        raise Error(f"cannot use an object backed by '{adata.filename}'; run "
                    "the program on that file, or use .to_memory()", 2)
    obs = pd.DataFrame({c: _column(adata, c) for c in columns},
                       index=adata.obs_names)
    parts: dict[str, dict[str, Any]] = {"layers": {}, "obsm": {}}
    x = None
    for name in matrices:
        found = _matrix(adata, name)
        group, _, key = name.partition("/")
        if name == "X":
            x = found
        else:
            parts[group][key] = found
    with _quiet():
        return anndata.AnnData(
            X=x, obs=obs, var=pd.DataFrame(index=adata.var_names), **parts)


def write(adata: anndata.AnnData, path: Path) -> None:
    with _quiet():
        adata.write_h5ad(path)


def read(path: Path) -> anndata.AnnData:
    with _quiet():
        return anndata.read_h5ad(path)


def model_columns(path: str | os.PathLike[str]) -> list[str]:
    """The batch columns that a model names; none of what is no model, as the
    program says what that is."""
    try:
        with h5py.File(path, "r") as f:
            return [name.decode() for name in f["columns"][:]]
    except (OSError, KeyError, AttributeError):
        return []


def with_features(adata: anndata.AnnData, names: pd.Index,
                  copy: bool) -> anndata.AnnData:
    """The object, or a copy, with the features of these names alone."""
    target = adata.copy() if copy else adata
    if len(names) < target.n_vars:
        with _quiet():
            target._inplace_subset_var(target.var_names.isin(names))
    return target


def take_over(target: anndata.AnnData, given: anndata.AnnData,
              result: anndata.AnnData, matrix: str) -> None:
    """Puts into `target` what the program made of `given`: the matrix, and each
    element that was not there."""
    with _quiet():
        group, _, key = matrix.partition("/")
        if matrix == "X":
            target.X = result.X
        else:
            getattr(target, group)[key] = getattr(result, group)[key]
        for name in _GROUPS:
            old, new = getattr(given, name), getattr(result, name)
            for key in new.keys():
                if key in old.keys():
                    continue
                value = new[key]
                if isinstance(value, pd.Series):
                    value = value.to_numpy()
                getattr(target, name)[key] = value
