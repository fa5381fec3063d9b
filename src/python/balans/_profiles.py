"""Tables of profiles to AnnData and back, in Python."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Union

import anndata

from . import _adata
from ._errors import Error, need_pyarrow

PathLike = Union[str, "os.PathLike[str]"]


def _names(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def read_profiles(path: PathLike | Sequence[PathLike], *,
                  metadata: str | Sequence[str] = (),
                  join: PathLike | None = None, on: str | Sequence[str] = (),
                  batch_from: str | Sequence[str] = (),
                  nonfinite: str = "error", normalize: str | None = None,
                  by: str | Sequence[str] = (), controls: str | None = None,
                  progress: bool | None = None,
                  scratch: PathLike | None = None) -> anndata.AnnData:
    """Read tables of profiles, as ``balans-convert`` does.

    Parameters
    ----------
    path
        A table (``.parquet``, ``.csv``, ``.csv.gz``), a folder of tables, or
        several; columns that all have, in the order of the first.
    metadata
        Columns of obs besides those whose names begin with ``Metadata_``.
    join, on
        A table whose columns are added where it agrees in the columns `on`.
    batch_from
        Columns of a joint column ``batch``, ``"a:b"``.
    nonfinite
        What to do about missing and infinite values: ``"error"``,
        ``"drop-features"``, ``"drop-features:0.05"`` (more than this share of
        the profiles), ``"drop-rows"``, ``"median"``, or several with commas.
    normalize, by, controls
        ``"mad"`` or ``"standard"``, as pycytominer does; for each value of the
        columns `by`; from the profiles ``"COLUMN=VALUE"``, else from all.
    progress
        As in `balans.correct`.
    scratch
        Folder for temporary files, which take the matrix twice or, normalised,
        up to three times as float32.

    Returns
    -------
    n profiles x d features: X float32 [n, d], ``var_names`` the features,
    ``obs`` the metadata; text is categorical, and what is missing stays so.
    ``uns["balans_convert"]`` says in lines what was left out.

    Raises
    ------
    balans.Error
    """
    need_pyarrow()
    from ._convert import Plan, to_h5ad
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    if (join is None) != (not _names(on)):
        raise Error("cannot join without both join= and on=", 2)
    plan = Plan(
        metadata=_names(metadata), batch_from=_names(batch_from),
        joins=[(Path(join), _names(on))] if join is not None else [],
        nonfinite=nonfinite, normalize=normalize, by=_names(by),
        controls=controls, progress=progress)
    with tempfile.TemporaryDirectory(prefix="balans-", dir=scratch) as folder:
        result = Path(folder) / "profiles.h5ad"
        to_h5ad([Path(p) for p in paths], result, plan)
        adata = _adata.read(result)
    adata.uns["balans_convert"] = "\n".join(plan.said)
    return adata


def write_profiles(adata: anndata.AnnData | PathLike, path: PathLike, *,
                   layer: str | None = None, obsm: str | None = None,
                   force: bool = False, progress: bool | None = None,
                   scratch: PathLike | None = None) -> None:
    """Write a table of profiles, as ``balans-convert`` does: metadata first,
    then features, float32, under their names.

    Parameters
    ----------
    adata
        An object, or the path of an ``.h5ad`` file, which is never read as a
        whole.
    path
        ``.parquet``, ``.csv`` or ``.csv.gz``.
    layer, obsm
        Instead of X a layer, or coordinates: ``"X_balans"`` [n, p] becomes the
        columns ``balans_0`` to ``balans_{p-1}``.
    force
        Overwrite `path`.
    progress, scratch
        As in `read_profiles`.

    Raises
    ------
    balans.Error
    """
    need_pyarrow()
    from ._export import to_table
    matrix = _adata.matrix_name(layer, obsm)
    with tempfile.TemporaryDirectory(prefix="balans-", dir=scratch) as folder:
        if isinstance(adata, anndata.AnnData):
            source = Path(folder) / "profiles.h5ad"
            _adata.write(_adata.slim(adata, [matrix], list(adata.obs)), source)
        else:
            source = Path(adata)
        to_table(source, Path(path), matrix="X" if obsm is not None else matrix,
                 obsm=obsm, force=force, progress=progress)
