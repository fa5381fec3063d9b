"""Metadata: columns of labels and numbers, from tables to obs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ._errors import Error, some
from ._sources import Source, open_source, read_batches

_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")
_REAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


class Labels:
    """A column of text that grows: each label is kept once."""

    def __init__(self) -> None:
        self._code: dict[str, int] = {}
        self._codes: list[np.ndarray[Any, Any]] = []

    def add(self, values: pa.Array) -> None:
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        encoded = values.cast(pa.string()).dictionary_encode()
        new = np.array([self._code.setdefault(v, len(self._code))
                        for v in encoded.dictionary.to_pylist()] + [-1],
                       np.int32)
        at = encoded.indices.fill_null(len(new) - 1)
        self._codes.append(new[at.to_numpy(zero_copy_only=False)])

    def column(self, as_numbers: bool) -> Any:
        """Missing labels stay missing.  `as_numbers`: labels that all are
        numbers become numbers, unless that would lose something, as a zero in
        front."""
        codes = np.concatenate(self._codes)
        labels = list(self._code)
        if as_numbers and labels:
            if codes.min() >= 0 and all(map(_WHOLE.fullmatch, labels)):
                return np.array([int(v) for v in labels], np.int64)[codes]
            if (all(map(_REAL.fullmatch, labels))
                    and any("." in v for v in labels)):
                return np.array([*map(float, labels), np.nan])[codes]
        return _categories(codes, labels)


class Numbers:
    """A column of numbers or truth values that grows."""

    def __init__(self) -> None:
        self._parts: list[pa.Array] = []

    def add(self, values: pa.Array) -> None:
        self._parts.append(values)

    def column(self) -> Any:
        chunks = pa.chunked_array(self._parts)
        if chunks.null_count and not pa.types.is_floating(chunks.type):
            labels = Labels()
            for part in self._parts:
                labels.add(part)
            return labels.column(False)
        return chunks.to_numpy()


def _categories(codes: np.ndarray[Any, Any], labels: list[str]) -> Any:
    order = sorted(range(len(labels)), key=labels.__getitem__)
    rank = np.empty(len(labels) + 1, np.int32)
    rank[order] = np.arange(len(labels))
    rank[-1] = -1
    return pd.Categorical.from_codes(
        rank[codes], pd.Index([labels[i] for i in order], dtype=object))


class Metadata:
    """The columns of obs of one or several tables that are read one after the
    other; `names` are columns that all of them have."""

    def __init__(self, sources: list[Source], names: list[str]) -> None:
        self._columns: dict[str, Labels | Numbers] = {}
        self._as_numbers: dict[str, bool] = {}
        for name in names:
            kinds = {s.kinds[name] if s.typed else "untyped" for s in sources}
            self._as_numbers[name] = "text" not in kinds
            alike = len({s.types[name] for s in sources}) == 1
            self._columns[name] = (
                Numbers() if alike and kinds <= {"number", "truth"}
                else Labels())

    def add(self, batch: pa.RecordBatch) -> None:
        for name, column in self._columns.items():
            column.add(batch.column(batch.schema.get_field_index(name)))

    def frame(self, rows: int) -> pd.DataFrame:
        columns = {
            name: c.column() if isinstance(c, Numbers)
            else c.column(self._as_numbers[name])
            for name, c in self._columns.items()}
        return pd.DataFrame(columns, index=row_names(rows))


def row_names(rows: int) -> pd.Index:
    return pd.Index(np.arange(rows).astype(str).astype(object))


def text_of(column: pd.Series) -> pd.Series:
    """Labels and whole numbers as text, missing ones as None."""
    def text(value: Any) -> str:
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value)

    labels = pd.Categorical(column)
    texts = np.array([*map(text, labels.categories), None], object)
    return pd.Series(texts[labels.codes], index=column.index, dtype=object)


def read_frame(path: Path) -> pd.DataFrame:
    """All columns of a small table."""
    source = open_source(path)
    names = [n for n, kind in source.kinds.items() if n]
    metadata, rows = Metadata([source], names), 0
    for batch in read_batches(source, names, []):
        metadata.add(batch)
        rows += batch.num_rows
    return metadata.frame(rows)


def _need(frame: pd.DataFrame, names: list[str], where: str) -> None:
    for name in names:
        if name not in frame:
            raise Error(f"cannot find column '{name}' in {where}, which has: "
                        f"{some(list(frame))}", 2)


def join(obs: pd.DataFrame, path: Path, on: list[str]
         ) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Adds a table's columns to the rows that agree with it in `on`.

    Returns obs, the columns that are new, and those that obs had already.
    Fails with an Error where a row has no partner, or two that differ.
    """
    table = read_frame(path)
    _need(obs, on, "the metadata")
    _need(table, on, f"'{path}'")
    new = [c for c in table if c not in obs]
    known = [c for c in table if c in obs and c not in on]
    table = table[on + new].drop_duplicates(ignore_index=True)
    right = pd.DataFrame({c: text_of(table[c]) for c in on}).dropna()
    twins = right.duplicated()
    if twins.any():
        raise Error(f"cannot join '{path}': it says different things about "
                    + _keys(right[twins].iloc[0]))
    right["_at"] = right.index
    left = pd.DataFrame({c: text_of(obs[c]) for c in on})
    at = left.merge(right, on=on, how="left")["_at"].to_numpy(np.float64)
    alone = np.isnan(at)
    if alone.any():
        raise Error(f"cannot join '{path}': it has nothing about "
                    f"{alone.sum()} of {len(obs)} profiles, the first with "
                    + _keys(left[alone].iloc[0]))
    found = table[new].iloc[at.astype(np.int64)]
    found.index = obs.index
    return pd.concat([obs, found], axis=1), new, known


def _keys(row: pd.Series) -> str:
    return " and ".join(f"{c} '{v}'" for c, v in row.items())


def joint_column(obs: pd.DataFrame, names: list[str], name: str) -> None:
    """Adds column `name`: the labels of several columns with ':' between them,
    missing where one of them is.  Fails with an Error where two combinations
    would look alike."""
    _need(obs, names, "the metadata")
    if name in obs:
        raise Error(f"cannot make column '{name}': there is one already", 2)
    parts = pd.DataFrame({c: text_of(obs[c]) for c in names})
    missing = parts.isna().any(axis=1)
    whole = parts[~missing].drop_duplicates()
    texts = whole.agg(":".join, axis=1) if len(whole) else whole.sum(axis=1)
    if texts.duplicated().any():
        raise Error(f"cannot make column '{name}': two combinations of "
                    f"{', '.join(names)} would both be "
                    f"'{texts[texts.duplicated()].iloc[0]}'")
    joined = parts.iloc[:, 0].str.cat(
        [parts[c] for c in names[1:]], sep=":") if len(names) > 1 else (
        parts.iloc[:, 0])
    obs[name] = pd.Categorical(joined.where(~missing))
