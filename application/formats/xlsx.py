"""A workbook as Excel has them: a sheet of the rows, its header in view, and one that says what they are."""

from collections.abc import Sequence

import pyarrow as pa

from application.about import About
from application.errors import ResultTooLarge
from application.formats import columns as text_columns
from application.formats.base import Chunk
from application.formats.columns import converted
from application.formats.words import NOTHING
from application.formats.xlsx_about import about_sheet
from application.formats.xlsx_cells import letters, rows, text_row
from application.formats.xlsx_package import (
    DECLARATION,
    MAIN,
    SHEET_PARTS,
    STYLE,
    Package,
    opening_parts,
    workbook,
)
from application.formats.xlsx_text import MOST_UNITS, units
from application.formats.xlsx_values import longest, values_of
from application.models import Column

MOST_ROWS, MOST_COLUMNS = 1_048_575, 16_384  # of data, beside the header
# By so many rows the columns get their widths.
FIRST_ROWS = 100
# In letters; Excel's own default is the least.
NARROWEST, WIDEST = 9, 60
PADDING = 3  # for the filter's button
BATCH_ROWS = 4_096  # their XML is in memory several times


class XlsxEncoder:
    """Writes the rows as they come, but for the first 100, which wait for each other."""

    def __init__(self, about: About = NOTHING) -> None:
        self._about = about
        self._package = Package()
        self._first: list[pa.RecordBatch] = []
        self._begun = False
        self._rows = 0

    def start(self, schema: pa.Schema) -> Chunk:
        self._schema = schema
        return opening_parts(self._package)

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        self._rows += batch.num_rows
        if self._rows > MOST_ROWS:
            raise ResultTooLarge(
                f"There are more rows than the {MOST_ROWS:,} that a sheet of an xlsx holds beside its "
                "header: filter them, or take csv."
            )
        if self._begun:
            return self._written(batch, self._rows - batch.num_rows)
        self._first.append(batch)
        return b"" if self._rows < FIRST_ROWS else self._begin()

    def finish(self) -> Chunk:
        package, names = self._package, self._schema.names
        opening = b"" if self._begun else self._begin()
        place = f"A1:{letters(len(names))}{self._rows + 1}"
        end = (
            f'</sheetData><autoFilter ref="{place}"/>'
            # Digits in text are meant so.
            f'<ignoredErrors><ignoredError sqref="{place}" numberStoredAsText="1"/></ignoredErrors>'
            "</worksheet>"
        )
        return b"".join(
            [
                opening,
                package.write(end.encode()),
                package.close(),
                package.add(SHEET_PARTS[1], about_sheet(self._about, names)),
                package.add("xl/workbook.xml", workbook(f"$A$1:${letters(len(names))}${self._rows + 1}")),
                package.finish(),
            ]
        )

    def _begin(self) -> bytes:
        """Write what comes before the rows, and those that are there."""
        self._begun = True
        schema = self._schema
        header = text_row(1, schema.names, [STYLE["name"]] * len(schema.names))
        widths = "".join(
            f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
            for number, width in enumerate(_widths(schema.names, self._first), 1)
        )
        opening = (
            f'{DECLARATION}<worksheet xmlns="{MAIN}"><sheetViews>'
            '<sheetView tabSelected="1" workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
            '<selection pane="bottomLeft"/></sheetView></sheetViews>'
            f"<cols>{widths}</cols><sheetData>{header}"
        )
        out = [self._package.open(SHEET_PARTS[0]), self._package.write(opening.encode())]
        done = 0
        for batch in self._first:
            out.append(self._written(batch, done))
            done += batch.num_rows
        self._first.clear()
        return b"".join(out)

    def _written(self, batch: pa.RecordBatch, done: int) -> bytes:
        """Write the rows of a batch, before which so many are written."""
        out = []
        for start in range(0, batch.num_rows, BATCH_ROWS):
            piece = batch.slice(start, BATCH_ROWS)
            # The header is the first row, and rows are counted from 1.
            data = rows(converted(piece, values_of), piece.schema.names, done + start + 2)
            out.append(self._package.write(data))
        return b"".join(out)


def check(columns: Sequence[Column], extension: str) -> None:
    """Raise ResultTooLarge for more columns than a sheet has, and as the text formats do for their types."""
    if len(columns) > MOST_COLUMNS:
        raise ResultTooLarge(
            f"There are {len(columns):,} columns, and a sheet of an xlsx has {MOST_COLUMNS:,}: choose some "
            "with field=NAME, or take csv."
        )
    for column in columns:
        if units(column.name) > MOST_UNITS:
            raise ResultTooLarge(
                f"The name of column {column.name[:60]!r}… has {units(column.name):,} UTF-16 units; a cell "
                f"of an xlsx holds {MOST_UNITS:,}: take csv."
            )
    text_columns.check(columns, extension)


def _widths(names: Sequence[str], batches: Sequence[pa.RecordBatch]) -> list[int]:
    """Return a width for each column, in letters, that its name and the first rows fit, within bounds."""
    shown, left = [len(name) for name in names], FIRST_ROWS
    for batch in batches:
        columns = converted(batch.slice(0, left), values_of)
        shown = [max(most, longest(values)) for most, values in zip(shown, columns, strict=True)]
        left -= min(batch.num_rows, left)
    return [min(max(most + PADDING, NARROWEST), WIDEST) for most in shown]
