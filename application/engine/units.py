"""The unit of INT96 timestamps: nanoseconds where all values fit them, microseconds where one does not.

Writers put "for ever" as 9999-12-31 into INT96, which reaches beyond what 64 bits of nanoseconds do.
Only the values tell, so they are looked at when a query keeps the column, once for each version.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from application.engine.cancellation import Cancellation
from application.engine.columns import changed
from application.engine.conform import in_microseconds
from application.engine.database import Database
from application.engine.relation import runs_of, scan_of
from application.models import Column, Dataset, Query
from application.query.sql import quote
from application.storage.base import Storage

MOST_KNOWN = 1000
# What fits 64 bits of nanoseconds, to the microsecond.
FIRST, LAST = "1677-09-21 00:12:43.145225", "2262-04-11 23:47:16.854774"

types = pa.types


class Units:
    """Knows which INT96 columns are wider than nanoseconds; for many threads."""

    def __init__(self, storage: Storage, database: Database) -> None:
        self._storage = storage
        self._database = database
        self._known: dict[tuple[str, str], bool] = {}

    def settled(
        self, dataset: Dataset, query: Query, cancellation: Cancellation, others: frozenset[str]
    ) -> tuple[Dataset, Query]:
        """Dataset and query with the unit of each INT96 column that the query keeps, but of ``others``."""
        kept = [
            column.name
            for column in query.columns
            if column.traits.int96 and column.engine_type and column.name not in others
        ]
        unknown = [name for name in kept if (dataset.e_tag, name) not in self._known]
        if unknown:
            self._look(dataset, unknown, cancellation)
        wide = {name for name in kept if self._known[dataset.e_tag, name]}
        if not wide:
            return dataset, query

        def settle(column: Column) -> Column:
            if column.name not in wide:
                return column
            return replace(column, field=column.field.with_type(in_microseconds(column.field.type)))

        return changed(dataset, query, settle)

    def _look(self, dataset: Dataset, names: Sequence[str], cancellation: Cancellation) -> None:
        found = dict.fromkeys(names, False)
        access = self._storage.engine_access()
        with self._database.cursor() as cursor, cancellation.attached(cursor):
            for run in runs_of(dataset.parts, most_parts=len(dataset.parts), most_bytes=sys.maxsize):
                own = [column for column in run.columns if column.name in found and column.traits.int96]
                if own:
                    scan = scan_of(access, [part.meta.path for part in run.parts])
                    sql = f"SELECT {', '.join(map(_is_wide, own))} FROM {scan}"
                    (row,) = cursor.execute(sql).fetchall()
                    for column, is_wide in zip(own, row, strict=True):
                        found[column.name] |= bool(is_wide)
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known |= {(dataset.e_tag, name): is_wide for name, is_wide in found.items()}


def _is_wide(column: Column) -> str:
    """SQL that says of a whole column whether a timestamp of it is beyond nanoseconds."""
    name, kind = quote(column.engine_name), column.field.type
    low, high = name, name
    if types.is_nested(kind):
        moments = _moments(name, kind)
        low, high = f"list_min({moments})", f"list_max({moments})"
    return f"coalesce(min({low}) < TIMESTAMP '{FIRST}' OR max({high}) > TIMESTAMP '{LAST}', false)"


def _moments(value: str, kind: pa.DataType, depth: int = 0) -> str:
    """SQL for the list of all timestamps of nanoseconds in a value, at any depth."""
    if types.is_timestamp(kind):
        return f"[CAST({value} AS TIMESTAMP)]" if kind.unit == "ns" else "[]"
    if types.is_struct(kind):
        parts = [
            _moments(f"struct_extract_at({value}, {index + 1})", kind.field(index).type, depth)
            for index in range(kind.num_fields)
        ]
        return f"list_concat(CAST([] AS TIMESTAMP[]), {', '.join(parts)})"
    if types.is_map(kind):
        keys = _each(f"map_keys({value})", kind.key_type, depth)
        return f"list_concat({keys}, {_each(f'map_values({value})', kind.item_type, depth)})"
    if types.is_nested(kind):
        return _each(value, kind.value_type, depth)
    return "CAST([] AS TIMESTAMP[])"


def _each(value: str, kind: pa.DataType, depth: int) -> str:
    item = f"item{depth}"
    return f"flatten(list_transform({value}, lambda {item}: {_moments(item, kind, depth + 1)}))"
