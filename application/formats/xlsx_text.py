"""Text as the XML of a sheet's cells: a string and nothing else, however it begins."""

import polars as pl

from application.errors import CellTooLarge

# What Excel takes in a cell, in UTF-16 code units.
MOST_UNITS = 32_767
OPEN, CLOSE = "<is><t>", "</t></is></c>"
OPEN_KEPT = '<is><t xml:space="preserve">'
# What XML has another form for or none at all, what would be taken for such a form, and what XML drops.
SPECIAL = r"[&<>\x00-\x1f\x{fffe}\x{ffff}]|_x[0-9A-Fa-f]{4}|^\s|\s$"
# The standard's way (ST_Xstring) to write what XML has no letter for.
TAKEN_FOR_A_FORM = r"_(x[0-9A-Fa-f]{4})"
FORMS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {
    chr(code): f"_x{code:04X}_" for code in (*range(9), 11, 12, *range(13, 32), 0xFFFE, 0xFFFF)
}


def needs_care(text: pl.Expr) -> pl.Expr:
    """Say which texts cannot stand in XML as they are."""
    return text.str.contains(SPECIAL)


def with_care(texts: pl.Series) -> pl.Series:
    """Return the XML of such texts, from after the opening of their cells."""
    written = texts.str.replace_all(TAKEN_FOR_A_FORM, "_x005F_${1}")
    return OPEN_KEPT + written.str.replace_many(list(FORMS), list(FORMS.values())) + CLOSE


def string(text: str) -> str:
    """Return the XML of one text, from after the opening of its cell."""
    series = pl.Series([text], dtype=pl.String)
    if pl.select(needs_care(pl.lit(series)).any()).item():
        return str(with_care(series).item())
    return f"{OPEN}{text}{CLOSE}"


def units(text: str) -> int:
    """Return how many UTF-16 code units a text has."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def check_length(name: str, texts: pl.Series, first_row: int) -> None:
    """Raise ResultTooLarge, which names column and row, for the first text that is too long for a cell."""
    for index in (texts.str.len_bytes() > MOST_UNITS).arg_true():
        count = units(texts[index])
        if count > MOST_UNITS:
            raise CellTooLarge(
                f"Column {name!r} has a text of {count:,} UTF-16 units",
                f"row {first_row + index:,} of the sheet",
                f"a cell of an xlsx holds {MOST_UNITS:,}: leave the column out with exclude_field={name}, "
                "or take csv.",
            )
