"""Scans: the rows of a query, in the file's own Arrow schema, and how the engine sees its columns."""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.columns import as_wkt, changed, describe, unread
from application.engine.conform import Disagreement, bounded, conform, output_schema, sliced
from application.engine.database import FATAL, Database, Unexplained
from application.engine.exact import ExactColumns
from application.engine.faults import Faults
from application.engine.journal import Entries, NoJournal
from application.engine.relation import Run, relation, relation_of_all, runs_of, scan_of
from application.engine.side_by_side import Room, side_by_side
from application.engine.units import Units
from application.engine.windows import VECTOR_ROWS, bands, is_cut, is_numbered, vectors_at_once, windows
from application.engine.within import read_for, tested
from application.errors import ColumnUnsupported, DatasetInvalid, EngineFailed, ProductionCancelled
from application.models import Column, Dataset, ObjectMeta, Part, Query, Traits
from application.query.sql import is_ordered, to_sql
from application.storage.base import Storage

if TYPE_CHECKING:
    from application.geometry.areas import AreaTest

BATCH_BYTES = 4 << 20
# Of a window, which costs a query for each thousand columns.
WINDOW_BYTES = 32 << 20
# Many small parts: so many cursors wait for storage at the same time, each for a few parts after each other.
CURSORS = 32
MOST_RUN_PARTS = 8
RUN_BYTES = 1 << 20
AHEAD_BYTES = 64 << 20


