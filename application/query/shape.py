"""The readers of `geometry` and `crs`: how the geometry column is written."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from application.models import Shape

FORMS = ("wkt", "geojson", "none")
FEATURE = "feature"
# Those that are asked for most.
SYSTEMS = ("EPSG:4326", "EPSG:27700", "EPSG:3857", "EPSG:4258", "EPSG:25830", "EPSG:32630", "OGC:CRS84")


def form(texts: Sequence[str], shape: Shape, _: object) -> Shape:
    """As what a text format has it; raises ValueError."""
    chosen: dict[str, Any] = {"form": texts[0]}
    text = texts[0]
    if text not in FORMS:
        raise ValueError(f"{text[:60]!r} is not known: use {', '.join(FORMS[:-1])} or {FORMS[-1]}")
    if shape.form == FEATURE:
        raise ValueError(
            "the rows of this format are features, whose geometry has one form: leave it out here"
        )
    if text == "wkt" and shape.form == "stored":
        return shape
    return replace(shape, **chosen)


def system(texts: Sequence[str], shape: Shape, _: object) -> Shape:
    """Its reference system; raises ValueError where that is unknown, or cannot be had."""
    # What knows reference systems takes a while to load.
    from application.geometry.systems import change, read_system

    if shape.crs:
        raise ValueError("this format has WGS 84 alone (RFC 7946): leave crs out here")
    own, name = shape.geometry.crs, read_system(texts[0])
    if not own:
        raise ValueError("nothing says which reference system the data is in, so none can be made of it")
    change(own, name)
    return replace(shape, crs="" if name == own else name)
