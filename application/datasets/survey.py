"""A pass over the rows of a dataset that profiles its columns: each batch once, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from application.datasets.dates import date_histogram
from application.datasets.figures import Figures
from application.datasets.places import PlaceSurvey
from application.datasets.profile import BARS, MOST_TOP, ColumnProfile, Frequent, Histogram
from application.formats.columns import normalise
from application.formats.scalars import NoText
from application.models import Column, Geometry
from application.telemetry import logger

if TYPE_CHECKING:
    import polars as pl

types = pa.types

# Of hashes the least are kept: how close together they are tells how many there are, to some 2 %.
MOST_HASHES = 4096
HASHES = 1 << 64
# Of values that are counted.
MOST_COUNTED, KEPT_COUNTED = 40_000, 10_000
# So many tell whether values repeat.
MANY_ROWS = 4096
# Longer texts are nobody's frequent values.
LONGEST_TEXT = 200
MICROSECONDS, NANOSECONDS = 1_000_000, 1_000_000_000
CONSTANT_ROWS = 16_384


class ColumnSurvey:
    """Takes in a column's values batch by batch, as the dataset has them."""

    def __init__(self, column: Column, figures: Figures, geometry: Geometry | None = None) -> None:
        self._name = column.name
        self._kind = _plain(column.field.type)
        self._figures = figures
        self._rows = 0
        self._nulls = 0
        self._blanks = 0
        self._hashes: pl.Series | None = None
        self._counts: Counter[Any] = Counter()
        self._has_dropped = False
        self._is_rare = False
        self._bars = _Bars.of(self._kind, figures)
        self._places = PlaceSurvey(geometry) if geometry else None
        # Nested values and those of others' types are not compared.
        self._is_counted = not types.is_nested(self._kind) and not isinstance(
            self._kind, pa.BaseExtensionType
        )

    def add(self, array: pa.Array) -> None:
        """Take in some rows; raises Arrow's errors for what is not of the dataset's type."""
        self._rows += len(array)
        self._nulls += array.null_count
        self._add_places(array)
        if not self._is_counted or array.null_count == len(array):
            return
        import polars as pl

        values = pl.Series("", pl.from_arrow(array.cast(self._kind))).drop_nulls()
        if values.dtype == pl.String:
            self._blanks += int((values == "").sum())
        self._add_hashes(values)
        if self._bars:
            self._bars.add(values)
        self._add_counts(values)

    def add_constant(self, text: str | None, rows: int) -> None:
        """Take in rows that all have the value of a folder's name, or none."""
        if text is None or not rows:
            self._rows += rows
            self._nulls += rows
            return
        value = pa.array([text]).cast(self._kind)
        # Each takes as much memory as a row that is read.
        for start in range(0, rows, CONSTANT_ROWS):
            self.add(value.take(pa.array([0] * min(CONSTANT_ROWS, rows - start))))

    def profile(self) -> ColumnProfile:
        """What was found."""
        if not self._rows:
            return ColumnProfile()
        places = self._places.profile() if self._places else None
        if not self._is_counted:
            return ColumnProfile(nulls=self._nulls, geometry=places)
        return ColumnProfile(
            nulls=self._nulls,
            geometry=places,
            blanks=self._blanks if _is_text(self._kind) else None,
            distinct=self._distinct(),
            top=self._top(),
            histogram=self._bars.histogram(self._figures) if self._bars else self._dates(),
        )

    def _add_places(self, array: pa.Array) -> None:
        if self._places is None:
            return
        try:
            self._places.add(array)
        except Exception:  # noqa: BLE001 - the other figures are none the worse for it
            logger.exception("The places of column %r cannot be told", self._name)
            self._places = None

    def _dates(self) -> Histogram | None:
        """Texts as dates, where all of them are some, and each was counted."""
        if not _is_text(self._kind) or self._is_rare or self._has_dropped or len(self._counts) <= MOST_TOP:
            return None
        return date_histogram({text: count for text, count in self._counts.items() if text})

    def _add_hashes(self, values: pl.Series) -> None:
        import polars as pl

        hashes = values.unique().hash()
        known = hashes if self._hashes is None else pl.concat([self._hashes, hashes])
        self._hashes = known.unique().sort().head(MOST_HASHES)

    def _distinct(self) -> int:
        if self._hashes is None:
            return 0
        count = len(self._hashes)
        if count < MOST_HASHES:
            return count
        return min(int((count - 1) / ((int(self._hashes[-1]) + 1) / HASHES)), self._rows - self._nulls)

    def _add_counts(self, values: pl.Series) -> None:
        import polars as pl

        if self._is_rare:
            return
        if values.dtype in (pl.String, pl.Binary):
            sizes = values.str.len_bytes() if values.dtype == pl.String else values.bin.size()
            if values.dtype == pl.Binary or (sizes > LONGEST_TEXT).any():
                self._stop_counting()
                return
        counted = values.value_counts(sort=True).head(MOST_COUNTED)
        if len(values) >= MANY_ROWS and len(counted) > len(values) // 2:
            self._stop_counting()
            return
        self._counts.update(dict(counted.rows()))
        if len(self._counts) > MOST_COUNTED:
            self._has_dropped = True
            self._counts = Counter(dict(self._counts.most_common(KEPT_COUNTED)))

    def _stop_counting(self) -> None:
        """No value is frequent here, or none that anybody reads."""
        self._is_rare = True
        self._counts.clear()

    def _top(self) -> tuple[Frequent, ...]:
        top = [(value, count) for value, count in self._counts.most_common(MOST_TOP) if count > 1]
        # Where most are there once, and some were passed over, none can be said to be frequent.
        if not top or (self._has_dropped and top[0][1] * 100 < self._rows):
            return ()
        shown = self._shown([value for value, _ in top])
        return tuple(
            Frequent(value=value, count=count)
            for value, (_, count) in zip(shown, top, strict=True)
            if isinstance(value, str | int | float | bool) and not _is_no_json(value)
        )

    def _shown(self, values: list[Any]) -> list[Any]:
        """Values as JSON has them, of decimals their text."""
        try:
            array = pa.array(values, self._kind)
            if types.is_decimal(self._kind):
                return [f"{value:f}" for value in values]
            return normalise(array).to_pylist()
        except (pa.ArrowException, NoText, OverflowError, ValueError):
            return [None] * len(values)


