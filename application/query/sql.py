"""A query as SQL: values are bound, identifiers come from the schema through one quoting function."""

from application.models import Column, Query
from application.query.parameters import OPERATORS, PLACES


def quote(identifier: str) -> str:
    """An engine's column name as an SQL identifier; the only place that quotes one."""
    return '"' + identifier.replace('"', '""') + '"'


def to_sql(query: Query, relation: str, *, places: bool = False) -> tuple[str, list[str]]:
    """SQL text over ``relation`` and the values to bind, in order; columns come out by position.

    With ``places`` two more columns follow: each row's part and its number there.
    """
    selected = [_selected(column) for column in query.columns]
    shown = ", ".join(selected + (list(PLACES) if places else []))
    clauses: list[str] = []
    values: list[str] = []
    for item in query.filters:
        casts = [f"CAST(? AS {item.column.engine_type})" for _ in item.values]
        clauses.append(OPERATORS[item.operator].sql(quote(item.column.engine_name), casts))
        values += item.values
    where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    return f"SELECT {shown} FROM {relation}{where}", values


def _selected(column: Column) -> str:
    name = quote(column.engine_name)
    # Arrow has no VARIANT; its JSON text is what every format but Parquet writes of it.
    return f"CAST({name} AS JSON) AS {name}" if column.engine_type == "VARIANT" else name
