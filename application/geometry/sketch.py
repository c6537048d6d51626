"""Geometries in few positions, as a small picture needs them: longitude and latitude, simplified, bounded.

No call holds Python's lock for long, whatever a value is: what is too large for that is thinned as text
first, or left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from application.geometry import WGS84
from application.geometry.drawn import Bounds, Drawn, Kind, Sketch
from application.geometry.lines import CELLS, MOST_POSITIONS, Numbers, extent, fine, lines_of, on_grid
from application.geometry.reading import plain, read
from application.geometry.systems import Change, change_anywhere
from application.geometry.thinning import thinned
from application.models import Geometry

# A box, closed.
SHORT = 5
MOST_PATHS = 1000
COARSER, MOST_TRIES = 1.7, 12
# Text is parsed slowly: 16 ms for a megabyte. Bytes, 2 ms.
MOST_TEXT, MOST_BYTES = 256 << 10, 9 << 20


@dataclass(slots=True)
class _Path:
    row: int
    part: int
    kind: Kind
    positions: Numbers


class Sketcher:
    """Takes in the values of a geometry column, and draws them together."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._by = way_to_degrees(geometry.crs)
        self._paths: list[_Path] = []
        self._rows = self._blank = self._left = 0

    def add(self, column: pa.Array) -> None:
        """Take in the next rows."""
        for place in range(len(column)):
            # One at a time, for each may be large.
            self._add(column.slice(place, 1))

    def _add(self, value: pa.Array) -> None:
        row = self._rows
        self._rows += 1
        value, is_large = _bounded(value, self._geometry.encoding)
        if is_large or self._by is None:
            self._left += 1
            return
        (found,) = read(value, self._geometry.encoding)
        if found is None or shapely.is_empty(found):
            self._blank += 1
            return
        paths = _paths(found, row, self._by)
        self._left += not paths
        self._paths += paths

    def finish(self) -> Sketch:
        """All of them, in so few positions as are told apart."""
        return _together(self._paths, self._blank, self._left)


def sketch_of(geometry: Any, crs: str) -> Sketch:
    """One geometry, drawn as large as there is room; its longitudes may go on beyond 180."""
    by = way_to_degrees(crs)
    paths = _paths(geometry, 0, by, east=540.0) if by and geometry is not None else []
    return _together(paths, 0, int(not paths))


def way_to_degrees(crs: str) -> Change | None:
    """How to get to longitude and latitude; None where nobody knows."""
    try:
        return change_anywhere(crs, WGS84) if crs else None
    except ValueError:
        return None


def _bounded(value: pa.Array, encoding: str) -> tuple[pa.Array, bool]:
    """The value with fewer positions where its text is long, and whether it is too large all the same."""
    value = plain(value)
    if encoding not in ("wkt", "wkb"):
        # Coordinates in Arrow's own types, which are read one by one.
        return value, value.nbytes > MOST_TEXT
    size = pc.binary_length(value)[0].as_py() or 0
    if encoding == "wkb" or size <= MOST_TEXT:
        return value, size > MOST_BYTES
    text = thinned(value, MOST_TEXT)
    return pa.array([text], pa.large_string()), text is None


def _paths(geometry: Any, row: int, by: Change, *, east: float = 180.0) -> list[_Path]:
    """The parts of a geometry in degrees; none where it has too many, or is not on earth."""
    found = []
    for part, (kind, positions) in enumerate(lines_of(geometry)):
        reduced = fine(positions)
        x, y = by.points(reduced[:, 0], reduced[:, 1])
        moved = np.column_stack([x, y])
        if not _is_on_earth(moved, east):
            return []
        found.append(_Path(row, part if kind != "area" else 0, kind, moved))
    return found


def _is_on_earth(positions: Numbers, east: float = 180.0) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(((positions >= (-180.0, -90.0)) & (positions <= (east, 90.0))).all())


