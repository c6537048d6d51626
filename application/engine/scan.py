"""Scans: the rows of a query, in the file's own Arrow schema, and how the engine sees its columns."""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import duckdb
import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.conform import bounded, conform, holds_exactly, output_schema
from application.engine.database import Database
from application.engine.exact import ExactColumns
from application.engine.journal import Entries, NoJournal
from application.engine.relation import Run, relation, relation_of_all, runs_of, scan_of
from application.engine.side_by_side import Room, side_by_side
from application.engine.windows import VECTOR_ROWS, bands, is_cut, vectors_at_once, windows
from application.errors import ColumnUnsupported, DatasetInvalid, EngineFailed, ProductionCancelled
from application.models import Column, Dataset, ObjectMeta, Part, Query
from application.query.sql import to_sql
from application.storage.base import Storage

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

    @property
    def replacements(self) -> int:
        """Databases that were spoiled and replaced, for the metrics."""
        return self.database.replacements

    def describe(self, meta: ObjectMeta, schema: pa.Schema) -> tuple[Column, ...]:
        """An object's columns as the engine sees them, joined by position with the file's own Arrow schema.

        By position, for DuckDB renames columns that are alike but for case (`a`, `A` → `a`, `A_1`).
        """
        with self._journal.entry([meta], has_rows=False), self.database.cursor() as cursor:
            scan = scan_of(self._storage.engine_access(), [meta.path])
            cursor.execute(f"DESCRIBE SELECT * FROM {scan}")
            described = [(str(row[0]), str(row[1])) for row in cursor.fetchall()]
            if len(described) != len(schema) or not described:
                raise DatasetInvalid("The dataset has columns that the engine cannot read.")
            own = [
                # Arrow has no VARIANT: its JSON text is what the text formats write of it.
                field.with_type(pa.json_()) if kind == "VARIANT" else field
                for field, (_, kind) in zip(schema, described, strict=True)
            ]
            columns = tuple(
                Column(field.name, name, kind, field)
                for field, (name, kind) in zip(own, described, strict=True)
            )
            sql, _ = to_sql(Query(columns), scan)
            seen = cursor.execute(f"{sql} LIMIT 0").to_arrow_reader().schema
        return tuple(
            Column(
                item.name,
                item.engine_name,
                item.engine_type,
                item.field,
                holds_exactly(kind, item.field.type),
            )
            for item, kind in zip(columns, seen.types, strict=True)
        )

    def batches(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        parts: Sequence[Part] | None = None,
    ) -> Generator[pa.RecordBatch]:
        """The rows of a query, in the file's order and its own Arrow schema, each batch bounded by bytes.

        Only ``parts`` are read where they are given: the others have no row of the query. Close the generator
        to free its cursors. Raises ProductionCancelled, EngineFailed, StorageUnavailable, DatasetInvalid or
        Busy.
        """
        chosen = dataset.parts if parts is None else parts
        count = 0
        # What some cursor waits for must be stopped when the caller leaves, too.
        scans = Cancellation()
        try:
            with self._journal.entry(dataset.objects, has_rows=True), cancellation.attached(scans):
                for batch in self._reads(dataset, query, chosen, scans):
                    count += batch.num_rows
                    yield batch
        except (EngineFailed, ProductionCancelled) as error:
            if cancellation.is_set:
                raise ProductionCancelled("The download was cancelled.") from error
            raise
        if query.has_all_rows(dataset) and count != dataset.rows:
            raise DatasetInvalid(f"The dataset has {dataset.rows} rows by its footers; {count} came out.")

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
        again = [place for place, column in enumerate(own) if column and not column.exact]
        if len(runs) > 1:
            _refuse_inexact(query, runs)
        schema = output_schema(dataset, query)
        names = [query.columns[place].name for place in again]
        with (
            self.database.cursor() as cursor,
            cancellation.attached(cursor),
            closing(ExactColumns(self._storage, whole, names)) as exact,
        ):
            for batch in self._scan(cursor, dataset, query, runs, bool(again)):
                rows = exact.replace(batch, again) if again else batch
                yield from bounded(conform(rows, schema), BATCH_BYTES)

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
            source_sql = relation(access, query.columns_read, run=runs[0], places=places)
        else:
            source_sql = relation_of_all(access, query.columns_read, runs)
        sql, values = to_sql(query, source_sql, places=places)
        rows = VECTOR_ROWS * vectors_at_once(dataset, query, BATCH_BYTES)
        yield from cursor.execute(sql, values).to_arrow_reader(rows)

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