class _Bars:
    """A histogram in the making, between bounds that are known before."""

    def __init__(self, kind: pa.DataType, low: float, high: float) -> None:
        self._kind = kind
        self._low = low
        self._width = (high - low) / BARS
        self._counts = [0] * BARS

    @classmethod
    def of(cls, kind: pa.DataType, figures: Figures) -> _Bars | None:
        """For numbers and dates whose bounds are known, and differ."""
        try:
            low, high = _number(kind, figures.low), _number(kind, figures.high)
        except (pa.ArrowException, ValueError):
            return None
        if low is None or high is None or not low < high or math.isinf(high - low):
            return None
        return cls(kind, low, high)

    def add(self, values: pl.Series) -> None:
        import polars as pl

        numbers = values
        if values.dtype == pl.Date:
            numbers = values.to_physical()
        elif values.dtype.is_temporal():
            numbers = values.dt.epoch("us") / MICROSECONDS
        numbers = numbers.cast(pl.Float64)
        places = ((numbers - self._low) / self._width).floor().clip(0, BARS - 1)
        for place, count in places.drop_nans().cast(pl.Int64).value_counts().rows():
            self._counts[place] += count

    def histogram(self, figures: Figures) -> Histogram:
        return Histogram.model_validate(
            {"from": figures.low, "to": figures.high, "counts": tuple(self._counts)}
        )


def _number(kind: pa.DataType, bound: Any) -> float | None:
    """A bound as a place on a line: a number, days, or seconds."""
    if bound is None:
        return None
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return float(bound)
    if types.is_date(kind):
        return float(pa.scalar(bound, pa.string()).cast(pa.date32()).value)
    if types.is_timestamp(kind):
        text = pa.scalar(str(bound).removesuffix("Z"), pa.string())
        return float(text.cast(pa.timestamp("ns")).value) / NANOSECONDS
    return None


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_no_json(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
