"""The sheet that says what a workbook is: whose data, which query and version, and what columns mean."""

from collections.abc import Iterator, Sequence

from application.about import About
from application.formats.xlsx_cells import text_row
from application.formats.xlsx_package import DECLARATION, MAIN, STYLE
from application.formats.xlsx_text import MOST_UNITS, units

LABELS = {
    "dataset": "Dataset",
    "title": "Title",
    "description": "Description",
    "licence": "Licence",
    "attribution": "Attribution",
    "publisher": "Publisher",
    "query": "Query",
    "source": "Version of the data (ETag)",
    "e_tag": "Version of this file (ETag)",
}
# In letters of the sheet's own font.
WIDTHS = (30, 100)


def about_sheet(about: About, columns: Sequence[str]) -> str:
    """Return the sheet's part, with the columns and what is said of them; what is unknown is left out."""
    bold, plain = STYLE["name"], STYLE[""]
    said = {label: text for name, label in LABELS.items() if (text := getattr(about, name))}
    lines = [(*line, bold, plain) for label, text in said.items() for line in _lines(label, text)]
    lines += [("", "", plain, plain), ("Column", "Description", bold, bold)]
    lines += [(*line, plain, plain) for name in columns for line in _lines(name, about.columns.get(name, ""))]
    rows = "".join(text_row(number, line[:2], line[2:]) for number, line in enumerate(lines, 1))
    widths = "".join(
        f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
        for number, width in enumerate(WIDTHS, 1)
    )
    return (
        f'{DECLARATION}<worksheet xmlns="{MAIN}"><cols>{widths}</cols>'
        f"<sheetData>{rows}</sheetData></worksheet>"
    )


def _lines(label: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield as many lines as the text needs, for a query can be longer than a cell."""
    # A letter has two units at most.
    step = max(1, len(text) if units(text) <= MOST_UNITS else MOST_UNITS // 2)
    for start in range(0, max(1, len(text)), step):
        yield label if start == 0 else "", text[start : start + step]
