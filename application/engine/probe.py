"""Looks into a dataset's rows beside downloads: how many there are of a query, and some of them."""

import sys
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.conform import Disagreement, conform, output_schema
from application.engine.database import Database
from application.engine.journal import Entries, NoJournal
from application.engine.relation import Run, relation, runs_of
from application.engine.windows import VECTOR_ROWS, is_cut, is_numbered
from application.errors import DatasetInvalid
from application.models import Dataset, Part, Query
from application.query.sql import Window, count_sql, to_sql
from application.storage.base import Storage


class Probe:
    """Counts and samples the rows of queries, whatever their order and limit; for many threads."""

    def __init__(self, storage: Storage, database: Database, journal: Entries | None = None) -> None:
        self._storage = storage
        self._database = database
        self._journal = journal or NoJournal()

    def count(self, dataset: Dataset, query: Query, cancellation: Cancellation, parts: Sequence[Part]) -> int:
        """How many rows of these parts meet the query's conditions.

        Raises ProductionCancelled, EngineFailed, StorageUnavailable, ResultTooLarge or Busy.
        """
        access = self._storage.engine_access()
        bare = replace(query, columns=(), order=())
        rows = 0
        with self._journal.entry(dataset.objects, has_rows=True), self._database.query():
            for run in runs_of(parts, most_parts=len(parts), most_bytes=sys.maxsize):
                sql, values = count_sql(bare, relation(access, bare.columns_read, run, places=False))
                with self._database.cursor() as cursor, cancellation.attached(cursor):
                    found = cursor.execute(sql, values).fetchone()
                    rows += found[0] if found else 0
        return rows

    def rows(
        self,
        dataset: Dataset,
        query: Query,
        cancellation: Cancellation,
        part: Part,
        window: tuple[int, int],
    ) -> list[pa.RecordBatch]:
        """The rows of a query among those numbered [start, end) of a part, in their own Arrow schema.

        Raises as ``count``, and DatasetInvalid for values that their type does not hold.
        """
        loose = replace(query, order=(), limit=None, offset=0)
        source = relation(self._storage.engine_access(), loose.columns_read, Run((part,)), places=True)
        sql, values = to_sql(loose, source, window=Window(0, *window))
        schema = output_schema(dataset, query)
        with (
            self._journal.entry(dataset.objects, has_rows=True),
            self._database.query(),
            self._database.cursor() as cursor,
            cancellation.attached(cursor),
        ):
            try:
                found = cursor.execute(sql, values).to_arrow_reader(VECTOR_ROWS)
                return [conform(batch, schema) for batch in found if batch.num_rows]
            except Disagreement as error:
                raise DatasetInvalid(f"Column {error} has values that its type does not hold.") from error


def has_windows(dataset: Dataset, query: Query) -> bool:
    """True where ``Probe.rows`` reads a query's columns as they are."""
    is_exact = all(column.exact for column in query.columns)
    return is_exact and is_numbered(dataset) and not is_cut(dataset, replace(query, order=()))
