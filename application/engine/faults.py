"""Whose fault a failed read was: the storage's, the file's, or the engine's, by asking each of them again.

The engine's own words do not tell: to it a bad offset and a lost connection are both I/O errors.
"""

import time
from collections.abc import Collection
from contextlib import closing
from typing import Any

import duckdb
import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.codings import CODECS, Coding, codings
from application.engine.conform import Disagreement
from application.engine.database import FATAL, Database, Unexplained
from application.engine.ranges import SecondReader
from application.engine.relation import scan_of
from application.engine.windows import is_numbered
from application.errors import (
    ColumnUnsupported,
    DatasetInvalid,
    DownloadError,
    EngineFailed,
    StorageUnavailable,
)
from application.models import Column, Dataset, ObjectMeta, Part, Query
from application.query.sql import Window, to_sql
from application.storage.base import Storage

PATIENCE_SECONDS = 20.0
ROWS = 2048
MOST_KNOWN = 1000
TRAILER = 8
# In the engine's words for what went wrong between it and a server.
HTTP = "HTTP"
LZ4 = 5
# By Parquet's numbers, as engine and second reader know them together.
READABLE_CODECS = frozenset({0, 1, 2, 4, 5, 6, 7})


class _Fault(Exception):
    """A column that cannot be read, and what to tell of it."""

    def __init__(self, column: str, told: DownloadError) -> None:
        super().__init__(column)
        self.column = column
        self.told = told


