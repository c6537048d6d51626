"""Workbooks as the standard says that they are read, by Python's own zip and XML."""

import io
import re
import zipfile
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Cell = tuple[str, Any]


def part(body: bytes, name: str) -> ET.Element:
    """A part of the package, parsed."""
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        return ET.fromstring(package.read(name))


def sheet(body: bytes, number: int = 1) -> list[list[Cell]]:
    """The rows of a sheet: for each column what kind of value a cell has, and the value.

    Kinds are `none`, `text`, `truth`, and the format of a number as its style has it.
    """
    styles = part(body, "xl/styles.xml")
    named = {item.get("numFmtId"): item.get("formatCode") for item in styles.iter(f"{MAIN}numFmt")}
    cells = styles.find(f"{MAIN}cellXfs")
    assert cells is not None
    formats = [named.get(item.get("numFmtId"), "number") for item in cells]
    rows: list[list[Cell]] = []
    for row in part(body, f"xl/worksheets/sheet{number}.xml").iter(f"{MAIN}row"):
        rows += [[] for _ in range(int(row.attrib["r"]) - len(rows))]
        for cell in row:
            letters, _, _ = re.fullmatch(r"([A-Z]+)(\d+)()", cell.attrib["r"]).groups()  # type: ignore[union-attr]
            index = 0
            for letter in letters:
                index = 26 * index + ord(letter) - ord("A") + 1
            rows[-1] += [("none", None)] * (index - len(rows[-1]))
            rows[-1][index - 1] = _value(cell, formats)
    width = max(map(len, rows))
    return [row + [("none", None)] * (width - len(row)) for row in rows]


def columns(body: bytes) -> dict[str, list[Cell]]:
    """The cells of the first sheet by the names in its header."""
    header, *rows = sheet(body)
    return {name: [row[index] for row in rows] for index, (_, name) in enumerate(header)}


def _value(cell: ET.Element, formats: list[str]) -> Cell:
    kind = cell.get("t")
    if kind == "inlineStr":
        text = "".join(item.text or "" for item in cell.iter(f"{MAIN}t"))
        # ST_Xstring of ECMA-376, part 1, 22.9.2.19.
        return "text", re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)
    value = cell.findtext(f"{MAIN}v")
    assert value is not None
    if kind == "b":
        return "truth", value == "1"
    return formats[int(cell.get("s", "0"))], Decimal(value)
