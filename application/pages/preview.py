"""The first rows of a result as cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from application.models import Column
from application.pages.addresses import Addresses, Pairs
from application.pages.words import Labels, is_number

ROWS = 20
MOST_COLUMNS = 24
SHOWN_CHARACTERS = 60
# Of all cells together; past that, cells are cut to what is shown.
MOST_CHARACTERS = 40_000

# A cell's text, cut, and the length of the whole; None for NULL.
Told = tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: ``start`` of what is shown, ``rest`` to open, and where the whole is if that is not all."""

    kind: Literal["value", "no value", "empty"]
    start: str = ""
    rest: str = ""
    length: int = 0
    label: str = ""
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """One column of a preview."""

    name: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows; ``problem`` says why they cannot be shown, ``left`` counts columns that are not."""

    heads: tuple[Head, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    left: int = 0
    problem: str = ""


def make_preview(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Told]],
    *,
    labels: Labels,
    addresses: Addresses,
    dataset: str,
    pairs: Pairs,
    offset: int,
    left: int,
) -> Preview:
    """Cells of rows that begin at an offset; ``pairs`` are the query's but for columns, limit and offset."""
    total = sum(len(cell[0]) for row in rows for cell in row if cell)
    room = SHOWN_CHARACTERS if total > MOST_CHARACTERS else None
    kept = tuple(pairs)

    def whole(column: Column, place: int) -> str:
        asked = (*kept, ("field", column.name), ("offset", str(offset + place)), ("limit", "1"))
        return addresses.download(dataset, "json", asked)

    made = tuple(
        tuple(
            _cell(
                told, labels.get(column.name, {}).get(told[0] if told else "", ""), room, whole(column, place)
            )
            for column, told in zip(columns, row, strict=True)
        )
        for place, row in enumerate(rows)
    )
    heads = tuple(Head(column.name, is_number(column)) for column in columns)
    return Preview(heads, made, left)


def _cell(told: Told, label: str, room: int | None, whole: str) -> Cell:
    if told is None:
        return Cell("no value")
    text, length = told
    if not text:
        return Cell("empty")
    if length <= SHOWN_CHARACTERS:
        return Cell("value", text, length=length, label=label)
    rest = text[SHOWN_CHARACTERS : room or len(text)]
    is_all = SHOWN_CHARACTERS + len(rest) == length
    return Cell("value", text[:SHOWN_CHARACTERS], rest, length, label, "" if is_all else whole)
