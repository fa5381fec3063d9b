"""Correcting AnnData objects, fitting and applying models, and evaluating, by
the program."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata
import pandas as pd

from . import _adata
from ._errors import Error
from ._program import LAUNCHER, arguments, run

_OURS = {
    "matrix": "layer= or obsm=", "input": "the object", "output": "copy=True",
    "force": "nothing", "quiet": "progress=False", "verbose": "progress=True",
    "dry_run": "the program", "json": "the DataFrame",
    "help": "help(balans)", "version": "the program"}


def _check(options: dict[str, Any]) -> None:
    for name in options:
        instead = _OURS.get(name)
        if instead is not None:
            raise Error(f"cannot take option '{name}' here; use {instead}", 2)


def _names(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def correct(adata: anndata.AnnData, batch: str | Sequence[str], *,
            layer: str | None = None, obsm: str | None = None,
            copy: bool = False, ranks: int = 1, threads: int | None = None,
            progress: bool | None = None,
            program: str | os.PathLike[str] | None = None,
            launcher: Sequence[str] = LAUNCHER,
            scratch: str | os.PathLike[str] | None = None,
            **options: Any) -> anndata.AnnData | None:
    """Remove batch effects from profiles.

    Runs ``balans correct`` on a file in a temporary folder; the result is the
    program's, byte for byte, on any number of ranks and threads.  What it warns
    of becomes a UserWarning.

    Parameters
    ----------
    adata
        n profiles x d features.  X, the layer or the obsm element is dense or
        sparse, of any number type, and finite.
    batch
        Column of ``adata.obs`` that names the batch; several from coarse to
        fine, such as ``["Metadata_Source", "Metadata_Plate"]``.
    layer, obsm
        Correct ``adata.layers[layer]`` or ``adata.obsm[obsm]`` instead of X.
    copy
        Return a corrected copy instead of changing `adata`.
    ranks, threads
        MPI ranks, and OpenMP threads of each (default: OMP_NUM_THREADS, else
        1).  Their product should not exceed the number of cores.
    progress
        Show a bar, where tqdm is installed; None: on a terminal or in a
        notebook.
    program
        Path of the program; default: the variable BALANS, the one installed
        with this package, the one on PATH.
    launcher
        How ranks are started; their number and the program are appended.
    scratch
        Folder for temporary files, which take the matrix twice as float32 and
        once as it is; default: that of Python's tempfile (TMPDIR).
    **options
        Options of ``balans correct``, with underscores: ``neighbors="1%"``,
        ``keep_original=True``, ``config="single-cell"``, ``seed=1``.

    Returns
    -------
    None, or with ``copy=True`` the corrected AnnData.  What changes:

    X, or what `layer` or `obsm` named
        Corrected profiles, float32 [n, d], in the units of the input.
    ``obs["balans_coverage"]``
        How much of the landmarks' affinity a profile got, float32 [n].
    ``obsm["X_balans"]``, ``varm["balans_PCs"]``
        Corrected coordinates, float32 [n, p], in p principal components, and
        these [d, p]; where components were used.
    ``layers["original"]``, or ``obsm[obsm + "_original"]``
        With ``keep_original=True``: the input [n, d].
    ``uns["balans"]``
        Parameters, version, landmarks (rows of `adata`, from 0).

    Raises
    ------
    balans.Error
        In one sentence, what could not be done and the way out.  `adata` is
        then as it was.
    """
    _check(options)
    matrix = _adata.matrix_name(layer, obsm)
    columns = _names(batch)
    return _correct(adata, matrix, columns, copy, scratch, ["correct"],
                    [f"--batch={','.join(columns)}", *arguments(options)],
                    ranks=ranks, threads=threads, progress=progress,
                    program=program, launcher=launcher)


def fit(data: anndata.AnnData | str | os.PathLike[str],
        model: str | os.PathLike[str], batch: str | Sequence[str], *,
        layer: str | None = None, obsm: str | None = None,
        force: bool = False, ranks: int = 1, threads: int | None = None,
        progress: bool | None = None,
        program: str | os.PathLike[str] | None = None,
        launcher: Sequence[str] = LAUNCHER,
        scratch: str | os.PathLike[str] | None = None,
        **options: Any) -> None:
    """Learn a correction and keep it as a model, for plates to come.

    Runs ``balans fit``; `data` is not changed.  docs/new-plates.md says when a
    model is the right thing.

    Parameters
    ----------
    data
        n profiles x d features of two batches or more: an AnnData object, or
        the path of an ``.h5ad`` file, which may be larger than memory.
    model
        Path of the model to be written, an HDF5 file.
    batch
        Column of obs that names the batch; several from coarse to fine.
    layer, obsm
        Fit to a layer or an element of obsm instead of X.
    force
        Overwrite a model that is there.
    ranks, threads, progress, program, launcher, scratch
        As in `correct`.
    **options
        Options of ``balans fit``, with underscores, which are those of
        `correct`, and ``sample=N``: fit to N profiles, the same share of each
        batch, drawn by ``seed``.

    Raises
    ------
    balans.Error
        In one sentence, what could not be done and the way out.  No model is
        then written.
    """
    _check(options)
    matrix = _adata.matrix_name(layer, obsm)
    columns = _names(batch)
    with tempfile.TemporaryDirectory(prefix="balans-", dir=scratch) as folder:
        source = _source(data, [matrix], columns, folder)
        run(["fit", source, os.fspath(model), f"--batch={','.join(columns)}",
             f"--matrix={matrix}", *arguments({"force": force, **options})],
            ranks=ranks, threads=threads, progress=progress, program=program,
            launcher=launcher, names={_written(folder): "the object"})


def apply(model: str | os.PathLike[str], adata: anndata.AnnData, *,
          batch: str | Sequence[str] | None = None,
          layer: str | None = None, obsm: str | None = None,
          copy: bool = False, ranks: int = 1, threads: int | None = None,
          progress: bool | None = None,
          program: str | os.PathLike[str] | None = None,
          launcher: Sequence[str] = LAUNCHER,
          scratch: str | os.PathLike[str] | None = None,
          **options: Any) -> anndata.AnnData | None:
    """Correct new plates by a model.

    Runs ``balans apply``.  Features are matched by name, and each batch is
    corrected by itself: several plates at once give what they give one by one.
    A warning says when a batch is small, and when it is time to fit anew.

    Parameters
    ----------
    model
        Path of a model that `fit` has made, or ``correct(save_model=PATH)``.
    adata
        n profiles x d features, which have those of the model among them, in
        any order, and finite.
    batch
        Column of ``adata.obs`` that names the batch, or columns, as many as the
        model has; None: those that the model names.
    layer, obsm
        Correct ``adata.layers[layer]`` or ``adata.obsm[obsm]`` instead of X.
    copy
        Return a corrected copy instead of changing `adata`.
    ranks, threads, progress, program, launcher, scratch
        As in `correct`.
    **options
        Options of ``balans apply``, with underscores: ``keep_extra=True``
        copies features that the model does not know as they are.  Without it
        `adata`, or the copy, loses them, with a warning.

    Returns
    -------
    None, or with ``copy=True`` the corrected AnnData.  What changes:

    X, or what `layer` or `obsm` named
        Corrected profiles, float32 [n, d], in the units of the input.
    ``obs["balans_coverage"]``
        How much of the landmarks' affinity a profile got, float32 [n].
    ``obsm["X_balans"]``, ``varm["balans_PCs"]``
        Corrected coordinates, float32 [n, p], in the model's p principal
        components, and these [d, p]; where components were used.
    ``uns["balans"]``
        The model's name and checksum, parameters, version; how near the
        profiles are to what the model was fitted to.

    Raises
    ------
    balans.Error
        In one sentence, what could not be done and the way out.  `adata` is
        then as it was.
    """
    _check(options)
    matrix = _adata.matrix_name(layer, obsm)
    columns = _adata.model_columns(model) if batch is None else _names(batch)
    chosen = [] if batch is None else [f"--batch={','.join(columns)}"]
    return _correct(adata, matrix, columns, copy, scratch,
                    ["apply", os.fspath(model)],
                    [*chosen, *arguments(options)],
                    ranks=ranks, threads=threads, progress=progress,
                    program=program, launcher=launcher)


def _written(folder: str) -> str:
    return str(Path(folder) / "in.h5ad")


def _source(data: anndata.AnnData | str | os.PathLike[str],
            matrices: Sequence[str], columns: Sequence[str],
            folder: str) -> str:
    """The file of that path, or one of what is needed of an object."""
    if not isinstance(data, anndata.AnnData):
        return os.fspath(data)
    _adata.write(_adata.slim(data, matrices, columns), Path(_written(folder)))
    return _written(folder)


def _correct(adata: anndata.AnnData, matrix: str, columns: Sequence[str],
             copy: bool, scratch: str | os.PathLike[str] | None,
             before: Sequence[str], after: Sequence[str],
             **how: Any) -> anndata.AnnData | None:
    """Runs a command on a file of the object, and takes over what it made."""
    given = _adata.slim(adata, [matrix], columns)
    with tempfile.TemporaryDirectory(prefix="balans-", dir=scratch) as folder:
        source, result = _written(folder), str(Path(folder) / "out.h5ad")
        _adata.write(given, Path(source))
        run([*before, source, result, f"--matrix={matrix}", *after],
            names={source: "the object", result: "the result"}, stacklevel=4,
            **how)
        made = _adata.read(Path(result))
    target = _adata.with_features(adata, made.var_names, copy)
    _adata.take_over(target, given, made, matrix)
    return target if copy else None


def evaluate(data: anndata.AnnData | str | os.PathLike[str], batch: str,
             label: str, *, matrix: str | Sequence[str] = "X",
             ranks: int = 1, threads: int | None = None,
             progress: bool | None = None,
             program: str | os.PathLike[str] | None = None,
             launcher: Sequence[str] = LAUNCHER,
             scratch: str | os.PathLike[str] | None = None,
             **options: Any) -> pd.DataFrame:
    """Measure how well batches mix and labels keep apart.

    Runs ``balans evaluate``; docs/metrics.md defines the scores.

    Parameters
    ----------
    data
        An AnnData object, or the path of an ``.h5ad`` file.
    batch, label
        Columns of obs: the batch, and what replicates share (compound, gene,
        cell type).
    matrix
        ``"X"``, ``"layers/NAME"`` or ``"obsm/NAME"``; or several of them.
    ranks, threads, progress, program, launcher, scratch
        As in `correct`.
    **options
        Options of ``balans evaluate``, with underscores: ``control="DMSO"``,
        ``sample=50000``, ``distance="euclidean"``.

    Returns
    -------
    A DataFrame of float64: one row for each score (index: its name), one column
    for each matrix (its name).  Larger is better; most scores are between 0 and
    1.  NaN where the data do not define a score; ``frame.attrs["undefined"]``
    says why, by matrix and score.

    Raises
    ------
    balans.Error
        In one sentence, what could not be done and the way out.
    """
    _check(options)
    matrices = _names(matrix)
    with tempfile.TemporaryDirectory(prefix="balans-", dir=scratch) as folder:
        scores = Path(folder) / "scores.json"
        source = _source(data, matrices, list(dict.fromkeys([batch, label])),
                         folder)
        run(["evaluate", source, f"--batch={batch}", f"--label={label}",
             *arguments({"matrix": matrices, **options}),
             f"--json={scores}"],
            ranks=ranks, threads=threads, progress=progress, program=program,
            launcher=launcher, names={_written(folder): "the object"})
        report = json.loads(scores.read_text())
    return _frame(report)


def _frame(report: dict[str, Any]) -> pd.DataFrame:
    matrices = report["matrices"]
    frame = pd.DataFrame({name: pd.Series(m["scores"], dtype="float64")
                          for name, m in matrices.items()})
    frame.index.name = "score"
    frame.attrs["undefined"] = {name: m["undefined"]
                                for name, m in matrices.items()}
    return frame
