"""What footers say of each column: how many values are missing, the least and the greatest."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from application.datasets.bounds import bound_reader
from application.datasets.counts import sealed_columns
from application.datasets.footer import open_footer
from application.errors import DatasetInvalid
from application.formats.columns import normalise
from application.formats.scalars import NoText
from application.formats.thrift import Malformed, read_struct
from application.models import Column, Dataset, Part
from application.query.pruning import comparable

types = pa.types

# Longer texts are nobody's bounds.
LONGEST_TEXT = 256
# Writers that cut no bound, unless they were told to; of others the footer has to say that they did not.
UNCUT_WRITERS = ("parquet-cpp", "parquet-mr", "DuckDB")
# Chunks whose flags are looked up, which takes a microsecond for each byte of a footer.
MOST_CHUNKS = 50_000
# In a footer: row_groups, columns, meta_data, statistics, and there is_max_value_exact, is_min_value_exact.
ROW_GROUPS, COLUMNS, META_DATA, STATISTICS, EXACT_MAX, EXACT_MIN = 4, 1, 3, 12, 7, 8


@dataclass(frozen=True, slots=True)
class Figures:
    """A column's figures, over all parts; None for what is not known, or what there is none of.

    ``low`` and ``high`` are its least and greatest value, but for NaN, as JSON has them.
    """

    nulls: int | None = None
    low: Any = None
    high: Any = None


UNKNOWN = Figures()


@dataclass(slots=True)
class _Tally:
    """A column's figures so far; values are as ``comparable`` makes them, and None for not known."""

    nulls: int | None = 0
    low: Any = None
    high: Any = None
    is_bounded: bool = True

    def add(self, nulls: int | None, values: int, low: Any, high: Any) -> None:
        """Take in some rows, with so many NULLs, so many values, and their bounds."""
        self.nulls = None if self.nulls is None or nulls is None else self.nulls + nulls
        if not values or not self.is_bounded:
            return
        if low is None or high is None:
            self.is_bounded = False
            return
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def figures(self, kind: pa.DataType) -> Figures:
        """The same for a column of that type."""
        if not self.is_bounded or self.low is None:
            return Figures(self.nulls)
        return Figures(self.nulls, shown(kind, self.low), shown(kind, self.high))


def figures_of(dataset: Dataset, footers: Sequence[bytes]) -> dict[str, Figures]:
    """The figures of the columns of which anything is known, from the footer of each part."""
    columns = {column.name: column for column in dataset.columns if not types.is_nested(column.field.type)}
    tallies = {name: _Tally() for name in columns}
    for part, raw in zip(dataset.parts, footers, strict=True):
        _add_part(tallies, columns, part, raw)
    found = {name: tally.figures(columns[name].field.type) for name, tally in tallies.items()}
    return {name: figures for name, figures in found.items() if figures != UNKNOWN}


def shown(kind: pa.DataType, value: Any) -> Any:
    """A bound as JSON has such values, of decimals their text; None for what it has not."""
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    try:
        if isinstance(value, bytes):
            return value.decode() if len(value) <= LONGEST_TEXT else None
        if isinstance(value, Decimal):
            return f"{value:f}"
        if types.is_floating(kind):
            return _number(kind, float(value))
        if types.is_timestamp(kind) or types.is_time(kind):
            return _moment(kind, value)
        if types.is_date(kind):
            return normalise(pa.array([value], pa.int32()).cast(pa.date32()))[0].as_py()
    except (pa.ArrowException, NoText, OverflowError, ValueError):
        return None
    return value if isinstance(value, bool | int) else None


def _number(kind: pa.DataType, value: float) -> float | None:
    if not math.isfinite(value):
        return None
    # As short as it is written elsewhere. Writers put -0.0 for the least 0.0.
    return float(pa.scalar(value + 0.0, kind).cast(pa.string()).as_py())


def _moment(kind: pa.DataType, nanoseconds: int) -> str:
    unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[kind.unit]
    width = pa.int32() if types.is_time32(kind) else pa.int64()
    text: str = normalise(pa.array([nanoseconds // unit], width).cast(kind))[0].as_py()
    return text


def _add_part(tallies: dict[str, _Tally], columns: dict[str, Column], part: Part, raw: bytes) -> None:
    folder = dict(part.folder)
    own = {column.name for column in part.columns}
    for name in columns.keys() - own:
        text = folder.get(name)
        value = None if text is None else comparable(columns[name].field.type, text)
        rows = part.rows
        tallies[name].add(rows if text is None else 0, 0 if text is None else rows, value, value)
    try:
        _add_footer(tallies, own & columns.keys(), raw)
    except (DatasetInvalid, pa.ArrowException, OSError, ValueError, ArithmeticError):
        # Statistics are written by anybody.
        for name in own & columns.keys():
            tallies[name].add(None, 1, None, None)


def _add_footer(tallies: dict[str, _Tally], names: set[str], raw: bytes) -> None:
    metadata = open_footer(raw)
    sealed = sealed_columns(metadata, raw)
    places = {}
    for at in range(metadata.num_columns):
        leaf = metadata.schema.column(at)
        if leaf.path == leaf.name and leaf.name in names and not leaf.max_repetition_level:
            places[leaf.name] = at
    is_cut = _cuts(metadata, raw)
    for name in names:
        place = places.get(name)
        if place is None or place in sealed:
            tallies[name].add(None, 1, None, None)
            continue
        leaf = metadata.schema.column(place)
        read = bound_reader(leaf)
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(place)
            said = chunk.statistics
            nulls: int | None = said.null_count if said is not None and said.has_null_count else None
            if leaf.max_definition_level == 0:
                nulls = 0
            low = high = None
            if said is not None and read and said.has_min_max and not is_cut(group, place, leaf):
                low, high = read(said.min_raw), read(said.max_raw)
                if low is not None and high is not None and low > high:
                    low = high = None
            values = chunk.num_values - (nulls or 0)
            tallies[name].add(nulls, values, low, high)


def _cuts(metadata: pq.FileMetaData, raw: bytes) -> Callable[[int, int, pq.ColumnSchema], bool]:
    """What says whether the bounds of a column in a row group may be cut texts."""
    is_known = metadata.created_by.startswith(UNCUT_WRITERS)
    groups: list[Any] = []

    def is_cut(group: int, place: int, leaf: pq.ColumnSchema) -> bool:
        if is_known or leaf.physical_type != "BYTE_ARRAY":
            return False
        if metadata.num_columns * metadata.num_row_groups > MOST_CHUNKS:
            return True
        try:
            if not groups:
                groups.extend(read_struct(raw)[0][ROW_GROUPS])
            said = groups[group][COLUMNS][place][META_DATA][STATISTICS]
        except (LookupError, TypeError, Malformed):
            return True
        return not (said.get(EXACT_MAX) and said.get(EXACT_MIN))

    return is_cut
