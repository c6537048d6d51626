"""The frozen values that travel between the rooms."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

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
class Column:
    """One column: the file's own name, the engine's name for it and type, and the file's Arrow field.

    ``exact`` is False where the engine's type cannot hold what the file's can (a decimal of 50
    digits, nanoseconds with a zone): such a column is refused by name, never rounded.
    """

    name: str
    engine_name: str
    engine_type: str
    field: "pa.Field"
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as it stands in storage at one version.

    ``columns`` are in the file's order; ``metadata`` is the file's key-value metadata as Arrow
    gives it; ``row_bytes`` is the mean size of a row, uncompressed, from the footers.
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

    @property
    def size(self) -> int:
        """Bytes in storage, all parts together."""
        return sum(item.size for item in self.objects)


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows whose column meets an operator and typed values; a pure value, no SQL."""

    column: Column
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a dataset: which columns in which order, which rows.

    ``missing`` are the chosen fields that the dataset lacks, to be told to the client.
    """

    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    missing: tuple[str, ...] = ()

    def is_whole(self, dataset: Dataset) -> bool:
        """True when nothing is left out: every row and column, in the file's order."""
        return not self.filters and self.columns == dataset.columns
