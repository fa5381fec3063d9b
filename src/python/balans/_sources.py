"""Tables as streams of Arrow batches: Parquet, CSV and compressed CSV.

A table is never held as a whole: Parquet is read page by page within a row
group, CSV block by block.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from ._errors import Error, some

BUDGET = 64 << 20  # bytes of a batch
SUFFIXES = (".parquet", ".csv", ".csv.gz")
_ROW_INDEX = re.compile(r"|Unnamed: 0|__index_level_\d+__")


def is_table(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def find_tables(paths: list[Path]) -> list[Path]:
    """The files named, and of folders all tables below, by name."""
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if is_table(p)
                        and p.is_file() and not p.name.startswith((".", "_")))
        if not inside:
            raise Error(f"cannot find a table in folder '{path}'; tables end "
                        f"with {', '.join(SUFFIXES)}", 2)
        found += inside
    return found


class Source:
    """A file with a table.

    kinds
        Each column, in the file's order: "number", "text", "truth", "date",
        "empty" (no value seen yet) or "other" (lists, pictures...).
    types
        The Arrow type of each, as text.
    typed
        Whether the file itself says what is text and what a number.
    rows
        Their number; None where only reading tells.
    """

    kinds: dict[str, str]
    types: dict[str, str]
    typed: bool
    rows: int | None

    def __init__(self, path: Path) -> None:
        self.path = path

    def _take_schema(self, schema: pa.Schema) -> None:
        twins = [name for name, count
                 in collections.Counter(schema.names).items() if count > 1]
        if twins:
            raise Error(f"cannot use '{self.path}': several columns have the "
                        f"name {some(sorted(twins))}")
        self.kinds = {f.name: _kind(f.type) for f in schema}
        self.types = {f.name: str(f.type) for f in schema}

    def batches(self, metadata: list[str], features: list[str]
                ) -> Iterator[pa.RecordBatch]:
        """The columns named, row after row, in batches of bounded size."""
        raise NotImplementedError


def is_row_index(name: str) -> bool:
    """Whether a column is what pandas writes for the numbers of the rows."""
    return _ROW_INDEX.fullmatch(name) is not None


def _kind(t: pa.DataType) -> str:
    if pa.types.is_dictionary(t):
        t = t.value_type
    if (pa.types.is_floating(t) or pa.types.is_integer(t)
            or pa.types.is_decimal(t)):
        return "number"
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return "text"
    if pa.types.is_boolean(t):
        return "truth"
    if pa.types.is_temporal(t):
        return "date"
    return "empty" if pa.types.is_null(t) else "other"


class _Parquet(Source):
    typed = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        # A buffer of each column, instead of all of its chunk or of the file.
        self._file = pq.ParquetFile(path, buffer_size=1 << 15,
                                    pre_buffer=False)
        self._take_schema(self._file.schema_arrow)
        self.rows = self._file.metadata.num_rows

    def batches(self, metadata: list[str], features: list[str]
                ) -> Iterator[pa.RecordBatch]:
        columns = metadata + features
        rows = max(1, BUDGET // (8 * len(columns)))
        yield from self._file.iter_batches(batch_size=rows, columns=columns)


class _Csv(Source):
    typed = False
    rows = None

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._open(pc.ConvertOptions(strings_can_be_null=True)) as file:
            self._take_schema(file.schema)

    def _open(self, convert: pc.ConvertOptions) -> pc.CSVStreamingReader:
        return pc.open_csv(self.path, convert_options=convert,
                           read_options=pc.ReadOptions(block_size=16 << 20))

    def batches(self, metadata: list[str], features: list[str]
                ) -> Iterator[pa.RecordBatch]:
        types = {name: pa.string() for name in metadata}
        types.update({name: pa.float64() for name in features})
        with self._open(pc.ConvertOptions(
                strings_can_be_null=True, column_types=types,
                include_columns=metadata + features)) as file:
            yield from file


def open_source(path: Path) -> Source:
    """Fails with an Error that names the file."""
    if not is_table(path):
        raise Error(f"cannot read '{path}' as a table; tables end with "
                    f"{', '.join(SUFFIXES)}", 2)
    try:
        if path.name.lower().endswith(".parquet"):
            return _Parquet(path)
        return _Csv(path)
    except FileNotFoundError:
        raise Error(f"cannot find '{path}'") from None
    except (OSError, pa.ArrowException) as e:
        raise Error(f"cannot read '{path}': {one_line(e)}") from None


def read_batches(source: Source, metadata: list[str], features: list[str]
                 ) -> Iterator[pa.RecordBatch]:
    """As Source.batches(); what Arrow objects to becomes an Error."""
    try:
        yield from source.batches(metadata, features)
    except (OSError, pa.ArrowException) as e:
        raise Error(f"cannot read '{source.path}': {one_line(e)}") from None


def one_line(e: BaseException) -> str:
    return " ".join(str(e).split()) or type(e).__name__
