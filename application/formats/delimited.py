"""Delimited text as RFC 4180 has it, with LF by default: NULL is an empty cell, empty text is `""`.

Csv has all text in quotes, by which some readers know numbers from text. Tsv quotes only what could not
be read without them, for it is also taken by programs that split lines at tabs, such as cut.
"""

from collections.abc import Sequence
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from application.formats.base import Chunk
from application.formats.columns import converted, normalise
from application.formats.handles import begin_polars
from application.formats.scalars import is_string, writable
from application.models import Dialect

types = pa.types
LINE_ENDS = {"lf": "\n", "crlf": "\r\n"}
# Of those that are written at once, for each of which pyarrow reserves 8 bytes. By its own 1,024 rows at once
# fifteen columns take a sixth longer, and thousands of columns take memory that nobody needs.
CELLS = 1 << 18
# What spreadsheets take for the start of a formula, also past what they skip.
FORMULA = r"^[\t\r\n ]*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|^[\t\r\n]"


class DelimitedEncoder:
    """Writes a header row and a row a record, in a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._line_end = LINE_ENDS[dialect.line_end]

    def start(self, schema: pa.Schema) -> Chunk:
        if not self._dialect.header:
            return self._mark
        names = [pa.array([name], pa.string()) for name in schema.names]
        if self._dialect.safe:
            names = [_neutralised(name) for name in names]
        return self._mark + bytes(self._written(names))

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        columns = converted(batch, cells)
        if self._dialect.safe:
            columns = [_neutralised(column) for column in columns]
        if len(columns) == 1:
            # To many readers a blank line is no row, so NULL is "" here.
            columns = [columns[0].cast(pa.large_string()).fill_null("")]
        return self._written(columns)

    def finish(self) -> Chunk:
        return b""

    @property
    def _mark(self) -> bytes:
        return "\ufeff".encode() if self._dialect.bom else b""

    def _written(self, cells: Sequence[pa.Array]) -> Chunk:
        """Return the cells of some rows, as ``cells`` gives them, as records."""
        sink = pa.BufferOutputStream()
        names = [str(index) for index in range(len(cells))]
        options = pyarrow.csv.WriteOptions(
            include_header=False,
            delimiter=self._dialect.delimiter,
            eol=self._line_end,
            batch_size=max(1, CELLS // len(cells)),
        )
        pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(cells, names), sink, options)
        return memoryview(sink.getvalue()).cast("B")


class TabbedEncoder(DelimitedEncoder):
    """As csv, but with quotes only round text that holds a delimiter, a quote or a line end, or nothing."""

    def _written(self, cells: Sequence[pa.Array]) -> Chunk:
        # It writes text alone as it is wanted here, which pyarrow does not.
        import polars as pl

        # Of the other types some are told in other words than csv has.
        alike = [
            cell if is_string(cell.type) or types.is_integer(cell.type) else cell.cast(pa.string())
            for cell in cells
        ]
        begin_polars()
        sink = BytesIO()
        pl.DataFrame({str(index): pl.from_arrow(cell) for index, cell in enumerate(alike)}).write_csv(
            sink,
            include_header=False,
            separator=self._dialect.delimiter,
            line_terminator=self._line_end,
            quote_style="necessary",
        )
        return sink.getbuffer()


def _neutralised(column: pa.Array) -> pa.Array:
    """Text that a spreadsheet would take for a formula with an apostrophe first; all else as it is."""
    if not (types.is_string(column.type) or types.is_large_string(column.type)):
        return column
    marked = pc.binary_join_element_wise("'", column, "")
    return pc.if_else(pc.match_substring_regex(column, FORMULA), marked, column)


def cells(column: pa.Array) -> pa.Array:
    """Return a column as write_csv takes it: numbers and dates as they are, the rest as text."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.UuidType):
        return cells(column.storage)
    if types.is_string_view(kind):
        return column.cast(pa.large_string())
    if types.is_date(kind):
        return writable(column.cast(pa.date32()))
    if types.is_time(kind):
        return writable(column)
    if types.is_dictionary(kind):
        return cells(column.dictionary.take(column.indices))
    column = normalise(column)
    return _json(column) if types.is_nested(column.type) else column


def _json(column: pa.Array) -> pa.Array:
    # Polars comes with it, which most tables do without.
    from application.formats.json_text import texts

    return pc.if_else(column.is_valid(), texts(column), None)