class Faults:
    """Explains failures, and remembers which columns only the second reader reads; for many threads."""

    def __init__(self, storage: Storage, database: Database) -> None:
        self._storage = storage
        self._database = database
        self._others: dict[str, frozenset[str]] = {}
        # By a dataset's ETag and a column's name: to find out takes long.
        self._faults: dict[tuple[str, str], DownloadError] = {}

    def read_by_others(self, dataset: Dataset) -> frozenset[str]:
        """The names of the columns that the engine is known not to read."""
        return self._others.get(dataset.e_tag, frozenset())

    def of_schema(self, meta: ObjectMeta, error: Unexplained) -> DownloadError:
        """What to tell where the engine cannot describe an object; raises what storage says of itself."""
        for coding in self._codings(meta):
            if coding.codec not in range(len(CODECS)):
                return DatasetInvalid(f"Column {coding.column!r} {_stored(coding)}.")
        if isinstance(error.__cause__, duckdb.HTTPException):
            return StorageUnavailable("The dataset's storage did not answer.")
        return DatasetInvalid("The engine cannot read the dataset's schema.")

    def of_scan(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        others: frozenset[str],
        *,
        given: int,
        error: Exception,
    ) -> frozenset[str]:
        """All columns that only the second reader reads, ``others`` and those whose codings the engine lacks.

        ``given`` rows of the query could be read. Else raises StorageUnavailable, DatasetChanged,
        DatasetInvalid or ColumnUnsupported; EngineFailed where nothing is found.
        """
        for column in query.columns_read:
            if known := self._faults.get((dataset.e_tag, column.name)):
                raise type(known)(str(known)) from error
        try:
            found = self._found(dataset, query, cancellation, others, given=given, error=error)
        except _Fault as fault:
            self._remember(self._faults, (dataset.e_tag, fault.column), fault.told)
            raise fault.told from error
        if not found and _is_of_transport(error):
            raise StorageUnavailable("The dataset's storage did not answer.") from error
        if not found:
            raise EngineFailed("The engine failed while it read the dataset.") from error
        found |= others
        self._remember(self._others, dataset.e_tag, found | self.read_by_others(dataset))
        return found

    def _found(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        known: frozenset[str],
        *,
        given: int,
        error: Exception,
    ) -> frozenset[str]:
        """The columns that the second reader alone reads, of the first part that has any; raises _Fault."""
        if isinstance(error, Disagreement):
            (name,) = error.args
            told = f"Column {name!r} has values that its own type does not hold; {_without(name)}."
            raise _Fault(name, DatasetInvalid(told))
        until = time.monotonic() + PATIENCE_SECONDS
        self._check_text(dataset, query, cancellation, until)
        # A query that spoils the database would spoil the next one.
        fails = self._fails_twice if isinstance(error.__cause__, FATAL) else self._fails_again
        wanted = {column.name for column in query.columns_read} - known
        # Only of all rows it is known which were read.
        given = given if query.has_all_rows(dataset) and is_numbered(dataset) else 0
        for part in dataset.parts:
            start, given = min(given, part.rows), max(0, given - part.rows)
            if start == part.rows:
                continue
            columns = {
                column.name: column for column in part.columns if column.engine_type and column.name in wanted
            }
            others = self._lacking(dataset, part.meta, columns)
            if others:
                return others
            for column in columns.values():
                if fails(part, column, start, cancellation, until):
                    self._ask(part.meta)
                    raise self._failed(dataset, part, column, cancellation, until)
                if time.monotonic() > until and not _is_of_transport(error):
                    raise DatasetInvalid("The engine fails on the data of this dataset.") from error
        return frozenset()

    def _check_text(self, dataset: Dataset, query: Query, cancellation: Cancellation, until: float) -> None:
        """Raise _Fault for a column that is said to be text, and has bytes that are none."""
        for column in query.columns_read:
            for part in dataset.parts if column.as_text else ():
                if self._fails_twice(part, column, 0, cancellation, until):
                    named = _named(column.name, dataset, part.meta)
                    told = f"Column {named} is said to be text, and has bytes that are no UTF-8"
                    raise _Fault(column.name, ColumnUnsupported(f"{told}; {_without(column.name)}."))

    def _lacking(self, dataset: Dataset, meta: ObjectMeta, columns: Collection[str]) -> frozenset[str]:
        """Those of one part's columns whose codings the engine lacks; raises _Fault for one that all lack."""
        others = set()
        for coding in self._codings(meta):
            name = coding.column
            if name in columns and (coding.is_encrypted or coding.codec not in READABLE_CODECS):
                told = f"Column {_named(name, dataset, meta)} {_stored(coding)}; {_without(name)}."
                raise _Fault(name, ColumnUnsupported(told))
            if name in columns and (coding.codec == LZ4 or coding.is_split):
                others.add(name)
        return frozenset(others)

    def _failed(
        self, dataset: Dataset, part: Part, column: Column, cancellation: Cancellation, until: float
    ) -> "_Fault":
        """What to tell of a column that the engine failed to read twice."""
        named = _named(column.name, dataset, part.meta)
        if column.as_wkt and not self._fails_twice(part, column, 0, cancellation, until):
            told = f"Column {named} has bytes that are no WKB of points, lines and polygons"
            return _Fault(
                column.name, ColumnUnsupported(f"{told}; {_without(column.name)}, or choose parquet.")
            )
        told = f"Column {named} is damaged and cannot be read; {_without(column.name)}."
        return _Fault(column.name, DatasetInvalid(told))

    def _fails_again(
        self, part: Part, column: Column, start: int, cancellation: Cancellation, until: float
    ) -> bool:
        """True where the engine fails to read a column of one part once more, from a row on."""
        scan = scan_of(self._storage.engine_access(), [part.meta.path])
        window = Window(0, start, part.rows) if start else None
        sql, values = to_sql(Query((column,)), scan, window=window)
        try:
            with self._database.cursor() as cursor, cancellation.attached(cursor):
                for _ in cursor.execute(sql, values).to_arrow_reader(ROWS):
                    if time.monotonic() > until:
                        break
        except Unexplained as again:
            # Of a lost connection and of a range that no file has the engine says the same.
            is_on_the_way = HTTP in str(again.__cause__)
            return not is_on_the_way or self._fails_twice(part, column, start, cancellation, until)
        return False

    def _remember(self, memory: dict[Any, Any], key: Any, value: Any) -> None:
        if len(memory) > MOST_KNOWN:
            memory.clear()
        memory[key] = value

    def _fails_twice(
        self, part: Part, column: Column, start: int, cancellation: Cancellation, until: float
    ) -> bool:
        """True where the second reader fails to read a column of one part, from a row's group on."""
        try:
            with closing(SecondReader(self._storage, part.meta)) as reader:
                for group in range(len(reader.starts) - 1):
                    if reader.starts[group + 1] <= start:
                        continue
                    for (values,) in reader.batches(group, [column.name], ROWS):
                        if column.as_text:
                            values.cast(pa.string())
                        if time.monotonic() > until or cancellation.is_set:
                            return False
        except (pa.ArrowException, OSError, ValueError):
            return True
        return False

    def _codings(self, meta: ObjectMeta) -> list[Coding]:
        tail = self._storage.read(meta, meta.size - TRAILER, meta.size)
        length = int.from_bytes(tail[:4], "little")
        start = max(0, meta.size - TRAILER - length)
        return codings(self._storage.read(meta, start, meta.size - TRAILER))

    def _ask(self, meta: ObjectMeta) -> None:
        """Ask storage for the end of an object; raises what it answers, if it does not give it."""
        self._storage.read(meta, meta.size - TRAILER, meta.size)


def _named(column: str, dataset: Dataset, meta: ObjectMeta) -> str:
    return f"{column!r} of part {meta.path.partition('/')[2]!r}" if dataset.is_folder else repr(column)


def _without(column: str) -> str:
    return f"leave it out with exclude_field={column}"


def _stored(coding: Coding) -> str:
    if coding.is_encrypted:
        return "is encrypted"
    return f"is compressed with {coding.codec_name}, which nobody here can read"


def _is_of_transport(error: BaseException) -> bool:
    """True for what a lost connection raises; a reader gives Arrow's errors, with DuckDB's type as text."""
    cause = error.__cause__
    return isinstance(cause, duckdb.IOException) or str(cause).startswith(("IO Error", "HTTP Error"))
