"""Areas as a client says them, and which rows are in them: exactly, whatever the column's faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from application.errors import ColumnUnsupported
from application.geometry import WGS84
from application.geometry.circles import EVERYWHERE, Bounds, Circle
from application.geometry.places import Place
from application.geometry.reading import Geometries, read, read_wkt
from application.geometry.systems import OutsideSystem, change_anywhere, is_geographic
from application.models import Area, Geometry

Truths = npt.NDArray[np.bool_]

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
POSITION = re.compile(rf"({NUMBER}),({NUMBER})", re.ASCII)
POLYGONS = (3, 6, 7)
# An edge that is straight in one reference system is followed by so many pieces of the whole's extent.
STEPS = 256
MOST_METRES = 1_000_000.0


@dataclass(frozen=True, slots=True)
class AreaTest:
    """Tells which values of a geometry column are in an area; ``bounds`` are in the column's system.

    ``outline`` is the area itself, to be shown, in the reference system ``outline_crs``: longitudes that go
    on beyond the antimeridian are more than 180.
    """

    geometry: Geometry
    bounds: Bounds
    decide: Callable[[Geometries], Truths]
    outline: Any
    outline_crs: str

    def keeps(self, column: pa.Array) -> pa.Array:
        """True for each value in the area; False for what is no geometry."""
        geometries = read(column, self.geometry.encoding)
        found = np.zeros(len(geometries), dtype=bool)
        rows = np.flatnonzero(_meet(shapely.bounds(geometries), self.bounds))
        if len(rows):
            found[rows] = self.decide(_valid(geometries[rows]))
        return pa.array(found)


def area_test(area: Area, geometry: Geometry, place: Place | None = None) -> AreaTest:
    """The test of an area on a geometry column; ``place`` is that of another dataset's row.

    Raises ValueError with what is wrong.
    """
    if not geometry.crs:
        raise ValueError(f"nothing says which reference system column {geometry.column!r} is in")
    if area.relation == "near":
        return _near(area, geometry)
    found = place or place_of(area, geometry.crs)
    decide = found.contains if area.relation == "within" else found.meets
    return AreaTest(geometry, found.bounds, decide, found.geometry, geometry.crs)


def place_of(area: Area, crs: str) -> Place:
    """The place that an area's text says, in a reference system; raises ValueError."""
    if area.relation == "bbox":
        return Place(_moved(_box(area), area.crs or WGS84, crs))
    return Place(_moved(_said(area.text), WGS84, crs))


def place_of_row(value: pa.Array, geometry: Geometry, crs: str) -> Place:
    """The place of one row's geometry in a reference system; raises ValueError."""
    (found,) = _valid(read(value, geometry.encoding))
    if found is None or shapely.is_empty(found):
        raise ValueError("the geometry of that row is blank, or cannot be read")
    if not geometry.crs:
        raise ValueError("nothing says which reference system the geometry of that row is in")
    return Place(_moved(found, geometry.crs, crs))


def _said(text: str) -> Any:
    if found := POSITION.fullmatch(text):
        geometry = shapely.Point(*map(float, found.groups()))
    else:
        geometry = read_wkt(text)
    if geometry is None or shapely.is_empty(geometry):
        raise ValueError(
            f"{text[:60]!r} is no place: use WKT such as POLYGON ((-1 51, 0 51, 0 52, -1 51)), "
            "a position such as -0.1278,51.5, or DATASET:REFERENCE"
        )
    _check_degrees(geometry.bounds)
    return _valid(np.array([geometry], dtype=object))[0]


def _box(area: Area) -> Any:
    west, south, east, north = map(float, area.text.split(","))
    if south > north:
        raise ValueError("the second number is more than the fourth: use minx,miny,maxx,maxy")
    if not is_geographic(area.crs or WGS84):
        if west > east:
            raise ValueError("the first number is more than the third: use minx,miny,maxx,maxy")
        return _rectangle(west, south, east, north)
    _check_degrees((west, south, east, north))
    if west <= east:
        return _rectangle(west, south, east, north)
    # By RFC 7946 it crosses the antimeridian.
    return shapely.union(
        _rectangle(west, south, EVERYWHERE[2], north), _rectangle(EVERYWHERE[0], south, east, north)
    )


