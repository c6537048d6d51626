"""One Parquet file, its row groups cut by rows and bytes, never by how the batches came."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from application.about import About
from application.errors import ColumnUnsupported
from application.formats.base import Chunk, unsupported
from application.formats.footers import MAGIC, JoinedFile
from application.formats.groups import Groups, in_order
from application.formats.sink import Sink
from application.formats.words import NOTHING, key_values
from application.models import Column

ROW_GROUP_ROWS = 100_000
# What is encoded at the same time, and waits for it, is of whole row groups.
ROW_GROUP_BYTES = 32 * 2**20
# Of a row group that its bytes end, roughly.
LARGE_BYTES = 24 * 2**20


class ParquetEncoder:
    """Writes row groups that end with their 100,000th row, or with the row that fills 32 MiB.

    Each is written as a file of its own, by any thread; these are joined in their order.
    """

    def __init__(self, about: About = NOTHING) -> None:
        self._about = about
        self._groups = Groups(ROW_GROUP_ROWS, ROW_GROUP_BYTES)
        self._file = JoinedFile()

    def start(self, schema: pa.Schema) -> Chunk:
        if said := key_values(self._about):
            schema = schema.with_metadata({**(schema.metadata or {}), **said})
        self._schema = schema
        return MAGIC

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        return b"".join(self.join(self.encode_group(group)) for group in self._groups.add(batch))

    def groups(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
        for batch in batches:
            yield from self._groups.add(batch)
        yield from self._groups.rest()

    def encode_group(self, group: pa.Table) -> Chunk:
        written = self._written(in_order(group))
        if group.nbytes >= LARGE_BYTES:
            # The allocator keeps what large values took for the like, which hardly fits the next ones.
            pa.default_memory_pool().release_unused()
        return written

    def join(self, encoded: Chunk) -> Chunk:
        return self._file.add(memoryview(encoded))

    def finish(self) -> Chunk:
        rest = [self.join(self.encode_group(group)) for group in self._groups.rest()]
        return b"".join([*rest, self._file.end(self._written())])

    def _written(self, *groups: pa.Table) -> memoryview:
        sink = pa.BufferOutputStream()
        with _writer(sink, self._schema) as writer:
            for group in groups:
                writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
        return memoryview(sink.getvalue()).cast("B")


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
            with _writer(Sink(), pa.schema([field])) as writer:
                # No rows, for a required column has no NULL to try it with.
                writer.write_table(pa.Table.from_arrays([pa.nulls(0, field.type)], schema=pa.schema([field])))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError) as error:
            raise unsupported(field, extension) from error


def _writer(sink: Sink | pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1, write_page_checksum=True)
