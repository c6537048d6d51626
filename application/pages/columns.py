"""The columns of a dataset as its page tells of them: by their footers, and by what their rows hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from application.datasets.description import Description
from application.datasets.figures import Figures
from application.datasets.geometry import Geometry
from application.datasets.profile import ColumnProfile, Profile, Value
from application.models import Query
from application.pages import figures
from application.pages.geography import kinds_words
from application.pages.words import Labels, kind_of

# Nobody reads on; the rest is in the API's description of the dataset.
MOST_COLUMNS = 300
# Of a least, greatest or frequent value.
LONGEST_VALUE = 40
# Values that are told of a column.
MOST_TOLD = 3
# A column of so few values is ticked rather than compared.
MOST_TICKS = 10
# Of a chart.
HEIGHT = 28


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """One column, as the page tells of it; ``bars`` are heights of a chart of ``HEIGHT``."""

    name: str
    kind: str
    description: str
    is_chosen: bool
    filled: str = ""
    values: str = ""
    bars: tuple[int, ...] = ()


def column_rows(description: Description, query: Query, labels: Labels) -> tuple[ColumnRow, ...]:
    """What is said of each column."""
    chosen = {column.engine_name for column in query.columns}
    rows, profile, geometry = description.dataset.rows, description.profile, description.geometry
    found = []
    for column, described in zip(
        description.dataset.columns[:MOST_COLUMNS], description.columns, strict=False
    ):
        seen = profile.columns.get(column.name) if profile else None
        is_place = geometry is not None and column.name == geometry.column
        found.append(
            ColumnRow(
                column.name,
                "geometry" if is_place else kind_of(column),
                described.description,
                column.engine_name in chosen,
                _filled(described.figures, seen, rows, profile),
                # The least and the greatest of its texts say nothing of where it is.
                _kinds(geometry)
                if geometry and is_place
                else _often(seen, profile, labels.get(column.name, {})) or _bounds(described.figures, seen),
                _bars(seen),
            )
        )
    return tuple(found)


def frequent_values(profile: Profile | None) -> dict[str, list[tuple[str, int | None]]]:
    """The most frequent values by column, as they stand in an address, each with the rows that have it.

    Where only some rows were looked at, nobody knows how many.
    """
    if profile is None:
        return {}
    return {
        name: [(_text(item.value), None if profile.is_sample else item.count) for item in column.top]
        for name, column in profile.columns.items()
        if column.top
    }


def few_valued(profile: Profile | None) -> frozenset[str]:
    """The columns of which the most frequent values are all that there are."""
    if profile is None or profile.is_sample:
        return frozenset()
    return frozenset(
        name
        for name, column in profile.columns.items()
        if 1 < len(column.top) < MOST_TICKS and _covered(column) == profile.rows
    )


def _covered(column: ColumnProfile) -> int:
    blanks = 0 if any(item.value == "" for item in column.top) else column.blanks or 0
    return sum(item.count for item in column.top) + (column.nulls or 0) + blanks


def _filled(known: Figures, seen: ColumnProfile | None, rows: int, profile: Profile | None) -> str:
    """The share of rows that have a value that is not empty; empty where nobody knows."""
    if seen and profile and seen.nulls is not None and profile.rows:
        return figures.share(profile.rows - seen.nulls - (seen.blanks or 0), profile.rows)
    return "" if known.nulls is None or not rows else figures.share(rows - known.nulls, rows)


def _kinds(geometry: Geometry) -> str:
    return kinds_words(geometry.types).lower() if geometry.types else ""


def _often(seen: ColumnProfile | None, profile: Profile | None, labels: Mapping[str, str]) -> str:
    """The most frequent values, where any is frequent, and how many there are."""
    if not seen or not profile or not seen.top or seen.histogram or not _is_frequent(seen, profile.rows):
        return ""
    told = []
    for item in seen.top[:MOST_TOLD]:
        text = _text(item.value)
        told.append(f"{_short(labels.get(text, text))} {figures.share(item.count, profile.rows)}")
    others = (seen.distinct or 0) - len(told)
    if others > 0:
        told.append(f"and {'about ' if others > MOST_TICKS else ''}{others:,} more")
    return ", ".join(told)


def _is_frequent(seen: ColumnProfile, rows: int) -> bool:
    return bool(rows) and 100 * seen.top[0].count >= rows


def _bars(seen: ColumnProfile | None) -> tuple[int, ...]:
    if not seen or not seen.histogram or not any(seen.histogram.counts):
        return ()
    most = max(seen.histogram.counts)
    # What is there can be seen.
    return tuple(-(-HEIGHT * count // most) for count in seen.histogram.counts)


def _bounds(known: Figures, seen: ColumnProfile | None) -> str:
    """The least and the greatest value: the ends of the chart, where there is one."""
    ends = (seen.histogram.low, seen.histogram.high) if seen and seen.histogram else (known.low, known.high)
    if None in ends:
        return ""
    low, high = (_short(_text(value)) for value in ends if value is not None)
    return low if low == high else f"{low} to {high}"


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _short(text: str) -> str:
    text = text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
    return text or "empty"


def is_known(rows: Sequence[ColumnRow]) -> bool:
    """True where more than names and types is known of a column."""
    return any(row.filled or row.values or row.bars for row in rows)
