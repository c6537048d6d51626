"""A query as SQL: values are bound, identifiers come from the schema through one quoting function."""

from typing import NamedTuple

from application.models import Column, Query
from application.query.operators import OPERATORS

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
    selected = [_selected(column) for column in query.columns]
    shown = ", ".join(selected + (list(PLACES) if places else []))
    clauses: list[str] = []
    values: list[str] = []
    for item in query.filters:
        # By number, so that SQL may use a value in any place, and more than once.
        numbers = range(len(values) + 1, len(values) + len(item.values) + 1)
        casts = [f"CAST(${number} AS {item.column.engine_type})" for number in numbers]
        clauses.append(OPERATORS[item.operator].condition(quote(item.column.engine_name), casts))
        values += item.values
    if window:
        first = len(values) + 1
        part, start, end = (f"CAST(${number} AS BIGINT)" for number in range(first, first + 3))
        clauses += [f"{PLACES[0]} = {part}", f"{PLACES[1]} >= {start}", f"{PLACES[1]} < {end}"]
        values += map(str, window)
    where = f" WHERE {' AND '.join(f'({clause})' for clause in clauses)}" if clauses else ""
    return f"SELECT {shown} FROM {relation}{where}", values


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
