"""How the engine sees a file's columns: which it reads, and which of those exactly."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import duckdb
import pyarrow as pa

from application.engine.conform import holds_exactly
from application.engine.database import FATAL
from application.errors import DatasetInvalid
from application.models import Column, Dataset, Query, Traits
from application.query.sql import to_sql

NO_TRAITS = Traits()


def describe(
    cursor: duckdb.DuckDBPyConnection, relation: str, schema: pa.Schema, traits: Mapping[str, Traits]
) -> tuple[Column, ...]:
    """The relation's columns, joined by position with the file's own Arrow schema.

    By position, for DuckDB renames columns that are alike but for case (`a`, `A` → `a`, `A_1`).
    """
    cursor.execute(f"DESCRIBE SELECT * FROM {relation}")
    described = [(str(row[0]), str(row[1])) for row in cursor.fetchall()]
    if len(described) != len(schema) or not described:
        raise DatasetInvalid("The dataset has columns that the engine cannot read.")
    columns = []
    for field, (name, kind) in zip(schema, described, strict=True):
        # Arrow has no VARIANT: its JSON text is what the text formats write of it.
        own = field.with_type(pa.json_()) if kind == "VARIANT" else field
        found = Column(field.name, name, kind, own, traits=traits.get(field.name, NO_TRAITS))
        columns.append(unread(found) if found.traits.refusal else found)
    seen = _seen(cursor, relation, columns)
    return tuple(_judged(column, kind) for column, kind in zip(columns, seen, strict=True))


def unread(column: Column) -> Column:
    """The column as one that the engine cannot read."""
    return replace(column, engine_type="", exact=False)


def as_wkt(column: Column) -> Column:
    """The column as WKT, where it is WKB that the engine reads."""
    if not column.traits.geometry or not column.engine_type:
        return column
    return replace(column, as_wkt=True, field=column.field.with_type(pa.string()))


def changed(dataset: Dataset, query: Query, change: Callable[[Column], Column]) -> tuple[Dataset, Query]:
    """Dataset and query with their columns changed; what was one column, or one tuple of them, still is."""
    columns: dict[int, Column] = {}
    tuples: dict[int, tuple[Column, ...]] = {}

    def one(column: Column) -> Column:
        if id(column) not in columns:
            columns[id(column)] = change(column)
        return columns[id(column)]

    def several(given: tuple[Column, ...]) -> tuple[Column, ...]:
        if id(given) not in tuples:
            tuples[id(given)] = tuple(map(one, given))
        return tuples[id(given)]

    parts = tuple(replace(part, columns=several(part.columns)) for part in dataset.parts)
    made = replace(dataset, columns=several(dataset.columns), parts=parts)
    return made, replace(query, columns=several(query.columns))


def _seen(
    cursor: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Column]
) -> list[pa.DataType | None]:
    """The Arrow types that the engine gives; None for a column that it cannot hand on."""
    sql, _ = to_sql(Query(tuple(columns)), relation)
    try:
        return list(cursor.execute(f"{sql} LIMIT 0").to_arrow_reader().schema.types)
    except FATAL:
        raise
    except (duckdb.Error, pa.ArrowException, OSError):
        if len(columns) == 1:
            return [None]
        return [kind for column in columns for kind in _seen(cursor, relation, [column])]


def _judged(column: Column, kind: pa.DataType | None) -> Column:
    if kind is None and "VARIANT" in column.engine_type:
        return unread(replace(column, traits=Traits(refusal="variants within other values")))
    if kind is None or not column.engine_type:
        return unread(column)
    # Of variants not even the JSON tells what was cut off.
    return replace(column, exact=column.engine_type != "VARIANT" and holds_exactly(kind, column.field.type))
