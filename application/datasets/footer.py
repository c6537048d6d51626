"""A Parquet object's footer, read by range: the file's own schema, rows and sizes, without its data."""

import hashlib
import struct
from dataclasses import dataclass, field
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from application.datasets.counts import check_counts
from application.datasets.extents import measure
from application.errors import DatasetInvalid
from application.models import Extents, ObjectMeta
from application.storage.base import Storage

MAGIC = b"PAR1"
TRAILER = 8
FIRST_READ = 64 << 10
ARROW_SCHEMA = b"ARROW:schema"
_UNREADABLE = "The stored object's Parquet footer cannot be read."


@dataclass(frozen=True, slots=True)
class Footer:
    """What a footer tells; ``data_bytes`` are those of all rows together, as they are read.

    ``kind`` is alike for files whose columns the engine reads alike; ``raw`` is the footer itself.
    """

    schema: pa.Schema
    rows: int
    data_bytes: int
    digest: bytes
    extents: Extents
    kind: bytes
    raw: bytes = field(repr=False)


def read_footer(storage: Storage, meta: ObjectMeta) -> Footer:
    """Read one object's footer, mostly in one or two ranges; raises DatasetInvalid where it is wrong."""
    tail, footer = _read_end(storage, meta)
    start = meta.size - len(tail)
    metadata = open_footer(footer)
    try:
        # The Arrow schema that a file carries may lack key-values that were written after it, such as `geo`.
        key_values = {key: value for key, value in (metadata.metadata or {}).items() if key != ARROW_SCHEMA}
        schema = metadata.schema.to_arrow_schema().with_metadata(key_values)
        # Its first line is where it is in memory.
        _, _, columns = str(metadata.schema).partition("\n")
        kind = hashlib.sha256(columns.encode(errors="surrogateescape"))
        kind.update(schema.remove_metadata().serialize())
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetInvalid(_UNREADABLE) from error
    check_counts(metadata, meta.path.rpartition("/")[2])

    def read(first: int, end: int) -> bytes:
        end = min(end, meta.size)
        return tail[first - start : end - start] if first >= start else storage.read(meta, first, end)

    measured = measure(metadata, schema, footer, read)
    digest = hashlib.sha256(footer).digest()
    return Footer(
        schema, metadata.num_rows, measured.data_bytes, digest, measured.extents, kind.digest(), footer
    )


def read_metadata(storage: Storage, meta: ObjectMeta) -> pq.FileMetaData:
    """Read where an object's pages lie, and what is in them; raises as ``read_footer``."""
    return open_footer(_read_end(storage, meta)[1])


def _read_end(storage: Storage, meta: ObjectMeta) -> tuple[bytes, bytes]:
    """The object's last bytes, and in them the footer, with its length and the magic bytes after it."""
    if meta.size < 2 * TRAILER:
        raise DatasetInvalid("The stored object is too short to be a Parquet file.")
    tail = storage.read(meta, max(0, meta.size - FIRST_READ), meta.size)
    (length,) = struct.unpack("<I", tail[-TRAILER:-4])
    if tail[-4:] != MAGIC or length > meta.size - TRAILER - len(MAGIC):
        raise DatasetInvalid("The stored object does not end as a Parquet file does.")
    if length + TRAILER > len(tail):
        tail = storage.read(meta, meta.size - TRAILER - length, meta.size)
    return tail, tail[-TRAILER - length :]


def open_footer(footer: bytes) -> pq.FileMetaData:
    """What pyarrow reads in a footer, whose offsets point at data that is not here; raises DatasetInvalid."""
    try:
        return pq.read_metadata(BytesIO(MAGIC + footer))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetInvalid(_UNREADABLE) from error
