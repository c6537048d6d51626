"""Which filters no row can meet, or each must, whose values lie between two bounds: what nobody looks at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pyarrow import types

from application.models import Filter
from application.query.values import value_type

EPOCH = date(1970, 1, 1)
SECOND = 1_000_000_000  # in nanoseconds


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of a column's values in some rows; what is not known is None.

    ``low`` and ``high`` are not more and not less than any value but NaN, as ``comparable`` makes them.
    ``has_values`` and ``has_nulls`` say whether there are values, and NULLs.
    """

    low: Any = None
    high: Any = None
    has_values: bool | None = None
    has_nulls: bool | None = None


UNKNOWN = Bounds()
ALL_NULL = Bounds(has_values=False, has_nulls=True)


def excludes(item: Filter, bounds: Bounds) -> bool:
    """True where it is certain that no row whose value is within the bounds meets the filter."""
    check = CHECKS.get(item.operator)
    return check is not None and check(item, bounds)


def includes(item: Filter, bounds: Bounds) -> bool:
    """True where it is certain that every row whose value is within the bounds meets the filter."""
    check = PROOFS.get(item.operator)
    return check is not None and check(item, bounds)


def comparable(kind: pa.DataType, text: str) -> Any:
    """A canonical value as what statistics hold: numbers, days, nanoseconds or UTF-8; None where unknown."""
    kind = value_type(kind)
    for matches, read in READERS:
        if matches(kind):
            return read(text)
    return None


def _values(item: Filter) -> tuple[Any, ...]:
    return _comparables(item.column.field.type, item.values)


@lru_cache(maxsize=128)
def _comparables(kind: pa.DataType, texts: tuple[str, ...]) -> tuple[Any, ...]:
    """Read once, for each row group is asked about the same ones."""
    return tuple(comparable(kind, text) for text in texts)


def _is_below(value: Any, bound: Any) -> bool:
    """True where both are known and the value is less than the bound."""
    if value is None or bound is None or isinstance(value, bytes) != isinstance(bound, bytes):
        return False
    # Some writers compared bytes as signed: all orders agree on ASCII alone.
    if isinstance(value, bytes) and not (value.isascii() and bound.isascii()):
        return False
    return bool(value < bound)


def _no_equal(item: Filter, bounds: Bounds) -> bool:
    if bounds.has_values is False:
        return True
    values = _values(item)
    return bool(values) and all(
        _is_below(value, bounds.low) or _is_below(bounds.high, value) for value in values
    )


def _compares(is_out: Callable[[Any, Bounds], bool], *, has_nan: bool) -> Callable[[Filter, Bounds], bool]:
    """The check of a comparison with its values; ``has_nan``: NaN, which no bounds tell of, meets it."""

    def check(item: Filter, bounds: Bounds) -> bool:
        kind = value_type(item.column.field.type)
        if bounds.has_values is False:
            return True
        # Text is compared with dates in another way than by its bytes.
        if _is_text(kind) or (has_nan and types.is_floating(kind)):
            return False
        values = _values(item)
        return bool(values) and all(is_out(value, bounds) for value in values)

    return check


def _is_at_most(value: Any, bound: Any) -> bool:
    """True where both are known and the value is no more than the bound."""
    return _is_below(value, bound) or (value is not None and bound is not None and bool(value == bound))


def _always(is_in: Callable[[Any, Bounds], bool]) -> Callable[[Filter, Bounds], bool]:
    """The proof of a comparison with one of its values.

    For whole numbers and days alone: bounds tell nothing of NaN, and little of text that was cut.
    """

    def check(item: Filter, bounds: Bounds) -> bool:
        kind = value_type(item.column.field.type)
        if bounds.has_nulls is not False or not (types.is_integer(kind) or types.is_date(kind)):
            return False
        if bounds.low is None or bounds.high is None:
            return False
        return any(value is not None and is_in(value, bounds) for value in _values(item))

    return check


def _is_only(value: Any, bounds: Bounds) -> bool:
    return bool(bounds.low == value == bounds.high)


CHECKS: dict[str, Callable[[Filter, Bounds], bool]] = {
    "exact": _no_equal,
    "in": _no_equal,
    "gt": _compares(lambda value, bounds: _is_at_most(bounds.high, value), has_nan=True),
    "gte": _compares(lambda value, bounds: _is_below(bounds.high, value), has_nan=True),
    "lt": _compares(lambda value, bounds: _is_at_most(value, bounds.low), has_nan=False),
    "lte": _compares(lambda value, bounds: _is_below(value, bounds.low), has_nan=False),
    "isnull": lambda _, bounds: bounds.has_nulls is False,
    "notnull": lambda _, bounds: bounds.has_values is False,
}


PROOFS: dict[str, Callable[[Filter, Bounds], bool]] = {
    "exact": _always(_is_only),
    "in": _always(_is_only),
    "gt": _always(lambda value, bounds: bool(value < bounds.low)),
    "gte": _always(lambda value, bounds: bool(value <= bounds.low)),
    "lt": _always(lambda value, bounds: bool(bounds.high < value)),
    "lte": _always(lambda value, bounds: bool(bounds.high <= value)),
    "isnull": lambda _, bounds: bounds.has_values is False,
    "notnull": lambda _, bounds: bounds.has_nulls is False,
}


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _days(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def _time(text: str) -> int:
    whole, _, fraction = text.partition(".")
    moment = time.fromisoformat(whole)
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return seconds * SECOND + int(fraction.ljust(9, "0") or 0)


def _moment(text: str) -> int:
    whole, _, fraction = text.removesuffix("+00:00").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    seconds = _days(whole[:10]) * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    return seconds * SECOND + int(fraction.ljust(9, "0"))


READERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str], Any]], ...] = (
    (_is_text, str.encode),
    (types.is_integer, int),
    (types.is_decimal, Decimal),
    (types.is_floating, float),
    (types.is_boolean, lambda text: text == "true"),
    (types.is_date, _days),
    (types.is_time, _time),
    (types.is_timestamp, _moment),
)
