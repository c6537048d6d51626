"""Whose fault a failed read was: the storage's, the file's, or the engine's, by asking each of them again.

The engine's own words do not tell: to it a bad offset and a lost connection are both I/O errors.
"""

import time
from contextlib import closing

import duckdb
import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.codings import CODECS, Coding, codings
from application.engine.conform import Disagreement
from application.engine.database import FATAL, Database, Unexplained
from application.engine.ranges import SecondReader
from application.engine.relation import scan_of
from application.errors import (
    ColumnUnsupported,
    DatasetInvalid,
    DownloadError,
    EngineFailed,
    StorageUnavailable,
)
from application.models import Column, Dataset, ObjectMeta, Query
from application.query.sql import to_sql
from application.storage.base import Storage

PATIENCE_SECONDS = 20.0
ROWS = 2048
MOST_KNOWN = 1000
TRAILER = 8
LZ4 = 5
# By Parquet's numbers, as engine and second reader know them together.
READABLE_CODECS = frozenset({0, 1, 2, 4, 5, 6, 7})


class Faults:
    """Explains failures, and remembers which columns only the second reader reads; for many threads."""

    def __init__(self, storage: Storage, database: Database) -> None:
        self._storage = storage
        self._database = database
        self._others: dict[str, frozenset[str]] = {}

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
        error: Exception,
    ) -> frozenset[str]:
        """All columns that only the second reader reads, ``others`` and those whose codings the engine lacks.

        Else raises StorageUnavailable, DatasetChanged, DatasetInvalid or ColumnUnsupported; EngineFailed
        where nothing is found.
        """
        if isinstance(error, Disagreement):
            (name,) = error.args
            raise DatasetInvalid(
                f"Column {name!r} has values that its own type does not hold; {_without(name)}."
            ) from error
        found = self._found(dataset, query, cancellation, others, error)
        if not found and _is_of_transport(error):
            raise StorageUnavailable("The dataset's storage did not answer.") from error
        if not found:
            raise EngineFailed("The engine failed while it read the dataset.") from error
        if len(self._others) > MOST_KNOWN:
            self._others.clear()
        found |= others
        self._others[dataset.e_tag] = found | self.read_by_others(dataset)
        return found

    def _found(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        known: frozenset[str],
        error: Exception,
    ) -> frozenset[str]:
        """The columns that the second reader alone reads, of the first part that has any."""
        until = time.monotonic() + PATIENCE_SECONDS
        wanted = {column.name for column in query.columns_read} - known
        for part in dataset.parts:
            meta = part.meta
            columns = {
                column.name: column for column in part.columns if column.engine_type and column.name in wanted
            }
            others = set()
            for coding in self._codings(meta):
                if coding.column not in columns:
                    continue
                if coding.is_encrypted or coding.codec not in READABLE_CODECS:
                    named = _named(coding.column, dataset, meta)
                    raise ColumnUnsupported(f"Column {named} {_stored(coding)}; {_without(coding.column)}.")
                if coding.codec == LZ4 or coding.is_split:
                    others.add(coding.column)
            if others:
                return frozenset(others)
            for column in columns.values():
                if time.monotonic() > until:
                    return frozenset()
                # A query that spoils the database would spoil the next one.
                is_fatal = isinstance(error.__cause__, FATAL)
                fails = self._fails_twice if is_fatal else self._fails_again
                if fails(meta, column, cancellation, until):
                    self._ask(meta)
                    named = _named(column.name, dataset, meta)
                    if column.as_wkt and not self._fails_twice(meta, column, cancellation, until):
                        raise ColumnUnsupported(
                            f"Column {named} has bytes that are no WKB of points, lines and polygons; "
                            f"{_without(column.name)}, or choose parquet."
                        ) from error
                    raise DatasetInvalid(
                        f"Column {named} is damaged and cannot be read; {_without(column.name)}."
                    ) from error
        return frozenset()

    def _fails_again(
        self, meta: ObjectMeta, column: Column, cancellation: Cancellation, until: float
    ) -> bool:
        """True where the engine fails to read a column of one part once more."""
        scan = scan_of(self._storage.engine_access(), [meta.path])
        sql, values = to_sql(Query((column,)), scan)
        try:
            with self._database.cursor() as cursor, cancellation.attached(cursor):
                for _ in cursor.execute(sql, values).to_arrow_reader(ROWS):
                    if time.monotonic() > until:
                        break
        except Unexplained:
            return True
        return False

    def _fails_twice(
        self, meta: ObjectMeta, column: Column, cancellation: Cancellation, until: float
    ) -> bool:
        """True where the second reader fails to read a column of one part, too."""
        try:
            with closing(SecondReader(self._storage, meta)) as reader:
                for group in range(len(reader.starts) - 1):
                    for _ in reader.batches(group, [column.name], ROWS):
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
