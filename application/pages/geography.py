"""Places as people read them: degrees, extents, kinds of geometry, reference systems."""

import json
import math
from collections.abc import Iterable

from application.geometry.drawn import Bounds
from application.pages.words import listed

# A degree of latitude.
DEGREE_KM = 111.2
KINDS = {
    "Point": "points",
    "LineString": "lines",
    "Polygon": "polygons",
    "MultiPoint": "multipoints",
    "MultiLineString": "multilines",
    "MultiPolygon": "multipolygons",
    "GeometryCollection": "collections",
}
SYSTEMS = {
    "OGC:CRS84": "WGS 84",
    "EPSG:4326": "WGS 84",
    "EPSG:27700": "British National Grid (EPSG:27700)",
    "EPSG:3857": "Web Mercator (EPSG:3857)",
}


def kinds_words(types: Iterable[str]) -> str:
    """`Polygons and multipolygons`; of kinds that nobody knows `Geometry`."""
    names = dict.fromkeys(KINDS.get(item.partition(" ")[0], item) for item in types)
    return listed(names, "and").capitalize() if names else "Geometry"


def system_words(crs: str) -> str:
    """What a reference system is called; empty where it is unknown."""
    if crs.startswith("{"):
        try:
            name = json.loads(crs).get("name")
        except ValueError:
            return ""
        return name if isinstance(name, str) else ""
    return SYSTEMS.get(crs, crs)


def extent_words(bounds: Bounds) -> str:
    """From where to where, or where."""
    west, south, east, north = bounds
    digits = _digits(max(east - west, north - south))
    if round(west, digits) == round(east, digits) and round(south, digits) == round(north, digits):
        return f"at {position_words(west, south)}"
    return (
        f"from {_latitude(south, digits)} to {_latitude(north, digits)} "
        f"and from {_longitude(west, digits)} to {_longitude(east, digits)}"
    )


def position_words(longitude: float, latitude: float) -> str:
    """A position to some metres."""
    return f"{_latitude(latitude, 4)}, {_longitude(longitude, 4)}"


def round_length(kilometres: float) -> tuple[float, str]:
    """A length of 1, 2 or 5 with zeros, at most so many kilometres, and its words."""
    power = 10.0 ** math.floor(math.log10(kilometres))
    length = power * max(step for step in (1, 2, 5) if step * power <= kilometres)
    if length >= 1:
        return length, f"{length:,.0f} km"
    return length, f"{length * 1000:g} m"


def _digits(span: float) -> int:
    """How many decimals tell the ends of so many degrees apart, and a place to some metres."""
    return 4 if span <= 0 else min(5, max(1, 2 - math.floor(math.log10(span))))


def _latitude(degrees: float, digits: int) -> str:
    return f"{abs(degrees):.{digits}f}°\u00a0{'S' if degrees < 0 else 'N'}"


def _longitude(degrees: float, digits: int) -> str:
    # Beyond the antimeridian it goes on.
    degrees = degrees - 360 if degrees > 180 else degrees
    return f"{abs(degrees):.{digits}f}°\u00a0{'W' if degrees < 0 else 'E'}"
