"""A query as SQL: values are bound, identifiers come from the schema through one quoting function."""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from application.models import Area, Column, Filter, Query
from application.query.comparisons import MOST_COMPARED
from application.query.operators import OPERATORS
from application.query.period import condition
from application.query.values import value_type

# DuckDB's own columns of read_parquet: the part's index, the row's number in it.
PLACES = ("file_index", "file_row_number")


class Window(NamedTuple):
    """The rows [start, end) of a part."""

    part: int
    start: int
    end: int


def quote(identifier: str) -> str:
    """An engine's column name as an SQL identifier; the only place that quotes one."""
    return '"' + identifier.replace('"', '""') + '"'


def to_sql(
    query: Query, relation: str, *, places: bool = False, window: Window | None = None
) -> tuple[str, list[str]]:
    """SQL text over ``relation`` and the values to bind, by number; columns come out by position.

    With ``places`` two more columns follow: each row's part and its number there. With a ``window`` only its
    rows come.
    """
    values: list[str] = []
    selected = [_selected(column) for column in query.columns]
    shown = ", ".join(selected + (list(PLACES) if places else []))
    return (
        f"SELECT {shown} FROM {relation}{_where(query, window, values)}{_order(query)}{_slice(query)}",
        values,
    )


def count_sql(query: Query, relation: str) -> tuple[str, list[str]]:
    """SQL text that counts the rows of ``relation`` that meet the query's conditions, and values to bind."""
    values: list[str] = []
    return f"SELECT count(*) FROM {relation}{_where(query, None, values)}", values


def _where(query: Query, window: Window | None, values: list[str]) -> str:
    clauses = []
    for item in query.filters:
        column = quote(item.column.engine_name)
        bind = _binder(item.column, values)
        row = OPERATORS[item.operator]
        clauses.append(row.condition(item.column.field.type, column, item.values, bind))
    if query.period:
        ends = query.period.column
        clauses.append(condition(query.period, quote(ends.engine_name), _binder(ends, values)))
    clauses += [clause for area in query.areas if (clause := _sieve(area, values))]
    if window:
        part, start, end = (_bind(str(number), "BIGINT", values) for number in window)
        clauses += [f"{PLACES[0]} = {part}", f"{PLACES[1]} >= {start}", f"{PLACES[1]} < {end}"]
    return f" WHERE {' AND '.join(f'({clause})' for clause in clauses)}" if clauses else ""


def _sieve(area: Area, values: list[str]) -> str:
    """What is true of every row in an area, by its bounding box; row groups are skipped by their own."""
    if area.covering is None:
        return ""
    column = quote(area.covering.engine_name)
    bounds = (area.bounds[2], area.bounds[3], area.bounds[0], area.bounds[1])
    return " AND ".join(
        f"{column}.{quote(corner)} {sign} {_bind(repr(bound), 'DOUBLE', values)}"
        for corner, sign, bound in zip(area.corners, ("<=", "<=", ">=", ">="), bounds, strict=True)
    )


def is_ordered(query: Query) -> bool:
    """True where rows are put in an order, for which the relation has to have their places."""
    return bool(query.order) or any(map(_loses_order, query.filters))


def _loses_order(item: Filter) -> bool:
    """True for a filter that the engine answers by a join, out of the file's order."""
    return OPERATORS[item.operator].takes is None and len(item.values) > MOST_COMPARED


def _order(query: Query) -> str:
    if not is_ordered(query):
        return ""
    # NaN is the engine's last number. Of equal rows it would give any first, hence their places.
    terms = [f"{_key(item.column)} {'DESC' if item.descending else 'ASC'} NULLS LAST" for item in query.order]
    return f" ORDER BY {', '.join([*terms, *PLACES])}"


def _key(column: Column) -> str:
    """What a column is sorted by. The engine gives back its keys for values, and of -0.0 it makes 0.0."""
    name = quote(column.engine_name)
    return f"{name} + 0" if pa.types.is_floating(value_type(column.field.type)) else name


def _slice(query: Query) -> str:
    limit = "" if query.limit is None else f" LIMIT {query.limit:d}"
    return limit + (f" OFFSET {query.offset:d}" if query.offset else "")


def _binder(column: Column, values: list[str]) -> Callable[[str], str]:
    """What binds values of a column."""
    return lambda value: _bind(value, column.engine_type, values)


def _bind(value: str, engine_type: str, values: list[str]) -> str:
    """Add a value and return its placeholder, by number: SQL may use it in any place, and more than once."""
    values.append(value)
    return f"CAST(${len(values)} AS {engine_type})"


def _selected(column: Column) -> str:
    name = quote(column.engine_name)
    if not column.engine_type:
        # Another reader gives its values; to name it would be to read it.
        return f"NULL AS {name}"
    if column.as_wkt:
        geometry = name if column.engine_type.startswith("GEOMETRY") else f"ST_GeomFromWKB({name})"
        return f"ST_AsText({geometry}) AS {name}"
    # Arrow has no VARIANT; its JSON text is what every format but Parquet writes of it.
    return f"CAST({name} AS JSON) AS {name}" if column.engine_type == "VARIANT" else name
