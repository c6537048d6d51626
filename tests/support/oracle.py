"""What a query is to give, computed in plain Python from the rows, for tests to compare with."""

import csv
import datetime as dt
import math
import uuid
from calendar import monthrange
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import pyarrow as pa

Row = dict[str, Any]
Pairs = Sequence[tuple[str, str]]
TODAY = dt.date(2024, 3, 31)


def chosen(rows: list[Row], schema: pa.Schema, pairs: Pairs) -> list[Row]:
    """The rows that `COLUMN__OP=V` and `period` choose, in their order; ``pairs`` are without the rest."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for name, text in pairs:
        column, _, operator = name.rpartition("__")
        wanted.setdefault((column, operator), []).append(text)
    return [
        row
        for row in rows
        if all(
            meets(row[column], operator, texts, schema.field(column).type)
            for (column, operator), texts in wanted.items()
        )
    ]


def meets(value: Any, operator: str, texts: Sequence[str], kind: pa.DataType) -> bool:
    """Whether a value meets an operator with any of these texts; for a negation, with each."""
    negations = {
        "not": "exact",
        "notin": "in",
        "notcontains": "contains",
        "notnull": "isnull",
        "notblank": "isblank",
    }
    if operator in negations:
        return not meets(value, negations[operator], texts, kind)
    if operator == "isnull":
        return value is None
    if operator == "isblank":
        return value is None or value == ""
    return value is not None and any(POSITIVE[operator](value, text, kind) for text in texts)


def ordered(rows: list[Row], keys: Sequence[tuple[str, bool]]) -> list[Row]:
    """Rows by columns, each from its end where True: no value last, NaN after all numbers, else stable."""

    def compare(one: Row, other: Row) -> int:
        for column, descending in keys:
            a, b = one[column], other[column]
            if a is None or b is None:
                if (a is None) != (b is None):
                    return 1 if a is None else -1
                continue
            sign = -1 if descending else 1
            if _key(a) != _key(b):
                return sign if _key(a) > _key(b) else -sign
        return 0

    return sorted(rows, key=cmp_to_key(compare))


def in_period(value: Any, period: str, today: dt.date = TODAY) -> bool:
    """Whether a row with that end date is current or historical on a day."""
    if isinstance(value, str):
        parts = value.split("-") if value else []
        if not value:
            value = None
        elif all(part.isdigit() for part in parts) and len(parts) <= 3:
            year, month = int(parts[0]), int(parts[1]) if len(parts) > 1 else 12
            last = int(parts[2]) if len(parts) > 2 else monthrange(year, month)[1]
            value = dt.date(year, month, last)
        else:
            return (value > today.isoformat()) == (period == "current")
    if isinstance(value, dt.datetime):
        value = value.date()
    return (value is None or value > today) == (period == "current")


def fold(text: str) -> str:
    """Text without regard to case, letter by letter: Unicode lower case, and ς = σ, ſ = s, ß = ss."""
    lower = "".join(letter.lower() for letter in text)
    return lower.replace("ς", "σ").replace("ſ", "s").replace("ß", "ss")


def _key(value: Any) -> Any:
    if isinstance(value, float):
        return (math.isnan(value), 0 if math.isnan(value) else value)
    if isinstance(value, str):
        return value.encode()  # by code point, as UTF-8 sorts
    return value


def _value(text: str, kind: pa.DataType) -> Any:
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    if pa.types.is_integer(kind):
        return int(text)
    if pa.types.is_floating(kind):
        return float(pa.scalar(float(text), kind).as_py())
    if pa.types.is_decimal(kind):
        return Decimal(text)
    if pa.types.is_boolean(kind):
        return text == "true"
    if pa.types.is_date(kind):
        return dt.date.fromisoformat(text)
    if pa.types.is_time(kind):
        return dt.time.fromisoformat(text)
    if pa.types.is_timestamp(kind):
        moment = dt.datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC) if kind.tz else moment
    if isinstance(kind, pa.UuidType):
        return uuid.UUID(text)
    return text


def _days(text: str) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of a whole or partial date."""
    parts = text.split("-")
    widths = [len(part) for part in parts]
    if widths not in ([4], [4, 2], [4, 2, 2]) or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    try:
        year, month, day = (int(part) for part in [*parts, "1", "1"][:3])
        first = dt.date(year, month, day)
    except ValueError:
        return None
    if len(parts) == 3:
        return first, first
    last_month = month if len(parts) == 2 else 12
    return first, dt.date(year, last_month, monthrange(year, last_month)[1])


def _compare(sign: str) -> Callable[[Any, str, pa.DataType], bool]:
    def meets_one(value: Any, text: str, kind: pa.DataType) -> bool:
        days = _days(text)
        if days and isinstance(value, str):
            # Dates that are kept as text: a partial one counts as its first day, what is none as text.
            own = _days(value)
            if not value:
                return False
            if own:
                bound = days[0] if sign in {"gte", "lt"} else days[1]
                return _is(own[0], sign, bound)
            after = days[0] if sign in {"gte", "lt"} else days[1] + dt.timedelta(days=1)
            bound_text = after.isoformat().removesuffix("-01").removesuffix("-01")
            return (value >= bound_text) == (sign in {"gt", "gte"})
        if days and pa.types.is_date(kind):
            return _is(value, sign, days[0] if sign in {"gte", "lt"} else days[1])
        return _is(_key(value), sign, _key(_value(text, kind)))

    return meets_one


def _is(a: Any, sign: str, b: Any) -> bool:
    return bool({"gt": a > b, "gte": a >= b, "lt": a < b, "lte": a <= b}[sign])


def _equal(value: Any, text: str, kind: pa.DataType) -> bool:
    return bool(value == _value(text, kind))


POSITIVE: dict[str, Callable[[Any, str, pa.DataType], bool]] = {
    "exact": _equal,
    "in": lambda value, text, kind: any(
        _equal(value, part, kind) for part in (next(csv.reader([text]), [""]) or [""])
    ),
    "gt": _compare("gt"),
    "gte": _compare("gte"),
    "lt": _compare("lt"),
    "lte": _compare("lte"),
    "contains": lambda value, text, _: text in value,
    "startswith": lambda value, text, _: value.startswith(text),
    "endswith": lambda value, text, _: value.endswith(text),
    "iexact": lambda value, text, _: fold(value) == fold(text),
    "icontains": lambda value, text, _: fold(text) in fold(value),
    "istartswith": lambda value, text, _: fold(value).startswith(fold(text)),
}
