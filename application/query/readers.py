"""How a text in a parameter becomes the canonical values of an operator."""

from typing import Literal

import pyarrow as pa

from application.models import Column
from application.query.dates import span
from application.query.values import ValueProblem, parser_for, read_record, value_type


def own_value(column: Column, text: str) -> tuple[str, ...]:
    """One value of the column's own type; raises ValueProblem."""
    _check(column)
    if not column.exact:
        raise ValueProblem("holds values finer than a filter can compare")
    return (parser_for(column.field.type)(text),)


def own_values(column: Column, text: str) -> tuple[str, ...]:
    """The values of one CSV record, each of the column's own type; raises ValueProblem."""
    return tuple(value for part in read_record(text) for value in own_value(column, part))


def first_day(column: Column, text: str) -> tuple[str, ...]:
    """One value; on dates, of a partial one its first day. Raises ValueProblem."""
    return own_value(column, _day(column, text, 0))


def last_day(column: Column, text: str) -> tuple[str, ...]:
    """One value; on dates, of a partial one its last day. Raises ValueProblem."""
    return own_value(column, _day(column, text, 1))


def _day(column: Column, text: str, end: Literal[0, 1]) -> str:
    days = span(text) if pa.types.is_date(value_type(column.field.type)) else None
    return days[end].isoformat() if days else text


def no_value(column: Column, text: str) -> tuple[str, ...]:
    """No value, or `true`, which says the same; raises ValueProblem."""
    _check(column)
    if text not in {"", "true"}:
        raise ValueProblem(f"takes no value here, 'true' or 'false', and {text[:60]!r} is none of them")
    return ()


def _check(column: Column) -> None:
    """Refuse what the engine cannot read at all."""
    if column.traits.refusal:
        raise ValueProblem(f"holds {column.traits.refusal}, so it cannot be filtered")
    if not column.engine_type:
        raise ValueProblem("is stored in a way that no filter reads")
