"""Scans: the rows of a query, in the file's own Arrow schema, and how the engine sees its columns."""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import duckdb
import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.conform import bounded, conform, holds_exactly, output_schema
from application.engine.database import Database, literal
from application.engine.exact import ExactColumns
from application.engine.windows import VECTOR_ROWS, bands, is_cut, vectors_at_once, windows
from application.errors import DatasetInvalid, EngineFailed, ProductionCancelled
from application.models import Column, Dataset, ObjectMeta, Query
from application.query.sql import to_sql
from application.storage.base import Storage

BATCH_BYTES = 4 << 20
# Of a window, which costs a query for each thousand columns.
WINDOW_BYTES = 32 << 20
WILDCARD = re.compile(r"[*?\[]")


class Engine:
    """Runs queries over a storage's Parquet objects."""

    def __init__(self, storage: Storage, database: Database) -> None:
        self._storage = storage
        self.database = database

    @property
    def replacements(self) -> int:
        """Databases that were spoiled and replaced, for the metrics."""
        return self.database.replacements

    def describe(self, objects: Sequence[ObjectMeta], schema: pa.Schema) -> tuple[Column, ...]:
        """The columns as the engine sees them, joined by position with the file's own Arrow schema.

        By position, for DuckDB renames columns that are alike but for case (`a`, `A` → `a`, `A_1`).
        """
        with self.database.cursor() as cursor:
            cursor.execute(f"DESCRIBE SELECT * FROM {self._relation(objects)}")
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
            sql, _ = to_sql(Query(columns), self._relation(objects))
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
        self, dataset: Dataset, query: Query, cancellation: Cancellation
    ) -> Generator[pa.RecordBatch]:
        """The rows of a query, in the file's order and its own Arrow schema, each batch bounded by bytes.

        Close the generator to free the cursor. Raises ProductionCancelled, EngineFailed,
        StorageUnavailable or DatasetInvalid.
        """
        again = [place for place, column in enumerate(query.columns) if not column.exact]
        schema = output_schema(dataset, query)
        read = self._by_windows if is_cut(dataset, query) else self._at_once
        count = 0
        try:
            with (
                self.database.cursor() as cursor,
                cancellation.attached(cursor),
                closing(
                    ExactColumns(self._storage, dataset, [query.columns[place].name for place in again])
                ) as exact,
            ):
                for batch in read(cursor, dataset, query, bool(again)):
                    count += batch.num_rows
                    whole = exact.replace(batch, again) if again else batch
                    yield from bounded(conform(whole, schema), BATCH_BYTES)
        except EngineFailed as error:
            if cancellation.is_set:
                raise ProductionCancelled("The download was cancelled.") from error
            raise
        if query.has_all_rows(dataset) and count != dataset.rows:
            raise DatasetInvalid(f"The dataset has {dataset.rows} rows by its footers; {count} came out.")

    def _at_once(
        self, cursor: duckdb.DuckDBPyConnection, dataset: Dataset, query: Query, places: bool
    ) -> Iterator[pa.RecordBatch]:
        sql, values = to_sql(query, self._relation(dataset.objects), places=places)
        rows = VECTOR_ROWS * vectors_at_once(dataset, query, BATCH_BYTES)
        yield from cursor.execute(sql, values).to_arrow_reader(rows)

    def _by_windows(
        self, cursor: duckdb.DuckDBPyConnection, dataset: Dataset, query: Query, places: bool
    ) -> Iterator[pa.RecordBatch]:
        """The same by windows of rows, each of them by bands of columns, which are joined by position."""
        relation = self._relation(dataset.objects)
        runs = bands(query.columns, dataset.extents)
        for window in windows(dataset.extents, VECTOR_ROWS * vectors_at_once(dataset, query, WINDOW_BYTES)):
            columns: list[pa.ChunkedArray] = []
            for band in runs:
                sql, values = to_sql(
                    replace(query, columns=band),
                    relation,
                    places=places and band is runs[-1],
                    window=window,
                )
                columns += cursor.execute(sql, values).to_arrow_table().columns
            if len({len(column) for column in columns}) > 1:
                raise EngineFailed("Columns of the dataset came with unequal counts of rows.")
            names = [str(position) for position in range(len(columns))]
            yield from pa.Table.from_arrays(columns, names=names).combine_chunks().to_batches()

    def check(self) -> None:
        """Answer one trivial query, or raise EngineFailed."""
        with self.database.cursor() as cursor:
            cursor.execute("SELECT 1").fetchall()

    def close(self) -> None:
        """Close the database; the next use opens another."""
        self.database.close()

    def _relation(self, objects: Sequence[ObjectMeta]) -> str:
        urls = ", ".join(literal(self._pattern(meta.path)) for meta in objects)
        return f"read_parquet([{urls}], hive_partitioning = false, union_by_name = false)"

    def _pattern(self, path: str) -> str:
        """The object's URL for read_parquet, to which a file `p[1].parquet` would else be `p1.parquet`."""
        access = self._storage.engine_access()
        # A pattern of an escaped root is outside the allowed one; there the name itself is found.
        if not access.has_patterns or WILDCARD.search(access.root):
            return access.root + path
        return access.root + WILDCARD.sub(r"[\g<0>]", path)
