"""Scans: the rows of a query, in the file's own Arrow schema, and how the engine sees its columns."""

import re
from collections.abc import Generator, Sequence
from contextlib import closing

import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.conform import bounded, conform, holds_exactly, output_schema
from application.engine.database import Database, literal
from application.engine.exact import ExactColumns
from application.errors import DatasetInvalid, EngineFailed, ProductionCancelled
from application.models import Column, Dataset, ObjectMeta, Query
from application.query.sql import to_sql
from application.storage.base import Storage

VECTOR_ROWS = 2048
BATCH_BYTES = 4 << 20
MOST_BATCH_ROWS = 16 * VECTOR_ROWS
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
        sql, values = to_sql(query, self._relation(dataset.objects), places=bool(again))
        rows = (
            max(1, min(MOST_BATCH_ROWS, BATCH_BYTES // max(dataset.row_bytes, 1)) // VECTOR_ROWS)
            * VECTOR_ROWS
        )
        schema = output_schema(dataset, query)
        try:
            with (
                self.database.cursor() as cursor,
                cancellation.attached(cursor),
                closing(
                    ExactColumns(self._storage, dataset, [query.columns[place].name for place in again])
                ) as exact,
            ):
                for batch in cursor.execute(sql, values).to_arrow_reader(rows):
                    whole = exact.replace(batch, again) if again else batch
                    yield from bounded(conform(whole, schema), BATCH_BYTES)
        except EngineFailed as error:
            if cancellation.is_set:
                raise ProductionCancelled("The download was cancelled.") from error
            raise

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
