"""What a format is: a row that says all about it, and an encoder that turns Arrow batches into bytes."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from application.errors import ColumnUnsupported
from application.formats.handles import check_handles
from application.formats.workplace import NOWHERE, Workplace

if TYPE_CHECKING:
    import pyarrow as pa

    from application.about import About
    from application.models import Column, Dialect, Shape

Chunk: TypeAlias = bytes | memoryview
Group = TypeVar("Group")
_SHAPED = "application.formats.geometry_text:GeometryText"


class Encoder(Protocol):
    """Writes one file from batches of one schema; what it wrote without ``finish`` is no valid file."""

    def start(self, schema: pa.Schema) -> Chunk:
        """Return the bytes before the first row."""

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        """Return the bytes that this batch makes ready; none is possible."""

    def finish(self) -> Chunk:
        """Return the end of the file; called once, and only when every row was encoded."""


@runtime_checkable
class GroupEncoder(Encoder, Protocol[Group]):
    """An encoder that can write groups of rows, each by any thread, and then put them in their order.

    ``nbytes`` of a group is what it takes in memory.
    """

    def groups(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Group]:
        """Return all rows in groups, which are always cut alike."""

    def encode_group(self, group: Group) -> Chunk:
        """Return what is written of a group, for ``join``."""

    def join(self, encoded: Chunk) -> Chunk:
        """Return the bytes of the next group, in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write a dataset; nobody compares extensions, but asks the row.

    ``use`` is what a person takes it for. ``encoder`` and ``check`` are `module:name`, loaded when
    first used, for polars and most of pyarrow come with them. ``writers`` are the distributions whose
    versions decide the bytes; ``revision`` is raised when the bytes change under the same versions.
    ``growth`` is how many times the size of the uncompressed columns a file is at most, roughly.
    ``codable``: gzip and zstd make it smaller. ``native``: a stored object may be the answer itself.
    ``random_access``: its readers seek, so they want it whole before its headers. ``measured``: they ask
    for its length first. ``whole``: it is made whole first or refused, for limits of its own may end it.
    ``spooled``: it is not made where there is no folder for it.
    ``layer``: the engine makes it at the end, in such a folder; ``reorders``: in an order of its own, unless
    one was asked for. ``most_rows`` are as many as a file holds,
    None for no bound. ``geometry``: its rows are features, so it is only for datasets that have geometry.
    ``textual``: of WKB they have the text that text formats have.
    ``words``: it has a place for what a file says about itself; ``dated``: and for when its data was changed;
    ``column_words``: and for descriptions of columns. ``wkt``: it is text, so geometry is WKT in it.
    ``crs``: the one reference system that it has, empty for any. ``keyed``: its features have ids.
    ``dialect``: it is delimited text, and written so unless a query says otherwise. ``independent``: what
    is written of a batch depends on no other, so that several threads may encode with one encoder;
    ``joiner`` then stands between what is written of two batches that have rows.
    """

    extension: str
    media_type: str
    use: str
    encoder: str
    check: str
    writers: tuple[str, ...]
    revision: int
    growth: int
    codable: bool = False
    native: bool = False
    random_access: bool = False
    measured: bool = False
    whole: bool = False
    spooled: bool = False
    reorders: bool = False
    layer: bool = False
    most_rows: int | None = None
    geometry: bool = False
    textual: bool = False
    words: bool = False
    dated: bool = False
    column_words: bool = False
    wkt: bool = False
    crs: str = ""
    keyed: bool = False
    dialect: Dialect | None = None
    independent: bool = False
    joiner: bytes = b""

    @property
    def version(self) -> tuple[str, ...]:
        """What decides the bytes beside the rows: the revision, and each writer with its version."""
        # isal finds other matches with each kind of processor's own instructions.
        machine = (platform.machine(),) if "isal" in self.writers else ()
        return (f"revision {self.revision}", *map(release, self.writers), *machine)

    def content_type(self, *, with_charset: bool) -> str:
        """The media type, for text with its charset where that is wanted."""
        is_text = self.media_type.startswith("text/")
        return f"{self.media_type}; charset=utf-8" if with_charset and is_text else self.media_type

    def open_encoder(
        self,
        dialect: Dialect | None = None,
        about: About | None = None,
        shape: Shape | None = None,
        workplace: Workplace = NOWHERE,
    ) -> Encoder:
        """Return a new encoder: of that dialect, or its own; where it has a place, it says ``about``.

        The geometry is written as ``shape`` says, without which no rows are features. A layer is made in
        the ``workplace``.
        """
        options: dict[str, object] = {"dialect": dialect or self.dialect} if self.dialect else {}
        if self.words and about:
            options["about"] = about
        if self.geometry:
            options["shape"] = shape
        if self.layer:
            options["workplace"] = workplace
        encoder: Encoder = _load(self.encoder)(**options)
        if shape and not self.geometry:
            shaped: Encoder = _load(_SHAPED)(encoder, shape)
            return shaped
        return encoder

    def check_columns(self, columns: Sequence[Column]) -> None:
        """Raise ColumnUnsupported, which names it, for a column that an encoder could not write.

        Raises ResultTooLarge for more of them than a file holds.
        """
        _load(self.check)(columns, self.extension)


@cache
def release(distribution: str) -> str:
    """Return an installed distribution's name and version; read once, for that takes a look at the disk."""
    return f"{distribution} {version(distribution)}"


def unsupported(field: pa.Field, extension: str) -> ColumnUnsupported:
    """Return the error that names a column and how to leave it out."""
    return ColumnUnsupported(
        f"column '{field.name}' of type {field.type} cannot be written as {extension}; "
        f"leave it out with exclude_field={field.name}"
    )


def _load(name: str) -> Any:
    module, _, member = name.partition(":")
    if module not in sys.modules:
        # Half a library is none, and what is there of it is not imported again.
        check_handles()
    return getattr(import_module(module), member)
