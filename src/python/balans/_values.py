"""The numbers of a table: kept on disk, normalised, and made finite.

Values lie in one file, row after row, and are looked at in blocks of bounded
size: of rows, or of the rows of a group and some features.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ._errors import Error, some
from ._sources import BUDGET

Array = np.ndarray[Any, Any]

MAD_SCALE = 1 / 1.4826  # as pycytominer and scipy take it


class Spool:
    """A matrix on disk that grows by rows: n x len(names)."""

    def __init__(self, path: Path, names: list[str], dtype: type) -> None:
        self.path, self.names, self.dtype = path, names, np.dtype(dtype)
        self.rows = 0
        self._file = open(path, "wb")

    def add(self, batch: pa.RecordBatch) -> None:
        out = np.empty((batch.num_rows, len(self.names)), self.dtype)
        at = {name: i for i, name in enumerate(batch.schema.names)}
        with np.errstate(over="ignore"):  # too large for float32: not finite
            for j, name in enumerate(self.names):
                column = batch.column(at[name])
                if pa.types.is_null(column.type):
                    out[:, j] = np.nan
                    continue
                if pa.types.is_decimal(column.type):
                    column = column.cast(pa.float64())
                out[:, j] = column.to_numpy(zero_copy_only=False)
        out.tofile(self._file)
        self.rows += batch.num_rows

    def finish(self) -> None:
        """No more rows."""
        self._file.close()

    def view(self) -> Array:
        """All of it, mapped into memory; mapped anew for each block, so that
        what was read does not stay there."""
        shape = (self.rows, len(self.names))
        if not self.rows:
            return np.empty(shape, self.dtype)
        return np.memmap(self.path, self.dtype, "r", shape=shape)


class Values:
    """A matrix as it shall be written: float32, some rows and features of the
    spool, normalised, with replacements for what is not finite.

    Attributes
    ----------
    rows, features
        bool [n], [d]: which are kept.
    """

    def __init__(self, spool: Spool) -> None:
        spool.finish()
        self._spool, self.names = spool, spool.names
        n, d = spool.rows, len(spool.names)
        self.rows, self.features = np.ones(n, bool), np.ones(d, bool)
        self._replacement = np.full(d, np.nan, np.float32)
        self._group = np.zeros(n, np.int64)
        self._centre: Array | None = None
        self._scale: Array | None = None

    # ---- looking at them ----

    def _transform(self, raw: Array, rows: Array, cols: Any) -> Array:
        """float32 [rows, cols] of raw values."""
        with np.errstate(all="ignore"):
            if self._centre is None or self._scale is None:
                return raw.astype(np.float32)
            group = self._group[rows]
            raw = raw.astype(np.float64)
            raw -= self._centre[group][:, cols]
            same = raw == 0
            raw /= self._scale[group][:, cols]
            raw[same] = 0  # also where the scale is 0
            return raw.astype(np.float32)

    def _blocks(self) -> Iterator[tuple[Array, Array]]:
        """Numbers of kept rows, and their values of all features."""
        kept = np.flatnonzero(self.rows)
        step = max(1, BUDGET // (8 * max(1, len(self.names))))
        for first in range(0, len(kept), step):
            rows = kept[first:first + step]
            yield rows, self._transform(self._spool.view()[rows], rows,
                                        slice(None))

    def blocks(self) -> Iterator[Array]:
        """float32 [rows, kept features], in order: what is to be written."""
        for _, block in self._blocks():
            block = block[:, self.features]
            bad = np.nonzero(~np.isfinite(block))
            block[bad] = self._replacement[self.features][bad[1]]
            yield block

    def _count(self) -> tuple[Array, Array]:
        """How many values are not finite, by feature [d] and by row [n], in
        what is kept and not replaced."""
        by_feature = np.zeros(self.features.shape, np.int64)
        by_row = np.zeros(self.rows.shape, np.int64)
        counted = self.features & np.isnan(self._replacement)
        for rows, block in self._blocks():
            bad = ~np.isfinite(block) & counted
            by_feature += bad.sum(axis=0)
            by_row[rows] = bad.sum(axis=1)
        return by_feature, by_row

    # ---- normalising ----

    def normalise(self, method: str, group: Array, names: list[str],
                  controls: Array) -> None:
        """By the controls (bool [n]) of each group (int [n], numbers of
        `names`): "standard" to mean 0 and standard deviation 1, "mad" to
        median 0 and median absolute deviation 1 / 1.4826, both leaving out
        what is not finite, as pycytominer's normalize() does.

        Where a MAD is 0, the median becomes 0 and everything else is not
        finite; pycytominer divides by 1e-18 there.
        """
        fit = _fit_mad if method == "mad" else _fit_standard
        d = len(self.names)
        self._group = group
        self._centre = np.empty((len(names), d))
        self._scale = np.empty((len(names), d))
        for g, name in enumerate(names):
            rows = np.flatnonzero((group == g) & controls)
            if not len(rows):
                raise Error(f"cannot normalise '{name}': it has no controls")
            step = max(1, BUDGET // (8 * len(rows)))
            for first in range(0, d, step):
                cols = slice(first, first + step)
                x = self._spool.view()[rows, cols].astype(np.float64)
                x[~np.isfinite(x)] = np.nan
                self._centre[g, cols], self._scale[g, cols] = fit(x)

    # ---- what is not finite ----

    def make_finite(self, steps: list[str], row_name: Any) -> list[str]:
        """Applies steps, as 'drop-features:0.05', one after the other.

        Returns what was done, in sentences.  Fails with an Error that counts
        what is left.
        """
        said: list[str] = []
        by_feature, by_row = self._count()
        for step in steps:
            if not by_feature.any():
                break
            name, _, value = step.partition(":")
            if name == "drop-features":
                said += self._drop_features(by_feature, float(value or 0))
            elif name == "drop-rows":
                said += self._drop_rows(by_row)
            elif name == "median":
                said += self._use_medians(by_feature)
            by_feature, by_row = self._count()
        if by_feature.any():
            raise Error(self._describe(by_feature, by_row, steps, row_name))
        return said

    def _drop_features(self, by_feature: Array, share: float) -> list[str]:
        drop = by_feature > share * self.rows.sum()
        self.features &= ~drop
        if not self.features.any():
            raise Error("cannot leave out features: each has missing or "
                        "infinite values")
        names = [n for n, bad in zip(self.names, drop) if bad]
        return [f"left out for missing or infinite values: {', '.join(names)}"
                ] if names else []

    def _drop_rows(self, by_row: Array) -> list[str]:
        drop = by_row > 0
        self.rows &= ~drop
        if not self.rows.any():
            raise Error("cannot leave out profiles: each has missing or "
                        "infinite values; leave out features instead")
        return [f"left out {drop.sum()} profiles for missing or infinite "
                "values"]

    def _use_medians(self, by_feature: Array) -> list[str]:
        features = np.flatnonzero(by_feature)
        kept = np.flatnonzero(self.rows)
        step = max(1, BUDGET // (8 * max(1, len(kept))))
        for first in range(0, len(features), step):
            cols = features[first:first + step]
            x = self._columns(kept, cols)
            x[~np.isfinite(x)] = np.nan
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # no value at all: named below
                self._replacement[cols] = np.nanmedian(x, axis=0)
        empty = [self.names[j] for j in features
                 if np.isnan(self._replacement[j])]
        if empty:
            raise Error("cannot take a median where no value is finite: "
                        f"{some(empty)}; leave them out first, with "
                        "drop-features:0.5,median")
        return [f"replaced {by_feature.sum()} missing or infinite values of "
                f"{len(features)} features by the feature's median"]

    def _columns(self, kept: Array, cols: Array) -> Array:
        out = np.empty((len(kept), len(cols)), np.float32)
        step = max(1, BUDGET // (8 * len(self.names)))
        for first in range(0, len(kept), step):
            rows = kept[first:first + step]
            out[first:first + step] = self._transform(
                self._spool.view()[rows][:, cols], rows, cols)
        return out

    def _describe(self, by_feature: Array, by_row: Array, steps: list[str],
                  row_name: Any) -> str:
        worst = np.argsort(-by_feature, kind="stable")
        features = [f"{self.names[j]}: {by_feature[j]}" for j in worst
                    if by_feature[j]]
        longest = np.argsort(-by_row, kind="stable")
        rows = [f"{row_name(i)}: {by_row[i]}" for i in longest[:9]
                if by_row[i]]
        more = int((by_row > 0).sum()) - len(rows)
        return (f"{by_feature.sum()} values are missing or infinite"
                f"{' still' if steps else ''}: in {len(features)} of "
                f"{self.features.sum()} features ({some(features)}) and in "
                f"{(by_row > 0).sum()} of {self.rows.sum()} profiles "
                f"({', '.join(rows)}{f' and {more} more' if more else ''}); "
                "--nonfinite drop-features[:SHARE], drop-rows or median, or "
                "several with commas, says what to do")


def _fit_mad(x: Array) -> tuple[Array, Array]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no value at all: NaN, counted later
        centre = np.nanmedian(x, axis=0)
        mad = np.nanmedian(np.abs(x - centre), axis=0)
    return centre, mad / MAD_SCALE


def _fit_standard(x: Array) -> tuple[Array, Array]:
    """As scikit-learn's StandardScaler: a feature that does not vary, but for
    rounding, is divided by 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        centre, variance = np.nanmean(x, axis=0), np.nanvar(x, axis=0)
    count = np.isfinite(x).sum(axis=0)
    eps = np.finfo(np.float64).eps
    bound = count * eps * variance + (count * centre * eps) ** 2
    return centre, np.where(variance <= bound, 1.0, np.sqrt(variance))
