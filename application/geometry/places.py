"""A place that many geometries are compared with: prepared once, and cut into tiles where it is large."""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from application.geometry.reading import Geometries

Truths = npt.NDArray[np.bool_]

# Of up to so many positions GEOS's own index is quick, whatever their shape.
MOST_POSITIONS = 2000
TILE_POSITIONS = 512
POLYGONS = (3, 6)
# Where a cut makes so many more positions than there were, cutting further helps nobody.
MOST_GROWTH = 1.25
# Cuts are rounded, by far less than this part of the greatest coordinate: what is as near is tested exactly.
ROUNDING = 1e-12


class Place:
    """One valid geometry, of which many threads may ask; what they ask of it waits for its turn."""

    def __init__(self, geometry: Any) -> None:
        self.geometry = geometry
        self.bounds: tuple[float, float, float, float] = tuple(geometry.bounds)
        # GEOS makes a prepared geometry's indexes at their first use, which is for one thread at a time.
        self._lock = threading.Lock()
        shapely.prepare(geometry)

    def meets(self, geometries: Geometries) -> Truths:
        """Which of them share a point with it."""
        with self._lock:
            if self._tiles is None:
                return np.asarray(shapely.intersects(self.geometry, geometries))
            return self._tiles.meets(geometries)

    def contains(self, geometries: Geometries) -> Truths:
        """Which of them are within it, by OGC: none of it outside, and some of it not on its boundary."""
        with self._lock:
            if self._tiles is None:
                return np.asarray(shapely.contains(self.geometry, geometries))
            return self._tiles.contains(geometries)

    @cached_property
    def _tiles(self) -> "_Tiles | None":
        if shapely.get_num_coordinates(self.geometry) <= MOST_POSITIONS:
            return None
        if shapely.get_type_id(self.geometry) not in POLYGONS:
            return None
        pieces = np.array(_cut(self.geometry), dtype=object)
        if len(pieces) < 2:
            return None
        return _Tiles(self.geometry, pieces) if shapely.is_valid(pieces).all() else None


class _Tiles:
    """A large area in small pieces, which tell most of what is asked of the whole."""

    def __init__(self, geometry: Any, pieces: Geometries) -> None:
        self._whole = geometry
        self._pieces = pieces
        self._edges = shapely.boundary(self._pieces)
        shapely.prepare(self._pieces)
        shapely.prepare(self._edges)
        self._tree = shapely.STRtree(self._pieces)
        self._near = ROUNDING * max(map(abs, geometry.bounds))

    def meets(self, geometries: Geometries) -> Truths:
        inside, unsure = self._located(geometries)
        exact = self._reached(geometries, unsure & ~inside)
        return self._told(inside, exact, lambda left: shapely.intersects(self._whole, left), geometries)

    def contains(self, geometries: Geometries) -> Truths:
        inside, unsure = self._located(geometries)
        is_point = shapely.get_type_id(geometries) == 0
        # A part that is surely outside is enough to say no, but no part to say yes.
        exact = unsure | (inside & ~is_point)
        return self._told(
            inside & is_point, exact, lambda left: shapely.contains(self._whole, left), geometries
        )

    def _told(
        self, known: Truths, exact: Truths, ask: Callable[[Geometries], Any], geometries: Geometries
    ) -> Truths:
        found = known.copy()
        rows = np.flatnonzero(exact & ~known)
        found[rows] = ask(geometries[rows])
        return found

    def _located(self, geometries: Geometries) -> tuple[Truths, Truths]:
        """Of which the first position is surely inside, and of which it is not known by itself."""
        count = len(geometries)
        inside, near = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        positions, owners = shapely.get_coordinates(geometries, return_index=True)
        rows, first = np.unique(owners, return_index=True)
        points = shapely.points(positions[first])
        which, pieces = self._tree.query(points, predicate=None)
        is_in = shapely.contains_properly(self._pieces[pieces], points[which])
        # By a cut edge a place may be on its wrong side.
        close = shapely.dwithin(self._edges[pieces], points[which], self._near)
        inside[rows[which[is_in & ~close]]] = True
        near[rows[which[close]]] = True
        return inside & ~near, near

    def _reached(self, geometries: Geometries, near: Truths) -> Truths:
        """Those that may meet the whole: near by their first position, or by their bounds."""
        found = near.copy()
        rows = np.flatnonzero(shapely.get_type_id(geometries) != 0)
        which, _ = self._tree.query(shapely.box(*shapely.bounds(geometries[rows]).T))
        found[rows[which]] = True
        return found


def _cut(geometry: Any) -> list[Any]:
    """The area in pieces of few positions, by halves of the bounds of each."""
    done, left = [], [geometry]
    while left:
        piece = left.pop()
        size = shapely.get_num_coordinates(piece)
        if size <= TILE_POSITIONS:
            done.append(piece)
            continue
        try:
            halves = [half for box in _halves(piece.bounds) if (half := _within(piece, box))]
        except shapely.errors.GEOSException:
            # What is too thin there cannot be cut; it is as right whole.
            done.append(piece)
            continue
        if sum(map(shapely.get_num_coordinates, halves)) > size * MOST_GROWTH:
            done.append(piece)
        else:
            left += halves
    return done


def _within(piece: Any, box: tuple[float, float, float, float]) -> Any:
    """The part of a piece in a box, None where that has no extent."""
    found = shapely.clip_by_rect(piece, *box)
    if shapely.get_type_id(found) in POLYGONS:
        return found
    areas = [part for part in shapely.get_parts(found) if shapely.get_dimensions(part) == 2]
    return shapely.multipolygons(areas) if areas else None


def _halves(bounds: tuple[float, float, float, float]) -> list[tuple[float, float, float, float]]:
    west, south, east, north = bounds
    if east - west > north - south:
        middle = (west + east) / 2
        return [(west, south, middle, north), (middle, south, east, north)]
    middle = (south + north) / 2
    return [(west, south, east, middle), (west, middle, east, north)]
