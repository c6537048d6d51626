"""Rows as the XML of a sheet: cells one after the other, each in the place of its column."""

from collections.abc import Sequence
from io import BytesIO

import polars as pl
import pyarrow as pa

from application.formats.handles import begin_polars
from application.formats.xlsx_package import STYLE
from application.formats.xlsx_text import CLOSE, OPEN, check_length, needs_care, string, with_care
from application.formats.xlsx_values import Values

OPEN_TEXT = '" t="inlineStr">'
ROW_END = "</row>"
ROW_NUMBER = "row"
TRUE, FALSE = '" t="b"><v>1</v></c>', '" t="b"><v>0</v></c>'


def rows(columns: Sequence[Values], names: Sequence[str], first_row: int) -> memoryview:
    """Return the XML of rows, the first of which is that row of the sheet.

    Raises ResultTooLarge, which names column and row, for a text that no cell holds.
    """
    begin_polars()
    frame = pl.DataFrame(
        {
            f"{part}{index}": pl.from_arrow(values)
            for index, column in enumerate(columns)
            for part, values in _parts(column).items()
        }
    )
    row = pl.int_range(first_row, first_row + pl.len()).cast(pl.String)
    frame = frame.with_columns(row.alias(ROW_NUMBER))
    texts = [name for name in frame.columns if name.startswith("t")]
    careful = {
        name: mask.arg_true()
        for name, mask in frame.select(needs_care(pl.col(name)) for name in texts).to_dict().items()
    }
    for name in texts:
        check_length(names[int(name[1:])], frame[name], first_row)
    # Both of polars' calls below use all threads that it has.
    cells = frame.select(_cell(column, index) for index, column in enumerate(columns))
    for name, places in careful.items():
        if len(places):
            careful_rows = frame[ROW_NUMBER].gather(places)
            written = (
                _opening(int(name[1:])) + careful_rows + OPEN_TEXT + with_care(frame[name].gather(places))
            )
            cells = cells.with_columns(cells[name[1:]].scatter(places, written))
    first = '<row r="' + frame[ROW_NUMBER] + '">' + cells["0"].fill_null("")
    cells = cells.with_columns(first.alias("0"))
    sink = BytesIO()
    cells.write_csv(
        sink,
        include_header=False,
        # Blank space between cells says nothing, and polars has to have some character there.
        separator="\n",
        line_terminator=ROW_END,
        quote_style="never",
        null_value="",
    )
    return sink.getbuffer()


def letters(number: int) -> str:
    """Return the name of a column of a sheet, by its number from 1: A to Z, AA, and so on."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def text_row(number: int, texts: Sequence[str], styles: Sequence[str]) -> str:
    """Return the XML of one row of texts, those that are empty left out, with their styles by index."""
    cells = "".join(
        f'<c r="{letters(column)}{number}" s="{style}" t="inlineStr">{string(text)}'
        for column, (text, style) in enumerate(zip(texts, styles, strict=True), 1)
        if text
    )
    return f'<row r="{number}">{cells}</row>'


def _parts(column: Values) -> dict[str, pa.Array]:
    parts = {"n": column.numbers, "t": column.texts, "b": column.truths}
    if not isinstance(column.styles, str):
        parts["s"] = column.styles
    return {part: values for part, values in parts.items() if values is not None}


def _cell(column: Values, index: int) -> pl.Expr:
    """Return what makes the XML of a column's cells, with NULL for those without a value."""
    # Some readers put a cell that does not say its place into another one.
    place = [pl.lit(_opening(index)), pl.col(ROW_NUMBER)]
    cells = []
    if column.numbers is not None:
        opening = [pl.lit('"><v>')]
        if not isinstance(column.styles, str):
            opening = [pl.lit('" s="'), pl.col(f"s{index}"), *opening]
        elif column.styles != STYLE[""]:
            opening = [pl.lit(f'" s="{column.styles}"><v>')]
        cells.append(pl.concat_str(*place, *opening, pl.col(f"n{index}"), pl.lit("</v></c>")))
    if column.texts is not None:
        cells.append(pl.concat_str(*place, pl.lit(OPEN_TEXT + OPEN), pl.col(f"t{index}"), pl.lit(CLOSE)))
    if column.truths is not None:
        truth = pl.col(f"b{index}")
        cells.append(
            pl.concat_str(*place, pl.when(truth).then(pl.lit(TRUE)).when(~truth).then(pl.lit(FALSE)))
        )
    return pl.coalesce(cells).alias(str(index))


def _opening(index: int) -> str:
    """Return how the cells of a column begin, up to the number of their row."""
    return f'<c r="{letters(index + 1)}'
