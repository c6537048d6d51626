"""One Parquet file, its row groups cut by rows and bytes, never by how the batches came."""

from bisect import bisect_left
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from application.about import About
from application.errors import ColumnUnsupported
from application.formats.base import Chunk, unsupported
from application.formats.words import NOTHING, key_values
from application.models import Column

types = pa.types

ROW_GROUP_ROWS = 100_000
ROW_GROUP_BYTES = 64 * 2**20
_VARIABLE = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)


class _Sink:
    """A file that only grows, and gives away what was written."""

    closed = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._position = 0

    def write(self, data: bytes) -> int:
        self._chunks.append(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Do nothing: what is written can be taken at once."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


class ParquetEncoder:
    """Writes row groups that end with their 100,000th row, or with the row that fills 64 MiB."""

    def __init__(self, about: About = NOTHING) -> None:
        self._about = about
        self._sink = _Sink()
        self._pieces: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def start(self, schema: pa.Schema) -> Chunk:
        if said := key_values(self._about):
            schema = schema.with_metadata({**(schema.metadata or {}), **said})
        self._writer = _writer(self._sink, schema)
        return self._sink.take()

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        while batch.num_rows:
            piece = batch.slice(0, ROW_GROUP_ROWS - self._rows)
            size = measure(piece)
            if self._bytes + size > ROW_GROUP_BYTES:
                piece = _filling(piece, ROW_GROUP_BYTES - self._bytes)
                size = ROW_GROUP_BYTES - self._bytes
            self._pieces.append(piece)
            self._rows += piece.num_rows
            self._bytes += size
            batch = batch.slice(piece.num_rows)
            if self._rows == ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
                self._write()
        return self._sink.take()

    def finish(self) -> Chunk:
        if self._rows:
            self._write()
        self._writer.close()
        return self._sink.take()

    def _write(self) -> None:
        # pyarrow's pages depend on where the chunks of a column end: one chunk, one outcome.
        group = pa.Table.from_batches(self._pieces).combine_chunks()
        self._pieces.clear()
        self._rows = self._bytes = 0
        self._writer.write_table(_dictionaries(group), row_group_size=ROW_GROUP_ROWS)


def check(columns: Sequence[Column], extension: str) -> None:
    """Raise ColumnUnsupported for the first column that Parquet, or pyarrow, has no type for."""
    for column in columns:
        if column.engine_type == "VARIANT":
            raise ColumnUnsupported(
                f"Column {column.name!r} holds variants, which filtered Parquet cannot carry; "
                f"leave it out with exclude_field={column.name} or choose json."
            )
        field = column.field
        try:
            with _writer(_Sink(), pa.schema([field])) as writer:
                # No rows, for a required column has no NULL to try it with.
                writer.write_table(pa.Table.from_arrays([pa.nulls(0, field.type)], schema=pa.schema([field])))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError) as error:
            raise unsupported(field, extension) from error


def measure(batch: pa.RecordBatch) -> int:
    """Return the bytes of the values, which is the sum over the rows wherever the batch was cut."""
    return sum(_size(column) for column in batch.columns)


def _writer(sink: _Sink, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1, write_page_checksum=True)


def _filling(piece: pa.RecordBatch, room: int) -> pa.RecordBatch:
    """Return the fewest first rows whose bytes take all the room."""
    counts = range(1, piece.num_rows)
    return piece.slice(0, 1 + bisect_left(counts, room, key=lambda rows: measure(piece.slice(0, rows))))


def _size(array: pa.Array) -> int:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _size(array.storage)
    if types.is_struct(kind):
        return len(array) + sum(_size(child) for child in array.flatten())
    if types.is_map(kind):
        first, last = (array.offsets[end].as_py() for end in (0, -1))
        return 4 * len(array) + sum(
            _size(side.slice(first, last - first)) for side in (array.keys, array.items)
        )
    if types.is_nested(kind):
        return 4 * len(array) + _size(pc.list_flatten(array))
    if types.is_string_view(kind) or types.is_binary_view(kind):
        array = array.cast(pa.large_binary())
    if any(is_kind(array.type) for is_kind in _VARIABLE):
        return 4 * len(array) + (pc.sum(pc.binary_length(array)).as_py() or 0)
    return len(array) * (1 if types.is_null(kind) else max(1, kind.bit_width // 8))


def _dictionaries(group: pa.Table) -> pa.Table:
    """Return the group with dictionaries in the order of its rows, whatever those of the batches were."""
    for index, field in enumerate(group.schema):
        if types.is_dictionary(field.type):
            values = group.column(index).cast(field.type.value_type)
            group = group.set_column(index, field, values.dictionary_encode().cast(field.type))
    return group
