"""A workbook as Excel has them: a sheet of the rows, its header in view, and one that says what they are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from application.about import About
from application.errors import ResultTooLarge
from application.formats import columns as text_columns
from application.formats.base import Chunk
from application.formats.columns import converted
from application.formats.groups import Groups
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
    pack,
    workbook,
)
from application.formats.xlsx_text import MOST_UNITS, units
from application.formats.xlsx_values import longest, values_of
from application.models import Column

MOST_ROWS, MOST_COLUMNS = 1_048_575, 16_384  # of data, beside the header
FIRST_ROW = 2  # below the header; rows are counted from 1
# By so many rows the columns get their widths.
WIDTH_ROWS = 100
# In letters; Excel's own default is the least.
NARROWEST, WIDEST = 9, 60
PADDING = 3  # for the filter's button
# The XML of a group is ten times as large, and in memory several times.
GROUP_ROWS = 4_096
GROUP_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a sheet, by the number that the first of them has in it."""

    table: pa.Table
    first: int

    @property
    def nbytes(self) -> int:
        """What they take in memory."""
        return int(self.table.nbytes)


class XlsxEncoder:
    """Writes and packs rows in groups, each by any thread; these are joined in their order."""

    def __init__(self, about: About = NOTHING) -> None:
        self._about = about
        self._package = Package()
        self._groups = Groups(GROUP_ROWS, GROUP_BYTES, is_spread=True)
        self._begun = False
        self._rows = 0

    def start(self, schema: pa.Schema) -> Chunk:
        self._schema = schema
        return opening_parts(self._package)

    def encode(self, batch: pa.RecordBatch) -> Chunk:
        return b"".join(
            self.join(self.encode_group(group)) for group in self._numbered(self._groups.add(batch))
        )

    def groups(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Rows]:
        for batch in batches:
            yield from self._numbered(self._groups.add(batch))
        yield from self._numbered(self._groups.rest())

    def encode_group(self, group: Rows) -> Chunk:
        pieces: list[Chunk] = [self._opening(group.table)] if group.first == FIRST_ROW else []
        first = group.first
        for batch in group.table.to_batches():
            pieces.append(rows(converted(batch, values_of), batch.schema.names, first))
            first += batch.num_rows
        return pack(b"".join(pieces))

    def join(self, encoded: Chunk) -> Chunk:
        opening = b"" if self._begun else self._package.open(SHEET_PARTS[0])
        self._begun = True
        return opening + self._package.join(memoryview(encoded))

    def finish(self) -> Chunk:
        package, names = self._package, self._schema.names
        rest = [self.join(self.encode_group(group)) for group in self._numbered(self._groups.rest())]
        if not self._begun:
            rest.append(self.join(pack(self._opening(pa.Table.from_batches([], self._schema)))))
        place = f"A1:{letters(len(names))}{self._rows + 1}"
        end = (
            f'</sheetData><autoFilter ref="{place}"/>'
            # Digits in text are meant so.
            f'<ignoredErrors><ignoredError sqref="{place}" numberStoredAsText="1"/></ignoredErrors>'
            "</worksheet>"
        )
        return b"".join(
            [
                *rest,
                self.join(pack(end.encode())),
                package.close(),
                package.add(SHEET_PARTS[1], about_sheet(self._about, names)),
                package.add("xl/workbook.xml", workbook(f"$A$1:${letters(len(names))}${self._rows + 1}")),
                package.finish(),
            ]
        )

    def _numbered(self, groups: Iterable[pa.Table]) -> Iterator[Rows]:
        """Give groups with their places in the sheet."""
        for table in groups:
            first = FIRST_ROW + self._rows
            self._rows += table.num_rows
            if self._rows > MOST_ROWS:
                raise ResultTooLarge(
                    f"There are more rows than the {MOST_ROWS:,} that a sheet of an xlsx holds beside its "
                    "header: filter them, or take csv."
                )
            yield Rows(table, first)

    def _opening(self, table: pa.Table) -> bytes:
        """Return what comes before the rows, the first of which decide how wide columns are."""
        names = self._schema.names
        header = text_row(1, names, [STYLE["name"]] * len(names))
        widths = "".join(
            f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
            for number, width in enumerate(_widths(names, table.slice(0, WIDTH_ROWS)), 1)
        )
        opening = (
            f'{DECLARATION}<worksheet xmlns="{MAIN}"><sheetViews>'
            '<sheetView tabSelected="1" workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
            '<selection pane="bottomLeft"/></sheetView></sheetViews>'
            f"<cols>{widths}</cols><sheetData>{header}"
        )
        return opening.encode()


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


def _widths(names: Sequence[str], table: pa.Table) -> list[int]:
    """Return a width for each column, in letters, that its name and these rows fit, within bounds."""
    shown = [len(name) for name in names]
    for batch in table.to_batches():
        columns = converted(batch, values_of)
        shown = [max(most, longest(values)) for most, values in zip(shown, columns, strict=True)]
    return [min(max(most + PADDING, NARROWEST), WIDEST) for most in shown]
