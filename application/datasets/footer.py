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
    if meta.size < 2 * TRAILER:
        raise DatasetInvalid("The stored object is too short to be a Parquet file.")
    start = max(0, meta.size - FIRST_READ)
    tail = storage.read(meta, start, meta.size)
    (length,) = struct.unpack("<I", tail[-TRAILER:-4])
    if tail[-4:] != MAGIC or length > meta.size - TRAILER - len(MAGIC):
        raise DatasetInvalid("The stored object does not end as a Parquet file does.")
    if length + TRAILER > len(tail):
        start = meta.size - TRAILER - length
        tail = storage.read(meta, start, meta.size)
    footer = tail[-TRAILER - length :]
    try:
        metadata = open_footer(footer)
        # The Arrow schema that a file carries may lack key-values that were written after it, such as `geo`.
        key_values = {key: value for key, value in (metadata.metadata or {}).items() if key != ARROW_SCHEMA}
        schema = metadata.schema.to_arrow_schema().with_metadata(key_values)
        # Its first line is where it is in memory.
        _, _, columns = str(metadata.schema).partition("\n")
        kind = hashlib.sha256(columns.encode(errors="surrogateescape"))
        kind.update(schema.remove_metadata().serialize())
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetInvalid("The stored object's Parquet footer cannot be read.") from error
    check_counts(metadata, meta.path.rpartition("/")[2])

    def read(first: int, end: int) -> bytes:
        end = min(end, meta.size)
        return tail[first - start : end - start] if first >= start else storage.read(meta, first, end)

    measured = measure(metadata, schema, footer, read)
    digest = hashlib.sha256(footer).digest()
    return Footer(
        schema, metadata.num_rows, measured.data_bytes, digest, measured.extents, kind.digest(), footer
    )


def open_footer(raw: bytes) -> pq.FileMetaData:
    """What pyarrow reads in a footer; raises its errors. The data that it points at is not here."""
    return pq.read_metadata(BytesIO(MAGIC + raw))
