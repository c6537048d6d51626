"""The reads of a query, each by a cursor of its own; side by side where that can be, in the rows' order."""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import duckdb
import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.conform import bounded, conform, output_schema, sliced
from application.engine.database import Database
from application.engine.direct import DirectReads
from application.engine.exact import ExactColumns
from application.engine.relation import Run, relation, relation_of_all, runs_of
from application.engine.side_by_side import READER_BYTES, Ahead, Room, side_by_side
from application.engine.spans import Read, reads_of, span_bytes
from application.engine.windows import MOST_VECTORS, VECTOR_ROWS, bands, is_cut, vectors_at_once, windows
from application.errors import ColumnUnsupported, EngineFailed
from application.models import Column, Dataset, Query
from application.query.sql import Window, is_ordered, to_sql
from application.storage.base import Storage

BATCH_BYTES = 4 << 20
# Of a window, which costs a query for each thousand columns.
WINDOW_BYTES = 32 << 20
# For small parts, which wait for storage rather than take memory: of all downloads together.
AHEAD_BYTES = 64 << 20


class Reads:
    """Reads parts of a storage by cursors of a database."""

    def __init__(self, storage: Storage, database: Database) -> None:
        self._storage = storage
        self._database = database
        self._room = Room(AHEAD_BYTES)
        self._direct = DirectReads(storage, size=BATCH_BYTES, most=VECTOR_ROWS * MOST_VECTORS)

    def ahead_bytes(self, dataset: Dataset, query: Query, cursors: int) -> int:
        """Bytes that so many cursors may need beside what one needs; 0 where one reads all."""
        largest = span_bytes(dataset, query) if cursors > 1 else 0
        vectors = dataset.extents.vector_bytes(query.columns_read)
        return (cursors - 1) * (READER_BYTES + largest + vectors) if largest else 0

    def rows(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        cursors: int,
        *,
        by_engine: bool = False,
    ) -> Generator[pa.RecordBatch]:
        """The rows of a dataset's parts in their order, by several cursors where each is chosen by itself.

        Without ``by_engine``, pyarrow reads some, and where it turns out that it cannot, raises Undirect.
        """
        parts = dataset.parts
        if not query.is_by_row:
            runs = runs_of(parts, most_parts=len(parts), most_bytes=sys.maxsize)
            return self._read(dataset, query, runs, cancellation)
        read_one = self._read if by_engine else self._read_soon
        # What is read directly gives its first rows soon by itself.
        first = runs_of(parts[:1], most_parts=1, most_bytes=0)
        is_direct = not by_engine and self._is_direct(dataset, query, first)
        spans = Room(self.ahead_bytes(dataset, query, cursors))
        reads = reads_of(dataset, query, by_spans=cursors > 1, first_soon=self._is_near and not is_direct)
        schema = output_schema(dataset, query)
        begun = []
        for read in reads:
            rows = partial(read_one, dataset, _asked_of(read, query), read.runs, cancellation, read.span)
            room = spans if read.span else self._room
            begun.append(Ahead(partial(_in_schema, rows, schema), read.size, room))
        return side_by_side(begun, cancellation.set)

    @property
    def _is_near(self) -> bool:
        """True where bytes may be read twice, for they cost no request."""
        return not self._storage.engine_access().extension

    def _is_for_one_thread(self, query: Query, runs: Sequence[Run]) -> bool:
        """True where more would have nothing to do, or only wait to give their rows in order.

        A row group is read by one. Where each costs requests, several wait for them at the same time.
        """
        if is_ordered(query):
            return False
        groups = sum(len(part.groups) for run in runs for part in run.parts)
        return groups <= 1 or (self._is_near and not query.columns_looked_at)

    def _is_direct(self, dataset: Dataset, query: Query, runs: Sequence[Run]) -> bool:
        return len(runs) == 1 and self._direct.can_read(dataset, query, runs[0])

    def _read_soon(
        self,
        dataset: Dataset,
        query: Query,
        runs: Sequence[Run],
        cancellation: Cancellation,
        span: Window | None = None,
    ) -> Generator[pa.RecordBatch]:
        """As ``_read``, but directly where that can be."""
        if not self._is_direct(dataset, query, runs):
            yield from self._read(dataset, query, runs, cancellation, span)
            return
        rows = self._direct.rows(dataset, query, runs[0], cancellation, span)
        for batch in sliced(rows, 0, query.limit):
            yield from bounded(batch, BATCH_BYTES, batch.nbytes)

    def _read(
        self,
        dataset: Dataset,
        query: Query,
        runs: Sequence[Run],
        cancellation: Cancellation,
        span: Window | None = None,
    ) -> Generator[pa.RecordBatch]:
        """The rows of some runs, or of a span of one, by one cursor, as in the engine's ``batches``."""
        if not runs:
            return
        whole = runs[0].dataset(dataset)
        own = runs[0].own(query.columns)
        inexact = {place: column for place, column in enumerate(own) if column and not column.exact}
        again = list(inexact)
        if len(runs) > 1:
            _refuse_inexact(query, runs)
        schema = output_schema(dataset, query)
        rows = VECTOR_ROWS * vectors_at_once(dataset, query, BATCH_BYTES)
        with (
            self._database.cursor(alone=self._is_for_one_thread(query, runs)) as cursor,
            cancellation.attached(cursor),
            closing(ExactColumns(self._storage, whole, list(inexact.values()), rows)) as exact,
        ):
            if again and query.order:
                exact.gather(self._places(cursor, query, runs))
            for batch in self._scan(cursor, dataset, query, runs, span, places=bool(again)):
                found = exact.replace(batch, again) if again else batch
                yield from bounded(conform(found, schema), BATCH_BYTES, found.nbytes)

    def _scan(
        self,
        cursor: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        query: Query,
        runs: Sequence[Run],
        span: Window | None,
        *,
        places: bool,
    ) -> Iterator[pa.RecordBatch]:
        """The rows of some runs as the engine has them; with ``places`` part and row number follow."""
        access = self._storage.engine_access()
        if len(runs) == 1 and is_cut(dataset, query):
            extents = runs[0].dataset(dataset).extents
            source = partial(relation, access, run=runs[0], places=True)
            yield from _by_windows(cursor, source, replace(dataset, extents=extents), query, places)
            return
        if len(runs) == 1:
            has_places = places or is_ordered(query) or span is not None
            source_sql = relation(access, query.columns_read, run=runs[0], places=has_places)
        else:
            source_sql = relation_of_all(access, query.columns_read, runs)
        sql, values = to_sql(query, source_sql, places=places, window=span)
        rows = VECTOR_ROWS * vectors_at_once(dataset, query, BATCH_BYTES)
        yield from cursor.execute(sql, values).to_arrow_reader(rows)

    def _places(self, cursor: duckdb.DuckDBPyConnection, query: Query, runs: Sequence[Run]) -> pa.Table:
        """Part and number of each of a query's rows, in their order."""
        access = self._storage.engine_access()
        bare = replace(query, columns=())
        sql, values = to_sql(bare, relation(access, bare.columns_read, run=runs[0], places=True), places=True)
        return cursor.execute(sql, values).to_arrow_table()