def _rectangle(west: float, south: float, east: float, north: float) -> Any:
    """A box, which is a line or a point where it has no width or height."""
    if west < east and south < north:
        return shapely.box(west, south, east, north)
    if west == east and south == north:
        return shapely.Point(west, south)
    return shapely.LineString([(west, south), (east, north)])


def _check_degrees(bounds: Bounds) -> None:
    west, south, east, north = bounds
    if min(west, east) < -180 or max(west, east) > 180 or south < -90 or north > 90:
        raise ValueError(
            "its positions are outside longitude and latitude: use WGS 84, longitude first, as -0.1278,51.5"
        )


def _moved(geometry: Any, source: str, target: str) -> Any:
    """The geometry in another reference system, its edges followed; raises ValueError."""
    by = change_anywhere(source, target)
    if by.function is None:
        return geometry
    west, south, east, north = geometry.bounds
    if step := max(east - west, north - south) / STEPS:
        geometry = shapely.segmentize(geometry, step)
    try:
        (found,) = by.apply(np.array([shapely.force_2d(geometry)], dtype=object))
    except OutsideSystem:
        raise ValueError("it reaches beyond the reference system of this dataset") from None
    return _valid(np.array([found], dtype=object))[0]


def _near(area: Area, geometry: Geometry) -> AreaTest:
    """Rows within metres of a position, by geodesics on WGS 84 to the nearest part of each geometry."""
    longitude, latitude, metres = map(float, area.text.split(","))
    _check_degrees((longitude, latitude, longitude, latitude))
    if metres > MOST_METRES:
        raise ValueError(f"{metres:g} metres are too many: use at most {MOST_METRES:,.0f}")
    circle = Circle(longitude, latitude, metres)
    clip = _moved(shapely.box(*circle.bounds), WGS84, geometry.crs)
    west, south, east, north = clip.bounds
    step = min(east - west, north - south) / STEPS
    flat = circle.plane()
    back = change_anywhere(geometry.crs, WGS84)
    origin = shapely.Point(0, 0)

    def decide(geometries: Geometries) -> Truths:
        # Only what is within the box can be near; edges are followed there, and no further.
        found = shapely.force_2d(geometries)
        extended = shapely.get_dimensions(found) > 0
        found[extended] = shapely.segmentize(shapely.intersection(found[extended], clip), step)
        try:
            found = back.apply(found)
        except OutsideSystem:
            raise ColumnUnsupported(
                f"Column {geometry.column!r} has places beyond its reference system, so none can be near."
            ) from None
        return np.asarray(shapely.dwithin(shapely.transform(found, flat), origin, metres))

    return AreaTest(geometry, clip.bounds, decide, circle.edge(), WGS84)


def _valid(geometries: Geometries) -> Geometries:
    """The geometries, those that cross themselves made valid."""
    rows = np.flatnonzero(np.isin(shapely.get_type_id(geometries), POLYGONS))
    wrong = rows[~shapely.is_valid(geometries[rows])]
    if len(wrong):
        geometries = geometries.copy()
        geometries[wrong] = _made_valid(geometries[wrong])
    return geometries


def _made_valid(geometries: Geometries) -> Geometries:
    try:
        return np.asarray(shapely.make_valid(geometries), dtype=object)
    except shapely.errors.GEOSException:
        # Of several polygons, where one has no area: the other way keeps each part of them.
        return np.asarray(shapely.make_valid(geometries, method="structure"), dtype=object)


def _meet(all_bounds: npt.NDArray[np.float64], bounds: Bounds) -> Truths:
    """Which bounds touch these; those of nothing, which are no numbers, do not."""
    west, south, east, north = all_bounds.T
    return (west <= bounds[2]) & (east >= bounds[0]) & (south <= bounds[3]) & (north >= bounds[1])
