"""What commands tell of datasets and downloads, as tables for people."""

from collections.abc import Iterable
from typing import Any

UNKNOWN = "–"
# Of a cell of free text.
LONGEST = 64


def show_catalogue(told: dict[str, Any]) -> None:
    """The catalogue, as its JSON has it, a line for each dataset."""
    rows = (
        (
            item["name"],
            item.get("title", ""),
            _number(item.get("rows")),
            _number(item.get("bytes")),
            item.get("modified", "")[:10],
            item.get("licence", ""),
            item.get("problem", ""),
        )
        for item in told["datasets"]
    )
    _show(("dataset", "title", "rows", "bytes", "modified", "licence", "problem"), rows, numbers=(2, 3))


def show_description(told: dict[str, Any]) -> None:
    """A dataset's description, as its JSON has it: its words, its columns, its formats."""
    plain = {name: value for name, value in told.items() if isinstance(value, str | int)}
    geometry = told.get("geometry", {})
    if geometry:
        plain["geometry"] = " ".join([geometry["column"], geometry.get("crs", "")]).strip()
    _show(("", ""), ((name, _text(value)) for name, value in plain.items()))
    columns = (
        (
            item["name"],
            item.get("type", ""),
            _number(item.get("nulls")),
            _text(item.get("min")),
            _text(item.get("max")),
            item.get("description", ""),
        )
        for item in told.get("columns", ())
    )
    _show(("column", "type", "nulls", "min", "max", "description"), columns, numbers=(2,))
    formats = (
        (item["extension"], _size(item), item["use"], item.get("problem", "")) for item in told["formats"]
    )
    _show(("format", "bytes", "for", "problem"), formats, numbers=(1,))


def show_estimate(told: dict[str, Any]) -> None:
    """An estimate, as its JSON has it."""
    rows = _number(told["rows"]) if "rows" in told else f"at most {_number(told['rows_at_most'])}"
    groups = told["row_groups"]
    read = f"{groups['read']} of {groups['of']} row groups, {_number(told['bytes_read'])} bytes"
    facts = [("rows", rows), ("read", read)]
    if without := told.get("rows_without_geometry"):
        facts.insert(1, ("in no area", f"{_number(without)} without a geometry that can be read"))
    _show(("", ""), facts)
    formats = ((item["extension"], _size(item), item["answer"], item["reason"]) for item in told["formats"])
    _show(("format", "bytes", "answer", "why"), formats, numbers=(1,))


def _show(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: tuple[int, ...] = ()) -> None:
    """Print rows in columns: each line is whole, however wide a terminal is."""
    lines = [row for row in (heads, *rows) if any(row)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())
    print()


def _size(item: dict[str, Any]) -> str:
    about = "" if item.get("exact", True) else "about "
    return about + _number(item.get("bytes"))


def _number(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def _text(value: object) -> str:
    if value is None:
        return UNKNOWN
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
