"""A dataset as it stands in storage: its objects, parts and columns, and what is known of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


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

    def vector_bytes(self, columns: Iterable[Column]) -> int:
        """The bytes that one thread needs for these columns."""
        return sum(self.vectors.get(column.name, 0) for column in columns)

    def leaf_count(self, columns: Iterable[Column]) -> int:
        """How many columns these are to the engine."""
        return sum(self.leaves.get(column.name, 1) for column in columns)


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a dataset, as its footer and the folders that it lies in tell of it.

    ``columns`` are its own, in its order; parts that have them alike share one tuple. ``folder`` holds the
    values of the dataset's columns that are folders' names, as text, or None for NULL. ``groups`` are its
    row groups, by their rows; ``data_bytes`` is the size of all rows once they are read. ``meets`` says of
    each row group whether a query asks for all of its rows, for none of them, or, with None, that nobody
    knows before they are read; it is empty where that is so of all.
    """

    meta: ObjectMeta
    groups: tuple[int, ...]
    data_bytes: int
    columns: tuple[Column, ...]
    folder: tuple[tuple[str, str | None], ...] = ()
    meets: tuple[bool | None, ...] = ()

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