class Engine:
    """Runs queries over a storage's Parquet objects."""

    def __init__(self, storage: Storage, database: Database, journal: Entries | None = None) -> None:
        self._storage = storage
        self.database = database
        self._room = Room(AHEAD_BYTES)
        self._journal = journal or NoJournal()
        self._faults = Faults(storage, database)
        self._units = Units(storage, database)

    @property
    def replacements(self) -> int:
        """Databases that were spoiled and replaced, for the metrics."""
        return self.database.replacements

    def describe(
        self, meta: ObjectMeta, schema: pa.Schema, traits: Mapping[str, Traits] | None = None
    ) -> tuple[Column, ...]:
        """An object's columns as the engine sees them; raises DatasetInvalid and StorageUnavailable."""
        with self._journal.entry([meta], has_rows=False):
            try:
                return self._described(meta, schema, traits or {})
            except Unexplained as error:
                fault = self._faults.of_schema(meta, error)
                if isinstance(error.__cause__, FATAL):
                    raise fault from error
            # Storage answers now; where it only had not, the engine reads the object this time.
            try:
                return self._described(meta, schema, traits or {})
            except Unexplained as error:
                raise fault from error

    def _described(
        self, meta: ObjectMeta, schema: pa.Schema, traits: Mapping[str, Traits]
    ) -> tuple[Column, ...]:
        with self.database.cursor() as cursor:
            return describe(cursor, scan_of(self._storage.engine_access(), [meta.path]), schema, traits)

    def settled(
        self, dataset: Dataset, query: Query, cancellation: Cancellation, *, wkt: bool
    ) -> tuple[Dataset, Query]:
        """Dataset and query with the types that are known only now: text for WKB, and the unit of INT96.

        That of INT96 only its values tell. Raises what ``batches`` raises.
        """
        if wkt and any(column.traits.geometry for column in query.columns):
            # Who changes the geometry reads it as it is stored.
            kept = query.shape.geometry.column if query.shape else ""
            dataset, query = changed(
                dataset, query, lambda column: column if column.name == kept else as_wkt(column)
            )
        with self._journal.entry(dataset.objects, has_rows=False), self.database.query():
            while True:
                others = self._faults.read_by_others(dataset)
                try:
                    return self._units.settled(dataset, query, cancellation, others)
                except EngineFailed as error:
                    self._explain(dataset, query, cancellation, others, given=0, error=error)

    def batches(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        parts: Sequence[Part] | None = None,
        tests: "Sequence[AreaTest]" = (),
    ) -> Generator[pa.RecordBatch]:
        """The rows of a query, in the file's order and its own Arrow schema, each batch bounded by bytes.

        Only ``parts`` are read where they are given: the others have no row of the query. ``tests`` are
        those of the query's areas. What the engine
        turns out not to read is read by another reader, from the row that was next. Close the generator to
        free its cursors. Raises ProductionCancelled, EngineFailed, StorageUnavailable, DatasetInvalid,
        ColumnUnsupported or Busy.
        """
        if parts is not None:
            dataset = replace(dataset, parts=tuple(parts))
        if len(tests) != len(query.areas):
            raise EngineFailed("The areas of a query came without their tests.")
        if tests:
            yield from self._within(dataset, query, cancellation, tests)
            return
        if query.order or (query.limit is None and not query.offset):
            yield from self._counted(dataset, query, cancellation)
            return
        # Of rows in the file's order each part gives the first ones, and here is the end.
        most = None if query.limit is None else query.offset + query.limit
        ahead = replace(query, limit=most, offset=0)
        with closing(self._counted(dataset, ahead, cancellation)) as batches:
            yield from sliced(batches, query.offset, query.limit)

    def _within(
        self, dataset: Dataset, query: Query, cancellation: Cancellation, tests: "Sequence[AreaTest]"
    ) -> Generator[pa.RecordBatch]:
        """The rows that pass the tests of the areas, which what is counted of them comes after."""
        columns, places = read_for(query)
        read = replace(query, columns=columns, limit=None, offset=0)
        schema = output_schema(dataset, query)
        with closing(self._counted(dataset, read, cancellation)) as batches:
            yield from sliced(tested(batches, tests, places, schema), query.offset, query.limit)

    def _counted(
        self, dataset: Dataset, query: Query, cancellation: Cancellation
    ) -> Generator[pa.RecordBatch]:
        """The rows of a query, perhaps more than its limit; all that there are, where all are asked for."""
        count = 0
        with self._journal.entry(dataset.objects, has_rows=True), self.database.query():
            others = self._faults.read_by_others(dataset)
            while True:
                try:
                    for batch in self._rest(dataset, query, cancellation, others, count):
                        count += batch.num_rows
                        yield batch
                    break
                except (EngineFailed, ProductionCancelled, Disagreement) as error:
                    others = self._explain(dataset, query, cancellation, others, given=count, error=error)
        if query.has_all_rows(dataset) and count != dataset.rows:
            raise DatasetInvalid(f"The dataset has {dataset.rows} rows by its footers; {count} came out.")

    def _explain(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        others: frozenset[str],
        *,
        given: int,
        error: Exception,
    ) -> frozenset[str]:
        """The columns that another reader is to give, more than before; else raises what is to be told."""
        if cancellation.is_set:
            raise ProductionCancelled("The download was cancelled.") from error
        if not isinstance(error, Unexplained | Disagreement):
            raise error
        return self._faults.of_scan(dataset, query, cancellation, others, given=given, error=error)

    def _rest(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        others: frozenset[str],
        skip: int,
    ) -> Generator[pa.RecordBatch]:
        """The rows from the one numbered ``skip`` on, with the columns of ``others`` by another reader."""
        if others:
            _check(dataset, query, others)
            dataset, query = changed(
                dataset, query, lambda column: unread(column) if column.name in others else column
            )
        # What some cursor waits for must be stopped when the caller leaves, too.
        scans = Cancellation()
        with cancellation.attached(scans):
            for batch in self._reads(dataset, query, dataset.parts, scans):
                left = batch.slice(skip)
                skip -= batch.num_rows - left.num_rows
                if left.num_rows:
                    yield left

    def _reads(
        self, dataset: Dataset, query: Query, parts: Sequence[Part], cancellation: Cancellation
    ) -> Generator[pa.RecordBatch]:
        """The rows of these parts, by several cursors where each row is chosen by itself."""
        if not query.is_by_row:
            runs = runs_of(parts, most_parts=len(parts), most_bytes=sys.maxsize)
            return self._read(dataset, query, runs, cancellation)
        most = min(MOST_RUN_PARTS, -(-len(parts) // CURSORS))
        runs = runs_of(parts, most_parts=most, most_bytes=RUN_BYTES)
        reads = [(run.data_bytes, partial(self._read, dataset, query, [run], cancellation)) for run in runs]
        return side_by_side(reads, self._room, cancellation.set)

    def _read(
        self, dataset: Dataset, query: Query, runs: Sequence[Run], cancellation: Cancellation
    ) -> Generator[pa.RecordBatch]:
        """The rows of some runs by one cursor, as in ``batches``."""
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
            self.database.cursor() as cursor,
            cancellation.attached(cursor),
            closing(ExactColumns(self._storage, whole, list(inexact.values()), rows)) as exact,
        ):
            if again and query.order:
                exact.gather(self._places(cursor, query, runs))
            for batch in self._scan(cursor, dataset, query, runs, bool(again)):
                found = exact.replace(batch, again) if again else batch
                yield from bounded(conform(found, schema), BATCH_BYTES)

    def _scan(
        self,
        cursor: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        query: Query,
        runs: Sequence[Run],
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
            has_places = places or is_ordered(query)
            source_sql = relation(access, query.columns_read, run=runs[0], places=has_places)
        else:
            source_sql = relation_of_all(access, query.columns_read, runs)
        sql, values = to_sql(query, source_sql, places=places)
        rows = VECTOR_ROWS * vectors_at_once(dataset, query, BATCH_BYTES)
        yield from cursor.execute(sql, values).to_arrow_reader(rows)

    def _places(self, cursor: duckdb.DuckDBPyConnection, query: Query, runs: Sequence[Run]) -> pa.Table:
        """Part and number of each of a query's rows, in their order."""
        access = self._storage.engine_access()
        bare = replace(query, columns=())
        sql, values = to_sql(bare, relation(access, bare.columns_read, run=runs[0], places=True), places=True)
        return cursor.execute(sql, values).to_arrow_table()

    def check(self) -> None:
        """Answer one trivial query, or raise EngineFailed."""
        with self.database.cursor() as cursor:
            cursor.execute("SELECT 1").fetchall()

    def give_up(self) -> None:
        """Have what waits for storage fail: it hears nothing else."""
        self.database.give_up()

    def close(self) -> None:
        """Close the database; the next use opens another."""
        self.database.close()
        self._journal.close()


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


def _check(dataset: Dataset, query: Query, others: frozenset[str]) -> None:
    """Refuse by name what cannot be had of columns that the engine does not read."""
    for column in query.columns_looked_at:
        if column.name in others:
            raise ColumnUnsupported(
                f"Column {column.name!r} is stored in a way that no filter and no sort reads; ask without it."
            )
    for column in query.columns:
        if column.name not in others:
            continue
        what = ""
        if not is_numbered(dataset):
            what = "cannot be read beside a column named as row numbers are"
        elif column.as_wkt:
            what = "is WKB in a coding that the engine, which makes WKT of it, cannot read"
        elif column.traits.int96:
            # Years beyond nanoseconds, which the engine alone could tell.
            what = "has INT96 timestamps in a coding that the engine cannot read"
        if what:
            raise ColumnUnsupported(
                f"Column {column.name!r} {what}; leave it out with exclude_field={column.name}."
            )
