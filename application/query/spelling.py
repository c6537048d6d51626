"""A query as the parameters of one canonical address: what `parse` reads, the other way round."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any

from application.errors import QueryInvalid
from application.models import Area, Column, Dialect, Filter, Order, Period, Query
from application.query.fields import chosen, left
from application.query.filters import DEFAULT_OPERATOR, OPERATOR_MARK, meant
from application.query.names import ColumnNames
from application.query.operators import OPERATORS
from application.query.order import DESCENDING
from application.query.parameters import PARAMETERS
from application.query.planning_data import NAMED_FILTERS
from application.query.readers import own_values

Pairs = tuple[tuple[str, str], ...]
TRUTH = {True: "true", False: "false"}


def spelled(
    query: Query,
    columns: Sequence[Column],
    dialect: Dialect | None = None,
    sent: Iterable[tuple[str, str]] = (),
) -> Pairs:
    """The parameters that mean this query on a dataset of these columns, in one order.

    ``dialect`` is the format's own. What has no spelling here is taken from what was ``sent``, in its order.
    """
    found: list[tuple[str, str]] = []
    for item in fields(query):
        value = getattr(query, item.name)
        if value == (tuple(columns) if item.name == "columns" else item.default):
            continue
        if item.name in SPELLINGS:
            found += SPELLINGS[item.name](value, columns, dialect)
        else:
            found += [pair for pair in sent if _decides(pair[0], item.name)]
    # A parameter may decide several parts.
    return tuple(dict.fromkeys(found))


def filter_pairs(item: Filter, columns: Sequence[Column]) -> list[tuple[str, str]]:
    """One filter as parameters: a pair for each value, but for an operator that takes a record."""
    row, name = OPERATORS[item.operator], filter_name(item, columns)
    if row.takes == 0:
        return [(name, "true")]
    if row.read is own_values:
        return [(name, record(item.values))]
    return [(name, value) for value in item.values]


def filter_name(item: Filter, columns: Sequence[Column]) -> str:
    """The name of the parameter that means a filter's column and operator."""
    column, names = item.column, ColumnNames(columns)
    marked = f"{column.name}{OPERATOR_MARK}{item.operator}"
    if item.operator != DEFAULT_OPERATOR or column.name in PARAMETERS:
        return marked
    if column.name in NAMED_FILTERS and "" in item.values:
        # By that name alone an empty value is no filter.
        return marked
    return column.name if meant(column.name, names)[1] == DEFAULT_OPERATOR and column.name else marked


def record(values: Iterable[str]) -> str:
    """Values as one CSV record."""
    return ",".join(
        f'"{value.replace(chr(34), chr(34) * 2)}"' if _is_quoted(value) else value for value in values
    )


def _is_quoted(value: str) -> bool:
    return any(sign in value for sign in ',"\r\n')


def _filters(value: tuple[Filter, ...], columns: Sequence[Column], _: object) -> list[tuple[str, str]]:
    return [pair for item in value for pair in filter_pairs(item, columns)]


def _columns(value: tuple[Column, ...], columns: Sequence[Column], _: object) -> list[tuple[str, str]]:
    kept = list(dict.fromkeys(column.name for column in value))
    without = list(dict.fromkeys(column.name for column in columns if column.name not in set(kept)))
    ways: list[tuple[str, list[str], Callable[[], tuple[Column, ...]]]] = [
        ("field", kept, lambda: chosen(kept, tuple(columns), columns)),
        ("exclude_field", without, lambda: left(without, tuple(columns), columns)),
    ]
    for name, texts, read in sorted(ways, key=lambda way: len(way[1])):
        try:
            # Names that several columns have, and an empty one, can be chosen one way only.
            if [column.engine_name for column in read()] == [column.engine_name for column in value]:
                return [(name, text) for text in texts]
        except QueryInvalid:
            continue
    raise ValueError("no parameter chooses these columns")


def _areas(value: tuple[Area, ...], *_: object) -> list[tuple[str, str]]:
    pairs = [(area.relation, area.text) for area in value]
    return [*pairs, *(("bbox-crs", area.crs) for area in value if area.crs)]


def _period(value: Period, *_: object) -> list[tuple[str, str]]:
    return [("period", value.only)]


def _order(value: tuple[Order, ...], *_: object) -> list[tuple[str, str]]:
    return [("sort", f"{DESCENDING if item.descending else ''}{item.column.name}") for item in value]


def _count(name: str) -> Callable[..., list[tuple[str, str]]]:
    return lambda value, *_: [(name, str(value))]


def _dialect(value: Dialect, _: object, own: Dialect | None) -> list[tuple[str, str]]:
    """What differs from the format's own."""
    found = []
    for item in fields(value):
        said = getattr(value, item.name)
        if own is None or said != getattr(own, item.name):
            found.append((item.name, TRUTH[said] if isinstance(said, bool) else str(said)))
    return found


def _decides(name: str, part: str) -> bool:
    return name in PARAMETERS and part in PARAMETERS[name].into


# By the field of a query.
SPELLINGS: dict[str, Callable[[Any, Sequence[Column], Dialect | None], list[tuple[str, str]]]] = {
    "filters": _filters,
    "areas": _areas,
    "period": _period,
    "columns": _columns,
    "order": _order,
    "limit": _count("limit"),
    "offset": _count("offset"),
    "dialect": _dialect,
}
