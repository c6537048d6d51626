"""A Parquet object's footer, read by range: the file's own schema, rows and sizes, without its data."""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from application.datasets.counts import check_counts, misplaced_columns, sealed_columns
from application.datasets.extents import measure
from application.datasets.traits import annotated, traits_of, unknown_to_arrow
from application.errors import DatasetInvalid
from application.models import Extents, ObjectMeta, Traits
from application.storage.base import Storage

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
TRAILER = 8
FIRST_READ = 64 << 10
ARROW_SCHEMA = b"ARROW:schema"
# The key's own field in Thrift's compact protocol, with that of its value: nothing else in a footer is so.
ARROW_SCHEMA_KEY = b"\x18\x0c" + ARROW_SCHEMA + b"\x18"
_UNREADABLE = "The stored object's Parquet footer cannot be read."


class FooterEncrypted(DatasetInvalid):
    """Nothing is known of the object but that it is Parquet."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What a footer tells; ``data_bytes`` are those of all rows together, as they are read.

    ``kind`` is alike for files whose columns the engine reads alike; ``traits`` are those of the columns
    that have any, by name; ``raw`` is the footer itself.
    """

    schema: pa.Schema
    rows: int
    data_bytes: int
    digest: bytes
    extents: Extents
    kind: bytes
    traits: Mapping[str, Traits]
    raw: bytes = field(repr=False)


def read_footer(storage: Storage, meta: ObjectMeta) -> Footer:
    """Read one object's footer, mostly in one or two ranges; raises DatasetInvalid where it is wrong."""
    tail, footer = _read_end(storage, meta)
    start = meta.size - len(tail)
    metadata = open_footer(footer)
    sealed = sealed_columns(metadata, footer)
    try:
        schema, traits = _described(metadata, footer, misplaced_columns(metadata, meta.size, sealed))
        # Its first line is where it is in memory.
        _, _, columns = str(metadata.schema).partition("\n")
        kind = hashlib.sha256(columns.encode(errors="surrogateescape"))
        kind.update(schema.remove_metadata().serialize())
        kind.update(repr(sorted(traits.items())).encode(errors="surrogateescape"))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetInvalid(_UNREADABLE) from error
    check_counts(metadata, meta.path.rpartition("/")[2], sealed)

    def read(first: int, end: int) -> bytes:
        end = min(end, meta.size)
        return tail[first - start : end - start] if first >= start else storage.read(meta, first, end)

    measured = measure(metadata, schema, footer, read, sealed)
    digest = hashlib.sha256(footer).digest()
    return Footer(
        schema,
        metadata.num_rows,
        measured.data_bytes,
        digest,
        measured.extents,
        kind.digest(),
        traits,
        footer,
    )


def _described(
    metadata: pq.FileMetaData, footer: bytes, misplaced: frozenset[int]
) -> tuple[pa.Schema, dict[str, Traits]]:
    """The file's own Arrow schema with its key-values, and what that does not say of its columns."""
    # The Arrow schema that a file carries may lack key-values that were written after it, such as `geo`.
    key_values = {
        key: value for key, value in (metadata.metadata or {}).items() if key.lower() != ARROW_SCHEMA.lower()
    }
    # `metadata.schema` would give UUIDs and JSON as bytes and text where no Arrow schema says so.
    found = pq.ParquetFile(BytesIO(MAGIC + footer), metadata=metadata).schema_arrow
    schema = annotated(metadata.schema, found.with_metadata(key_values))
    traits = traits_of(metadata.schema, schema, misplaced)
    has_own = ARROW_SCHEMA in footer and ARROW_SCHEMA not in (metadata.metadata or {})
    return schema, traits | unknown_to_arrow(MAGIC + footer) if has_own else traits


def read_metadata(storage: Storage, meta: ObjectMeta) -> pq.FileMetaData | None:
    """Read where an object's pages lie, and what is in them; None where they are encrypted.

    Raises as ``read_footer``.
    """
    _, footer = _read_end(storage, meta)
    metadata = open_footer(footer)
    return None if sealed_columns(metadata, footer) else metadata


def _read_end(storage: Storage, meta: ObjectMeta) -> tuple[bytes, bytes]:
    """The object's last bytes, and in them the footer, with its length and the magic bytes after it."""
    if meta.size < 2 * TRAILER:
        raise DatasetInvalid("The stored object is too short to be a Parquet file.")
    tail = storage.read(meta, max(0, meta.size - FIRST_READ), meta.size)
    if tail[-4:] == ENCRYPTED_MAGIC:
        raise FooterEncrypted("The stored object is encrypted: only the whole of it can be had, as it is.")
    (length,) = struct.unpack("<I", tail[-TRAILER:-4])
    if tail[-4:] != MAGIC or length > meta.size - TRAILER - len(MAGIC):
        raise DatasetInvalid("The stored object does not end as a Parquet file does.")
    if length + TRAILER > len(tail):
        tail = storage.read(meta, meta.size - TRAILER - length, meta.size)
    return tail, tail[-TRAILER - length :]


def open_footer(footer: bytes) -> pq.FileMetaData:
    """What pyarrow reads in a footer, whose offsets point at data that is not here; raises DatasetInvalid."""
    try:
        try:
            return pq.read_metadata(BytesIO(MAGIC + footer))
        except pa.ArrowNotImplementedError:
            # Its Arrow schema has a type that pyarrow does not know; the Parquet schema may do without.
            plain = footer.replace(ARROW_SCHEMA_KEY, ARROW_SCHEMA_KEY.swapcase())
            return pq.read_metadata(BytesIO(MAGIC + plain))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetInvalid(_UNREADABLE) from error
