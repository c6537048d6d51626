"""What a format is: a name on the web, and an encoder that turns Arrow batches into bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from application.errors import ColumnUnsupported

if TYPE_CHECKING:
    import pyarrow as pa

Chunk: TypeAlias = bytes | memoryview


class Encoder(Protocol):
    """Writes one file from batches of one schema; what it wrote without ``finish`` is no valid file."""

    def start(self, schema: pa.Schema) -> Chunk:
        """Return the bytes before the first row."""

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        """Return the bytes that this batch makes ready; none is possible."""

    def finish(self) -> Chunk:
        """Return the end of the file; called once, and only when every row was encoded."""


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a dataset.

    ``codable`` says whether gzip and zstd make it smaller; ``check`` raises ColumnUnsupported for a
    column that ``encoder`` could not write.
    """

    extension: str
    media_type: str
    encoder: Callable[[], Encoder]
    codable: bool
    check: Callable[[pa.Schema], None]


def unsupported(field: pa.Field, extension: str) -> ColumnUnsupported:
    """Return the error that names a column and how to leave it out."""
    return ColumnUnsupported(
        f"column '{field.name}' of type {field.type} cannot be written as {extension}; "
        f"leave it out with exclude_field={field.name}"
    )
