"""What a footer says of the least and greatest values of a column."""

import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from application.datasets.counts import sealed_columns
from application.datasets.footer import open_footer
from application.errors import DatasetInvalid
from application.query.pruning import UNKNOWN, Bounds

# Of a longer text its beginning is a bound, too, but only below.
LONGEST_TEXT = 256
NANOSECONDS = {"milliseconds": 1_000_000, "microseconds": 1_000, "nanoseconds": 1}
Reader = Callable[[Any], Any]


def read_bounds(raw: bytes, name: str) -> Bounds:
    """What a footer says of the values of a column that is not nested, over all row groups."""
    return together(group_bounds(raw, name))


def group_bounds(raw: bytes, name: str) -> tuple[Bounds, ...]:
    """The same by row groups, or of all in one piece."""
    try:
        metadata = open_footer(raw)
        leaves = [metadata.schema.column(place) for place in range(metadata.num_columns)]
        places = [place for place, leaf in enumerate(leaves) if leaf.path == leaf.name == name]
        if set(places) & sealed_columns(metadata, raw):
            return (UNKNOWN,)
        if len(places) != 1 or leaves[places[0]].max_repetition_level or metadata.num_row_groups == 0:
            return (UNKNOWN,)
        read = bound_reader(leaves[places[0]])
        groups = range(metadata.num_row_groups)
        return tuple(_of_group(metadata.row_group(group).column(places[0]), read) for group in groups)
    except (DatasetInvalid, pa.ArrowException, OSError, ValueError, ArithmeticError):
        # Statistics are written by anybody; without them a part is read.
        return (UNKNOWN,)


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


def together(groups: Sequence[Bounds]) -> Bounds:
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
