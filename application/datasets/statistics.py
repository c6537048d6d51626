"""The parts that may have rows of a query, by the statistics in their footers and the folders they lie in."""

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from application.datasets.counts import sealed_columns
from application.datasets.footer import open_footer
from application.datasets.footers import Footers
from application.errors import DatasetInvalid
from application.models import Column, Dataset, Part, Query
from application.query.pruning import ALL_NULL, UNKNOWN, Bounds, comparable, excludes

# Bounds are kept by dataset and column, up to so many of them.
MOST_BOUNDS = 200_000
# Parts whose row groups are looked into one by one.
MOST_LOOKED_INTO = 200
# Of a longer text its beginning is a bound, too, but only below.
LONGEST_TEXT = 256
NANOSECONDS = {"milliseconds": 1_000_000, "microseconds": 1_000, "nanoseconds": 1}
Reader = Callable[[Any], Any]


class Group(NamedTuple):
    """A row group: the rows [start, end) of a part."""

    part: Part
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Extent:
    """What a query has to read: row groups, of so many in all, and about so many stored bytes."""

    groups: tuple[Group, ...]
    count: int
    size: int

    @property
    def rows(self) -> int:
        """How many rows these have."""
        return sum(group.end - group.start for group in self.groups)


class Statistics:
    """What footers that are kept say of the values in each part; reads nothing from storage."""

    def __init__(self, footers: Footers) -> None:
        self._footers = footers
        self._known: OrderedDict[tuple[str, str], tuple[Bounds, ...]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def matching(self, dataset: Dataset, query: Query) -> tuple[Part, ...]:
        """The parts of a dataset, but for those of which it is certain that no row meets the filters."""
        parts = dataset.parts
        if len(parts) < 2 or not query.filters:
            return parts
        kept = [True] * len(parts)
        for item in query.filters:
            bounds = self._bounds(dataset, item.column)
            for place, known in enumerate(bounds):
                kept[place] = kept[place] and not excludes(item, known)
        return tuple(part for part, is_kept in zip(parts, kept, strict=True) if is_kept)

    def extent(self, dataset: Dataset, query: Query, parts: Sequence[Part]) -> Extent:
        """The row groups of these parts that may have rows of a query, and what is to be read of them."""
        groups: list[Group] = []
        size = 0
        # Of very many parts to look into each would take long; they are small.
        is_looked_into = len(parts) <= MOST_LOOKED_INTO
        for part in parts:
            footer = self._footers.kept(part.meta) if is_looked_into else None
            kept = _kept_groups(part, query, footer.raw if footer else None)
            size += _stored_bytes(part, query, kept, footer.raw if footer else None)
            start = 0
            for place, rows in enumerate(part.groups):
                if place in kept:
                    groups.append(Group(part, start, start + rows))
                start += rows
        return Extent(tuple(groups), sum(len(part.groups) for part in dataset.parts), size)

    def _bounds(self, dataset: Dataset, column: Column) -> tuple[Bounds, ...]:
        key = (dataset.e_tag, column.name)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        known = tuple(self.of(part, column) for part in dataset.parts)
        with self._lock:
            if key not in self._known:
                self._known[key] = known
                self._count += len(known)
            while self._count > MOST_BOUNDS:
                _, dropped = self._known.popitem(last=False)
                self._count -= len(dropped)
        return known

    def of(self, part: Part, column: Column) -> Bounds:
        """What is known of a column of the dataset in one part."""
        if not any(own.name == column.name for own in part.columns):
            text = dict(part.folder).get(column.name)
            if text is None:
                return ALL_NULL if part.rows else UNKNOWN
            value = comparable(column.field.type, text)
            return Bounds(value, value, bool(part.rows), False)
        footer = self._footers.kept(part.meta)
        return UNKNOWN if footer is None else read_bounds(footer.raw, column.name)


def read_bounds(raw: bytes, name: str) -> Bounds:
    """What a footer says of the values of a column that is not nested, over all row groups."""
    groups = group_bounds(raw, name)
    return _together(groups) if groups else UNKNOWN


def group_bounds(raw: bytes, name: str) -> list[Bounds]:
    """What a footer says of the values of a column that is not nested, in each row group, if anything."""
    try:
        metadata = open_footer(raw)
        leaves = [metadata.schema.column(place) for place in range(metadata.num_columns)]
        places = [place for place, leaf in enumerate(leaves) if leaf.path == leaf.name == name]
        if set(places) & sealed_columns(metadata, raw):
            return []
        if len(places) != 1 or leaves[places[0]].max_repetition_level:
            return []
        read = bound_reader(leaves[places[0]])
        groups = range(metadata.num_row_groups)
        return [_of_group(metadata.row_group(group).column(places[0]), read) for group in groups]
    except (DatasetInvalid, pa.ArrowException, OSError, ValueError, ArithmeticError):
        # Statistics are written by anybody; without them a part is read.
        return []


def _kept_groups(part: Part, query: Query, raw: bytes | None) -> set[int]:
    """The places of the row groups in a part that may have rows of a query."""
    kept = set(range(len(part.groups)))
    own = {column.name for column in part.columns}
    for item in query.filters if raw else ():
        bounds = group_bounds(raw or b"", item.column.name) if item.column.name in own else []
        kept -= {place for place, known in enumerate(bounds) if excludes(item, known)}
    return kept


def _stored_bytes(part: Part, query: Query, kept: set[int], raw: bytes | None) -> int:
    """About how many bytes of a part hold the columns that a query reads, in these row groups."""
    if not raw:
        return part.meta.size * len(kept) // max(1, len(part.groups))
    metadata = open_footer(raw)
    names = {column.name for column in query.columns_read}
    places = [
        place
        for place in range(metadata.num_columns)
        if (path := metadata.schema.column(place).path) in names or path.partition(".")[0] in names
    ]
    sealed = sealed_columns(metadata, raw)
    groups = [metadata.row_group(group) for group in kept]
    return sum(
        group.column(place).total_compressed_size
        for group in groups
        for place in places
        if place not in sealed
    )


def _of_group(chunk: pq.ColumnChunkMetaData, read: Reader | None) -> Bounds:
    found = chunk.statistics
    if found is None:
        return UNKNOWN
    nulls = found.null_count if found.has_null_count else None
    has_nulls = None if nulls is None else nulls > 0
    has_values = None if nulls is None else nulls < chunk.num_values
    if has_values is False or read is None or not found.has_min_max:
        return Bounds(None, None, has_values, has_nulls)
    low, high = read(found.min_raw), read(found.max_raw)
    if low is None or high is None or low > high:
        # Compared in another order than the values have, or NaN: they bound nothing.
        return Bounds(None, None, has_values, has_nulls)
    if isinstance(low, bytes):
        low, high = low[:LONGEST_TEXT], high if len(high) <= LONGEST_TEXT else None
    return Bounds(low, high, has_values, has_nulls)


def _together(groups: list[Bounds]) -> Bounds:
    """The bounds of all row groups; those without a value bound nothing."""
    valued = [group for group in groups if group.has_values is not False]
    lows, highs = [group.low for group in valued], [group.high for group in valued]
    values, nulls = [group.has_values for group in groups], [group.has_nulls for group in groups]
    return Bounds(
        min(lows) if lows and None not in lows else None,
        max(highs) if highs and None not in highs else None,
        True if True in values else None if None in values else False,
        True if True in nulls else None if None in nulls else False,
    )


def bound_reader(leaf: pq.ColumnSchema) -> Reader | None:
    """How a bound is read that lies in a footer as its physical type; None where its order is not certain."""
    physical = leaf.physical_type
    logical = json.loads(leaf.logical_type.to_json())
    kind = logical["Type"]
    if kind == "Decimal" and physical in ("INT32", "INT64", "FIXED_LEN_BYTE_ARRAY"):
        return lambda raw: _decimal(raw, logical["scale"])
    if physical in ("INT32", "INT64"):
        return _integer_reader(kind, logical, 32 if physical == "INT32" else 64)
    if kind in ("String", "Enum", "JSON") and physical == "BYTE_ARRAY":
        return bytes
    if kind == "None" and physical in ("FLOAT", "DOUBLE"):
        return lambda raw: None if math.isnan(raw) else float(raw)
    return bool if kind == "None" and physical == "BOOLEAN" else None


def _integer_reader(kind: str, logical: dict[str, Any], width: int) -> Reader | None:
    if kind in ("Time", "Timestamp"):
        return lambda raw: int(raw) * NANOSECONDS[logical["timeUnit"]]
    if kind == "Int" and not logical["isSigned"]:
        return lambda raw: int(raw) % (1 << width)
    return int if kind in ("None", "Int", "Date") else None


def _decimal(raw: int | bytes, scale: int) -> Decimal:
    unscaled = int.from_bytes(raw, "big", signed=True) if isinstance(raw, bytes) else raw
    # Made of its digits: arithmetic would round to 28 of them.
    return Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -scale))
