"""The frozen values that travel between the rooms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa


# Of a field that follows from others, so that no identity tells it.
UNTOLD = {"told": False}


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """One stored object: key relative to the storage's root, bytes, when, and its identity.

    ``e_tag`` is S3's entity tag, empty where the server gives none, or for a local file device, inode,
    size, mtime and ctime in ns. ``version`` is what every machine with the same data sees alike: S3's
    entity tag, else Last-Modified, or the file's mtime.
    """

    path: str
    size: int
    last_modified: datetime
    e_tag: str
    version: str


@dataclass(frozen=True, slots=True)
class Traits:
    """What a footer says of a column that its Arrow type does not.

    ``int96``: its timestamps are INT96, whose range no Arrow type holds. ``refusal``: what it holds that
    nobody here can read, to follow "holds"; empty where somebody can. ``geometry``: its bytes are WKB.
    ``misplaced``: by the footer it lies outside its file, which can end the process that reads it.
    """

    int96: bool = False
    refusal: str = ""
    geometry: bool = False
    misplaced: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the file's own name, the engine's name for it and type, and the file's Arrow field.

    ``engine_type`` is empty where the engine cannot read the column. ``exact`` is False there, and where
    its type cannot hold what the file's can (nanoseconds with a zone): another reader gives the values,
    or the column is refused by name; it is never rounded. ``as_wkt`` asks for WKB as its text, ``as_text``
    for bytes that are UTF-8.
    """

    name: str
    engine_name: str
    engine_type: str
    field: "pa.Field"
    exact: bool = True
    traits: Traits = Traits()
    as_wkt: bool = False
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """Where a column's values have names: in a dataset, whose column ``key`` has the values."""

    dataset: str
    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """What a publisher says of a dataset; what is not said is empty.

    ``columns`` are descriptions by column name. ``key`` is the column of the primary key; ``labels`` say
    where the values of a column have names; ``text`` are binary columns that are text. ``geometry`` is the
    geometry column, ``crs`` its reference system.
    """

    title: str = ""
    description: str = ""
    licence: str = ""
    attribution: str = ""
    publisher: str = ""
    contact: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    labels: Mapping[str, Label] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    geometry: str = ""
    crs: str = ""


NO_WORDS = Words()


@dataclass(frozen=True, slots=True)
class Geometry:
    """The column that says where a dataset's rows are.

    ``encoding`` is `wkt`, `wkb` or one of GeoArrow's. ``crs`` is its reference system's name, or PROJJSON
    where it has none, empty where it is unknown. ``covering`` names a column of bounding boxes, and its
    members for the least x and y and the greatest.
    """

    column: str
    encoding: str
    crs: str
    covering: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extents:
    """What a dataset's rows take once they are read, in bytes by column name, from the footers.

    ``vectors`` are the most that the rows take which the engine reads at a time; ``leaves`` are how many
    columns a column is to the engine (a struct is one for each field); ``groups`` are the row groups of each
    part, by their rows.
    """

    groups: tuple[tuple[int, ...], ...] = ()
    vectors: Mapping[str, int] = field(default_factory=dict)
    leaves: Mapping[str, int] = field(default_factory=dict)

    def vector_bytes(self, columns: "Iterable[Column]") -> int:
        """The bytes that one thread needs for these columns."""
        return sum(self.vectors.get(column.name, 0) for column in columns)

    def leaf_count(self, columns: "Iterable[Column]") -> int:
        """How many columns these are to the engine."""
        return sum(self.leaves.get(column.name, 1) for column in columns)


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a dataset, as its footer and the folders that it lies in tell of it.

    ``columns`` are its own, in its order; parts that have them alike share one tuple. ``folder`` holds the
    values of the dataset's columns that are folders' names, as text, or None for NULL. ``groups`` are its
    row groups, by their rows; ``data_bytes`` is the size of all rows once they are read.
    """

    meta: ObjectMeta
    groups: tuple[int, ...]
    data_bytes: int
    columns: tuple[Column, ...]
    folder: tuple[tuple[str, str | None], ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(self.groups)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as it stands in storage at one version.

    ``columns`` are those of all ``parts`` together, in the first one's order; ``metadata`` is the first
    file's key-value metadata as Arrow gives it; ``row_bytes`` is the mean size of a row, uncompressed, from
    the footers. ``fault`` says why nothing can be read of it; its one stored object can be handed on all
    the same. ``words`` are the publisher's, whose ``text`` columns are text here, and bytes in the parts.
    ``geometry`` is None where it has none.
    """

    name: str
    objects: tuple[ObjectMeta, ...]
    columns: tuple[Column, ...]
    metadata: dict[bytes, bytes]
    rows: int
    row_bytes: int
    e_tag: str
    last_modified: datetime
    is_folder: bool
    extents: Extents = Extents()
    parts: tuple[Part, ...] = ()
    fault: str = ""
    words: Words = NO_WORDS
    geometry: Geometry | None = None

    @property
    def size(self) -> int:
        """Bytes in storage, all parts together."""
        return sum(item.size for item in self.objects)


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
