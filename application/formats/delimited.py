"""CSV as RFC 4180 has it, with LF line ends: text is quoted, NULL is an empty cell."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from application.formats.base import Chunk
from application.formats.columns import converted, normalise
from application.formats.scalars import writable

types = pa.types
_OPTIONS = pyarrow.csv.WriteOptions(include_header=False)


class CsvEncoder:
    """Writes a header row and a row a record."""

    def start(self, schema: pa.Schema) -> Chunk:
        return ",".join('"' + name.replace('"', '""') + '"' for name in schema.names).encode() + b"\n"

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        cells = converted(batch, _cells)
        if len(cells) == 1:
            # To many readers a blank line is no row, so NULL is "" here.
            cells = [cells[0].cast(pa.large_string()).fill_null("")]
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(cells, batch.schema.names), sink, _OPTIONS)
        return memoryview(sink.getvalue()).cast("B")

    def finish(self) -> Chunk:
        return b""


def _cells(column: pa.Array) -> pa.Array:
    """Return a column as write_csv takes it: numbers and dates as they are, the rest as text."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.UuidType):
        return _cells(column.storage)
    if types.is_string_view(kind):
        return column.cast(pa.large_string())
    if types.is_date(kind):
        return writable(column.cast(pa.date32()))
    if types.is_time(kind):
        return writable(column)
    if types.is_dictionary(kind):
        return _cells(column.dictionary.take(column.indices))
    column = normalise(column)
    return _json(column) if types.is_nested(column.type) else column


def _json(column: pa.Array) -> pa.Array:
    # Polars comes with it, which most tables do without.
    from application.formats.json_text import texts

    return pc.if_else(column.is_valid(), texts(column), None)
