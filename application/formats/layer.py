"""Columns as GDAL's writers keep them: what they would lose or round is text with all its digits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from application.errors import ColumnUnsupported
from application.formats.columns import check as check_text
from application.formats.columns import normalise
from application.formats.scalars import is_json, is_string
from application.models import Column

types = pa.types

# Of earlier days the engine hands GDAL wrong ones.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9999, 12, 31)


@dataclass(slots=True)
class Seen:
    """What all rows of a file have in common."""

    is_extended: bool = True  # each has a geometry that is not empty
    odd_days: set[str] = field(default_factory=set)
    not_numbers: set[str] = field(default_factory=set)

    def look(self, column: pa.Array, name: str) -> None:
        """Take in some values of a column."""
        if pa.types.is_date(column.type):
            found = pc.min_max(column)
            days = [found[end].as_py() for end in ("min", "max") if found[end].is_valid]
            if any(not FIRST_DAY <= day <= LAST_DAY for day in days):
                self.odd_days.add(name)
        elif pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
            self.not_numbers.add(name)


def check(columns: Sequence[Column], extension: str) -> None:
    """Raise ColumnUnsupported for a column without a text form, or without a name of its own."""
    check_text(columns, extension)
    seen: dict[str, str] = {}
    for column in columns:
        if not column.name or "\x00" in column.name:
            raise ColumnUnsupported(f"{extension} has no place for a column named {column.name!r}.")
        # SQLite, and with it GeoPackage, knows no case in names.
        other = seen.setdefault(column.name.lower(), column.name)
        if other != column.name and extension == "gpkg":
            raise ColumnUnsupported(
                f"Columns {other!r} and {column.name!r} differ by case alone, which {extension} cannot tell "
                f"apart; leave one out with exclude_field={column.name}."
            )


def values(column: pa.Array, name: str) -> pa.Array:
    """Return whole numbers, floats, truths and days as they are, and all else as text."""
    kind = column.type
    if types.is_dictionary(kind):
        return values(column.dictionary.take(column.indices), name)
    if types.is_signed_integer(kind) or (types.is_unsigned_integer(kind) and kind.bit_width < 64):
        return column.cast(pa.int64())
    if types.is_float16(kind):
        return column.cast(pa.float32()).cast(pa.float64())
    if types.is_floating(kind):
        return column.cast(pa.float64())
    if types.is_boolean(kind):
        return column
    if types.is_date(kind):
        return column.cast(pa.date32())
    text = _text(column).cast(pa.large_string())
    if pc.any(pc.match_substring(text, "\x00")).as_py():
        raise ColumnUnsupported(
            f"Column {name!r} has text with a NUL, at which it would end here; leave it out with "
            f"exclude_field={name}."
        )
    return text


def _text(column: pa.Array) -> pa.Array:
    from application.formats.json_text import texts

    column = normalise(column)
    if is_json(column.type):
        return column.storage
    if types.is_nested(column.type):
        return pc.if_else(column.is_valid(), texts(column), None)
    return column if is_string(column.type) else column.cast(pa.string())
