"""One Parquet file, its row groups cut by rows and bytes, never by how the batches came."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from application.about import About
from application.errors import ColumnUnsupported
from application.formats.base import Chunk, unsupported
from application.formats.groups import Groups, in_order
from application.formats.sink import Sink
from application.formats.words import NOTHING, key_values
from application.models import Column

ROW_GROUP_ROWS = 100_000
ROW_GROUP_BYTES = 64 * 2**20


class ParquetEncoder:
    """Writes row groups that end with their 100,000th row, or with the row that fills 64 MiB."""

    def __init__(self, about: About = NOTHING) -> None:
        self._about = about
        self._sink = Sink()
        self._groups = Groups(ROW_GROUP_ROWS, ROW_GROUP_BYTES)

    def start(self, schema: pa.Schema) -> Chunk:
        if said := key_values(self._about):
            schema = schema.with_metadata({**(schema.metadata or {}), **said})
        self._writer = _writer(self._sink, schema)
        return self._sink.take()

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        self._write(self._groups.add(batch))
        return self._sink.take()

    def finish(self) -> Chunk:
        self._write(self._groups.rest())
        self._writer.close()
        return self._sink.take()

    def _write(self, groups: Iterable[pa.Table]) -> None:
        for group in groups:
            self._writer.write_table(in_order(group), row_group_size=ROW_GROUP_ROWS)


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


def _writer(sink: Sink, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1, write_page_checksum=True)