def _asked_of(read: Read, query: Query) -> Query:
    """What one read is asked for."""
    if read.span:
        # A span gives all its rows; who takes them ends with the limit.
        query = replace(query, limit=None)
    return replace(query, filters=()) if read.is_met else query


def _in_schema(read: Callable[[], Generator[pa.RecordBatch]], schema: pa.Schema) -> Generator[pa.RecordBatch]:
    """The batches with a schema's metadata: a read may be asked for more rows than the query is."""
    with closing(read()) as batches:
        for batch in batches:
            yield batch.replace_schema_metadata(schema.metadata)


def _by_windows(
    cursor: duckdb.DuckDBPyConnection,
    source: Callable[[Sequence[Column]], str],
    dataset: Dataset,
    query: Query,
    places: bool,
) -> Iterator[pa.RecordBatch]:
    """The rows by windows of rows, each of them by bands of columns, which are joined by position.

    ``source`` gives the SQL of what columns are read from.
    """
    query = replace(query, limit=None)
    bunches = bands(query.columns, dataset.extents)
    for window in windows(dataset.extents, VECTOR_ROWS * vectors_at_once(dataset, query, WINDOW_BYTES)):
        columns: list[pa.ChunkedArray] = []
        for band in bunches:
            part = replace(query, columns=band)
            is_last = band is bunches[-1]
            sql, values = to_sql(part, source(part.columns_read), places=places and is_last, window=window)
            columns += cursor.execute(sql, values).to_arrow_table().columns
        if len({len(column) for column in columns}) > 1:
            raise EngineFailed("Columns of the dataset came with unequal counts of rows.")
        names = [str(position) for position in range(len(columns))]
        yield from pa.Table.from_arrays(columns, names=names).combine_chunks().to_batches()


def _refuse_inexact(query: Query, runs: Sequence[Run]) -> None:
    """Refuse what is to be read again by row number, which rows of several runs together do not have."""
    for run in runs:
        for column in run.own(query.columns):
            if column and not column.exact:
                raise ColumnUnsupported(
                    f"Column {column.name!r} holds {column.field.type} values, which this query cannot read "
                    f"exactly from several parts; leave it out with exclude_field={column.name}."
                )
