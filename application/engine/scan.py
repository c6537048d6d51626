"""Scans: the rows of a query, in the file's own Arrow schema, and how the engine sees its columns."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.columns import as_wkt, changed, describe, unread
from application.engine.conform import Disagreement, output_schema, sliced
from application.engine.database import FATAL, Database, Unexplained
from application.engine.direct import Undirect
from application.engine.faults import Faults
from application.engine.journal import Entries, NoJournal
from application.engine.reads import Reads
from application.engine.relation import scan_of
from application.engine.units import Units
from application.engine.windows import is_numbered
from application.engine.within import read_for, tested
from application.errors import ColumnUnsupported, DatasetInvalid, EngineFailed, ProductionCancelled
from application.models import Column, Dataset, ObjectMeta, Part, Query, Traits
from application.storage.base import Storage

if TYPE_CHECKING:
    from application.geometry.areas import AreaTest


class Engine:
    """Runs queries over a storage's Parquet objects."""

    def __init__(self, storage: Storage, database: Database, journal: Entries | None = None) -> None:
        self._storage = storage
        self.database = database
        self._journal = journal or NoJournal()
        self._faults = Faults(storage, database)
        self._units = Units(storage, database)
        self._reads = Reads(storage, database)

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
            # Who changes the geometry reads it as it is stored, unless it is to be text.
            shape = query.shape
            kept = shape.geometry.column if shape and shape.geometry.encoding != "wkt" else ""
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
        *,
        cursors: int = 1,
    ) -> Generator[pa.RecordBatch]:
        """The rows of a query, in the file's order and its own Arrow schema, each batch bounded by bytes.

        Only ``parts`` are read where they are given: the others have no row of the query. ``tests`` are
        those of the query's areas. Where each row comes out, large parts are read by so many ``cursors``.
        What the engine turns out not to read is read by another reader, from the row that was next. Close
        the generator to free its cursors. Raises ProductionCancelled, EngineFailed, StorageUnavailable,
        DatasetInvalid, ColumnUnsupported or Busy.
        """
        if parts is not None:
            dataset = replace(dataset, parts=tuple(parts))
        if len(tests) != len(query.areas):
            raise EngineFailed("The areas of a query came without their tests.")
        if tests:
            yield from self._within(dataset, query, cancellation, tests, cursors)
            return
        if query.order or (query.limit is None and not query.offset):
            yield from self._counted(dataset, query, cancellation, cursors)
            return
        # Of rows in the file's order each part gives the first ones, and here is the end.
        most = None if query.limit is None else query.offset + query.limit
        ahead = replace(query, limit=most, offset=0)
        with closing(self._counted(dataset, ahead, cancellation, cursors)) as batches:
            yield from sliced(batches, query.offset, query.limit)

    def _within(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        tests: "Sequence[AreaTest]",
        cursors: int,
    ) -> Generator[pa.RecordBatch]:
        """The rows that pass the tests of the areas, which what is counted of them comes after."""
        columns, places = read_for(query)
        read = replace(query, columns=columns, limit=None, offset=0)
        schema = output_schema(dataset, query)
        with closing(self._counted(dataset, read, cancellation, cursors)) as batches:
            yield from sliced(tested(batches, tests, places, schema), query.offset, query.limit)

    def _counted(
        self, dataset: Dataset, query: Query, cancellation: Cancellation, cursors: int
    ) -> Generator[pa.RecordBatch]:
        """The rows of a query, perhaps more than its limit; all that there are, where all are asked for."""
        count = 0
        with self._journal.entry(dataset.objects, has_rows=True), self.database.query():
            others = self._faults.read_by_others(dataset)
            by_engine = bool(others)
            while True:
                try:
                    for batch in self._rest(
                        dataset, query, cancellation, cursors, others=others, skip=count, by_engine=by_engine
                    ):
                        count += batch.num_rows
                        yield batch
                    break
                except Undirect:
                    # It reads what pyarrow cannot, or finds out whose fault it is.
                    by_engine = True
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
        cursors: int,
        *,
        others: frozenset[str],
        skip: int,
        by_engine: bool,
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
            for batch in self._reads.rows(dataset, query, scans, cursors, by_engine=by_engine):
                left = batch.slice(skip)
                skip -= batch.num_rows - left.num_rows
                if left.num_rows:
                    yield left

    def ahead_bytes(self, dataset: Dataset, query: Query, cursors: int) -> int:
        """Bytes that so many cursors may need beside what one needs; 0 where one reads all."""
        return self._reads.ahead_bytes(dataset, query, cursors)

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
