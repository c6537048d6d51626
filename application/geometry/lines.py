"""Geometries taken apart into lines of few positions, a part at a time, so that nobody waits for the lock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from application.geometry.drawn import Kind
from application.geometry.reading import Geometries

Numbers = npt.NDArray[np.float64]

# A picture is so many cells wide; what is within one cannot be told apart.
CELLS, FINE_CELLS = 900, 4000
# Of all rows together; some ten bytes each in a picture.
MOST_POSITIONS = 3000
# Of one path, before it is known how large all are together.
MOST_FINE = 6000
# Of one row's points.
MOST_POINTS = 500
# Taking a geometry apart holds the lock for 2 ms for so many parts; of more the largest are drawn.
MOST_PARTS, MOST_SEEN = 1000, 50_000
KINDS: dict[int, Kind] = {0: "point", 4: "point", 1: "line", 5: "line", 3: "area", 6: "area"}
COLLECTION = 7


def lines_of(geometry: Any) -> Iterable[tuple[Kind, Numbers]]:
    """Each point, line and ring of a geometry, of many the largest; none where they are too many."""
    geometries = np.array([geometry], dtype=object)
    kind_id = int(shapely.get_type_id(geometry))
    if KINDS.get(kind_id) == "point":
        positions = shapely.get_coordinates(geometries)
        step = -(-len(positions) // MOST_POINTS)
        return [("point", positions[place : place + 1]) for place in range(0, len(positions), step)]
    parts = _parts(geometry)
    parts = parts[~shapely.is_empty(parts)]
    if kind_id == COLLECTION:
        inner = [list(lines_of(part)) for part in parts]
        return [line for lines in inner for line in lines] if all(inner) else []
    kind = KINDS[kind_id]
    if kind == "area":
        if shapely.get_num_interior_rings(parts).sum() > MOST_PARTS:
            parts = shapely.polygons(shapely.get_exterior_ring(parts))
        parts = shapely.get_rings(parts)
    positions, owners = shapely.get_coordinates(parts, return_index=True)
    cuts = np.flatnonzero(np.diff(owners)) + 1
    return [(kind, piece) for piece in np.split(positions, cuts) if len(piece)]


def _parts(geometry: Any) -> Geometries:
    """The parts of a geometry, of many the largest; none where there are too many to be looked at."""
    count = int(shapely.get_num_geometries(geometry))
    if count > MOST_SEEN:
        return np.empty(0, dtype=object)
    # Some at a time, for that holds Python's lock.
    cuts = range(0, count, MOST_PARTS)
    pieces = [shapely.get_geometry(geometry, np.arange(cut, min(cut + MOST_PARTS, count))) for cut in cuts]
    parts = np.concatenate(pieces) if pieces else np.empty(0, dtype=object)
    if count <= MOST_PARTS:
        return parts
    west, south, east, north = shapely.bounds(parts).T
    sizes = np.nan_to_num(np.maximum(east - west, north - south))
    return parts[np.sort(np.argpartition(-sizes, MOST_PARTS)[:MOST_PARTS])]


def fine(positions: Numbers) -> Numbers:
    """The positions in as fine a grid as leaves few of them."""
    cells = FINE_CELLS
    found = on_grid(positions, cells)
    while len(found) > MOST_FINE and cells > CELLS // 4:
        cells //= 2
        found = on_grid(positions, cells)
    return found if len(found) <= MOST_FINE else found[:: -(-len(found) // MOST_FINE)]


def on_grid(positions: Numbers, cells: int, cell: float = 0.0) -> Numbers:
    """The positions without those in the same cell as the one before; the first and the last are kept."""
    if len(positions) < 3:
        return positions
    # Column by column, which is far quicker than along the rows.
    x, y = np.ascontiguousarray(positions[:, 0]), np.ascontiguousarray(positions[:, 1])
    west, south = x.min(), y.min()
    with np.errstate(all="ignore"):
        cell = cell or float(max(x.max() - west, y.max() - south)) / cells
        if not np.isfinite(cell) or cell <= 0:
            return positions[[0, -1]]
        x, y = np.floor((x - west) / cell), np.floor((y - south) / cell)
    kept = np.ones(len(positions), dtype=bool)
    kept[1:-1] = (x[1:-1] != x[:-2]) | (y[1:-1] != y[:-2])
    return positions[kept]


def extent(positions: Numbers) -> float:
    """How wide or high a line is."""
    x, y = positions.T
    return float(max(x.max() - x.min(), y.max() - y.min()))
