"""`period`: rows that are in force on a day, and rows that ended by then."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pyarrow as pa

from application.models import Column, Period
from application.query.names import ColumnNames, reached
from application.query.values import is_text, value_type

# The column of planning data that says when a row ended.
END_COLUMN = "end-date"
PERIODS = ("current", "historical", "all")


def period(texts: Sequence[str], _: object, columns: Sequence[Column]) -> Period | None:
    """Which rows by their end, or None for all of them; raises ValueError."""
    wanted = set(texts)
    if unknown := sorted(wanted - set(PERIODS)):
        raise ValueError(f"{unknown[0][:60]!r} is no period: use one of {', '.join(PERIODS)}")
    ends = end_column(columns)
    if ends is None:
        raise ValueError(f"this dataset has no column {END_COLUMN!r}, so no row of it has a period")
    kind = value_type(ends.field.type)
    if not (is_text(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        raise ValueError(f"column {ends.name!r} holds {kind} values, which say no day")
    if "all" in wanted or len(wanted) > 1:
        return None
    return Period(ends, "current" if "current" in wanted else "historical")


def end_column(columns: Sequence[Column]) -> Column | None:
    """The column that says when a row ended, under either spelling of its name."""
    return reached(END_COLUMN, ColumnNames(columns))


def condition(asked: Period, column: str, bind: Callable[[str], str]) -> str:
    """The SQL of a period on its quoted column; ``bind`` makes a value a placeholder."""
    today, kind = date.fromisoformat(asked.today), value_type(asked.column.field.type)
    if not is_text(kind):
        # A moment of today has a day that is not after today.
        after = f"{column} >= {bind((today + timedelta(days=1)).isoformat())}"
        return f"{column} IS NULL OR {after}" if asked.only == "current" else f"NOT ({after})"
    later, parts = f"{column} > {bind(asked.today)}", _unended(today)
    if parts:
        later = f"({later} OR {column} IN ({', '.join(bind(part) for part in parts)}))"
    if asked.only == "current":
        return f"{column} IS NULL OR {column} = '' OR {later}"
    return f"{column} <> '' AND NOT ({later})"


def _unended(today: date) -> list[str]:
    """The partial dates of a day whose last day comes after it, though as text they come before it."""
    tomorrow = today + timedelta(days=1)
    month = [today.isoformat()[:7]] if tomorrow.month == today.month else []
    return month + ([today.isoformat()[:4]] if tomorrow.year == today.year else [])
