"""What is asked of a dataset, as values that decide the bytes of an answer."""

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

from application.models.dataset import Column, Dataset, Geometry

# Of a field that follows from others, so that no identity tells it.
UNTOLD = {"told": False}


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows whose column meets an operator and its values, as canonical text; a pure value, no SQL.

    An operator that takes several values at a time finds those of a repeat after each other.
    """

    column: Column
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Rows by a column's values, NULLs last; those that are equal stay in the file's order."""

    column: Column
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Period:
    """Rows that are in force, or no longer: by the column that says when they ended.

    ``today`` is a date in ISO 8601, empty until a plan says which.
    """

    column: Column
    only: Literal["current", "historical"]
    today: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """Rows by where they are; a pure value.

    ``relation`` is what the geometry of a row has to do with the place that ``text`` says: meet a box,
    meet or be within a place, or be near a position. ``crs`` is the box's reference system, empty for WGS 84.
    A plan puts in the geometry column, and the ``version`` of another dataset in which the place is. Where
    there is a column of bounding boxes, ``covering`` with its ``corners``, rows whose box misses ``bounds``
    need not be looked at.
    """

    relation: Literal["bbox", "intersects", "within", "near"]
    text: str
    crs: str = ""
    version: str = ""
    column: Column | None = None
    covering: Column | None = field(default=None, metadata=UNTOLD)
    corners: tuple[str, ...] = field(default=(), metadata=UNTOLD)
    bounds: tuple[float, ...] = field(default=(), metadata=UNTOLD)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How delimited text is written."""

    delimiter: str
    bom: bool = False
    header: bool = True
    line_end: Literal["lf", "crlf"] = "lf"
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """How the geometry column is written.

    ``form`` is `stored`, `wkt`, `geojson` or `none` within a text format, and `feature` where rows are
    features.
    ``crs`` is the reference system of the answer, empty for the data's own. ``key`` is the column whose
    values are the features' ids, empty for none. ``ordered``: an order was asked for.
    """

    geometry: Geometry
    form: Literal["stored", "wkt", "geojson", "none", "feature"]
    crs: str = ""
    key: str = ""
    ordered: bool = False

    @property
    def changes(self) -> bool:
        """False where a text format writes the column as it does without any of this."""
        return self.form != "stored" or bool(self.crs)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a dataset: all that decides the bytes, and nothing else.

    Each field but ``columns`` has a default, which asks for nothing. ``limit`` and ``offset`` are rows;
    ``dialect`` is None where it is the format's own, and ``shape`` where the geometry column is written as
    every other.
    """

    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    period: Period | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    dialect: Dialect | None = None
    shape: Shape | None = None
    areas: tuple[Area, ...] = ()

    def identity(self) -> dict[str, Any]:
        """Every field that is not at its default, as JSON has it: equal for equal queries only.

        What is at its default is left out, so that a field to come changes no ETag of today's queries. Of
        columns it has the names, and which of those that it reads are bytes taken for text.
        """
        said = {
            item.name: _told(value)
            for item in fields(self)
            if (value := getattr(self, item.name)) != item.default
        }
        as_text = [column.name for column in self.columns_read if column.as_text]
        return {**said, "text": as_text} if as_text else said

    def is_whole(self, dataset: Dataset) -> bool:
        """True when nothing is left out or changed: every row and column, in the file's order."""
        return self == type(self)(dataset.columns)

    def has_all_rows(self, dataset: Dataset) -> bool:
        """True when nothing but the columns may differ from the whole dataset."""
        return replace(self, columns=dataset.columns, dialect=None, shape=None).is_whole(dataset)

    def known_rows(self, dataset: Dataset) -> int | None:
        """How many rows it gives, where that is known before any is read."""
        plain = replace(
            self, columns=dataset.columns, order=(), limit=None, offset=0, dialect=None, shape=None
        )
        if not plain.is_whole(dataset):
            return None
        left = max(dataset.rows - self.offset, 0)
        return left if self.limit is None else min(left, self.limit)

    def has_all_columns(self, dataset: Dataset) -> bool:
        """True when nothing but rows may be left out: what describes the file's columns is still true."""
        return replace(self, filters=(), areas=()).is_whole(dataset)

    @property
    def is_by_row(self) -> bool:
        """True when rows are looked at one by one, in the file's order: those of some parts by themselves."""
        return not self.order

    @property
    def columns_looked_at(self) -> tuple[Column, ...]:
        """The columns that choose rows, or put them in an order."""
        asked = (*self.filters, *((self.period,) if self.period else ()), *self.order)
        places = (column for area in self.areas for column in (area.column, area.covering) if column)
        return (*(item.column for item in asked), *places)

    @property
    def columns_read(self) -> tuple[Column, ...]:
        """The columns that a scan reads: those written, then those that are only looked at."""
        read = (*self.columns, *self.columns_looked_at)
        return tuple({column.engine_name: column for column in read}.values())


def _told(value: Any) -> Any:
    """A column as its name, another dataclass as its fields, a tuple as a list."""
    if isinstance(value, Column):
        return value.name
    if isinstance(value, tuple):
        return [_told(item) for item in value]
    if is_dataclass(value):
        kept = [item.name for item in fields(value) if item.metadata.get("told", True)]
        return {name: _told(getattr(value, name)) for name in kept}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a query's identity cannot tell a value of type {type(value).__name__}")