def _together(paths: Sequence[_Path], blank: int, left: int) -> Sketch:
    if not paths:
        return Sketch(blank=blank, left=left)
    _join_at_antimeridian(paths)
    least = np.min([path.positions.min(axis=0) for path in paths], axis=0)
    most = np.max([path.positions.max(axis=0) for path in paths], axis=0)
    cell = float((most - least).max()) / CELLS
    found = _reduced(paths, cell)
    parts: dict[tuple[int, int, Kind], list[tuple[tuple[float, float], ...]]] = {}
    for path in found:
        positions = tuple((float(x), float(y)) for x, y in path.positions)
        parts.setdefault((path.row, path.part, path.kind), []).append(positions)
    drawn = tuple(Drawn(row, kind, tuple(lines)) for (row, _, kind), lines in parts.items())
    west, south, east, north = (float(number) for number in (*least, *most))
    return Sketch(drawn, (west, south, east, north), blank, left)


def _join_at_antimeridian(paths: Sequence[_Path]) -> None:
    """Have longitudes go on beyond 180 where all is less wide so."""
    middles = np.array([path.positions[:, 0].mean() for path in paths])
    west = np.array([path.positions[:, 0].min() for path in paths])
    east = np.array([path.positions[:, 0].max() for path in paths])
    turned = middles < 0
    if turned.all():
        # Less wide by rounding alone.
        return
    further = np.where(turned, 360.0, 0.0)
    if (east + further).max() - (west + further).min() < east.max() - west.min():
        for path, is_turned in zip(paths, turned, strict=True):
            if is_turned:
                path.positions = path.positions + np.array([360.0, 0.0])


def _reduced(paths: Sequence[_Path], cell: float) -> list[_Path]:
    """The paths in few positions: coarser until there are few, without the smallest where there are many."""
    found = _largest(paths, lambda _: 1, MOST_PATHS)
    for _ in range(MOST_TRIES if cell > 0 else 0):
        found = [_Path(path.row, path.part, path.kind, _simple(path.positions, cell)) for path in found]
        if sum(len(path.positions) for path in found) <= MOST_POSITIONS:
            return found
        cell *= COARSER
    return _largest(found, lambda path: len(path.positions), MOST_POSITIONS)


def _largest(paths: Sequence[_Path], size: Callable[[_Path], int], most: int) -> list[_Path]:
    """The paths that have at most so much together: the largest of each row, and of the rest the largest."""
    if sum(map(size, paths)) <= most:
        return list(paths)
    order = sorted(range(len(paths)), key=lambda place: -extent(paths[place].positions))
    first = {paths[place].row: place for place in reversed(order)}
    order = [*first.values(), *(place for place in order if first[paths[place].row] != place)]
    ends = np.cumsum([size(paths[place]) for place in order])
    return [paths[place] for place in sorted(order[: int(np.searchsorted(ends, most, side="right"))])]


def _simple(positions: Numbers, cell: float) -> Numbers:
    if extent(positions) < cell:
        return positions[:1]
    reduced = on_grid(positions, CELLS, cell)
    if len(reduced) <= SHORT:
        return reduced
    line = shapely.simplify(shapely.LineString(reduced), cell / 2, preserve_topology=False)
    return np.asarray(shapely.get_coordinates(line))


def bounds_in_degrees(bounds: Sequence[float], crs: str) -> Bounds | None:
    """Least and greatest longitude and latitude of a box in a reference system; None where it is nowhere."""
    by = way_to_degrees(crs)
    half = len(bounds) // 2
    corners = np.array([bounds[0], bounds[1], bounds[half], bounds[half + 1]], dtype=float)
    if by is None or not np.isfinite(corners).all():
        return None
    if by.function is None:
        west, south, east, north = corners.tolist()
    else:
        steps = np.linspace(0.0, 1.0, 17)
        x = corners[0] + steps * (corners[2] - corners[0])
        y = corners[1] + steps * (corners[3] - corners[1])
        # Its edges are no straight lines there.
        moved = np.column_stack(by.points(*(grid.ravel() for grid in np.meshgrid(x, y))))
        moved = moved[np.isfinite(moved).all(axis=1)]
        if not len(moved):
            return None
        (west, south), (east, north) = moved.min(axis=0).tolist(), moved.max(axis=0).tolist()
    if not _is_on_earth(np.array([[west, south], [east, north]])) or south > north:
        return None
    return west, south, east, north
