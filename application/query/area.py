"""The readers of `bbox`, `bbox-crs`, `intersects`, `within` and `near`: rows by where they are."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from application.models import Area

Areas = tuple[Area, ...]

BBOX: Literal["bbox"] = "bbox"
BBOX_CRS = "bbox-crs"
POSITION = re.compile(r"[^,:()]+,[^,:()]+")
# A dataset, and the reference of a row; WKT has parentheses before any colon.
REFERENCE = re.compile(r"([A-Za-z0-9_-]{1,100}):(.+)", re.DOTALL)
# Of JSON Schema, for what texts are surely taken.
LONGITUDE, LATITUDE = r"-?(1[0-7][0-9]|[1-9]?[0-9])(\.[0-9]{1,9})?", r"-?[1-8]?[0-9](\.[0-9]{1,9})?"


def bbox(texts: Sequence[str], areas: Areas, _: object) -> Areas:
    """A box, by the least x and y and the greatest; raises ValueError."""
    numbers = _numbers(texts[0])
    if len(numbers) != 4:
        raise ValueError(f"{texts[0][:60]!r} is no box: use minx,miny,maxx,maxy, such as -0.2,51.4,0,51.6")
    return (*areas, Area(BBOX, _text(numbers)))


def bbox_crs(texts: Sequence[str], areas: Areas, _: object) -> Areas:
    """The reference system of the box, if there is one; raises ValueError."""
    # What knows reference systems takes a while to load.
    from application.geometry import WGS84
    from application.geometry.systems import read_system

    name = read_system(texts[0])
    crs = "" if name == WGS84 else name
    return tuple(replace(area, crs=crs) if area.relation == BBOX else area for area in areas)


def near(texts: Sequence[str], areas: Areas, _: object) -> Areas:
    """A position and metres; raises ValueError."""
    numbers = _numbers(texts[0])
    if len(numbers) != 3 or numbers[2] < 0:
        raise ValueError(f"{texts[0][:60]!r} is not lon,lat,metres: use one such as -0.1278,51.5,500")
    return (*areas, Area("near", _text(numbers)))


def place(relation: Literal["intersects", "within"]) -> Callable[[Sequence[str], Areas, object], Areas]:
    """A reader of a place by WKT, by a position, or by another dataset's row."""

    def read(texts: Sequence[str], areas: Areas, _: object) -> Areas:
        text = texts[0].strip()
        if POSITION.fullmatch(text):
            numbers = _numbers(text)
            if len(numbers) == 2:
                text = _text(numbers)
        return (*areas, Area(relation, text))

    return read


def reference_of(relation: str, text: str) -> tuple[str, str] | None:
    """The dataset and the reference that a place is said by; None where it is said otherwise."""
    if relation not in ("intersects", "within"):
        return None
    found = REFERENCE.fullmatch(text.strip())
    return (found[1], found[2]) if found else None


def _numbers(text: str) -> list[float]:
    """The finite numbers between commas; none where one is no number."""
    try:
        # Underscores and other scripts' digits are Python's alone.
        numbers = [float(part) for part in text.split(",") if part.isascii() and "_" not in part]
    except ValueError:
        return []
    return numbers if len(numbers) == text.count(",") + 1 and all(map(math.isfinite, numbers)) else []


def _text(numbers: Sequence[float]) -> str:
    """Equal for equal numbers."""
    return ",".join(repr(number + 0.0) for number in numbers)
