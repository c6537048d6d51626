"""Geometries as text and bytes, with every digit."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from application.geometry.reading import Geometries, in_pieces

# Fewer significant digits would round; GEOS leaves out those that say nothing.
DIGITS = 20
NAMES = (
    "Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip


def as_wkt(geometries: Geometries) -> pa.Array:
    """Each geometry as WKT, NULL for None."""
    return pa.array(in_pieces(geometries, _wkt), pa.large_string(), from_pandas=True)


def as_wkb(geometries: Geometries) -> pa.Array:
    """Each geometry as the WKB of ISO, without M; NULL for None."""
    return pa.array(in_pieces(without_m(geometries), _wkb), pa.binary(), from_pandas=True)


def as_geojson(geometries: Geometries) -> pa.Array:
    """Each geometry as a GeoJSON object of one line, rings by the right-hand rule; NULL for None."""
    return pa.array(in_pieces(_plain(geometries), _geojson), pa.large_string(), from_pandas=True)


def kinds(geometries: Geometries) -> set[str]:
    """The kinds that there are, as GeoParquet names them."""
    pairs = set(
        zip(shapely.get_type_id(geometries).tolist(), shapely.has_z(geometries).tolist(), strict=True)
    )
    return {NAMES[kind] + (" Z" if is_high else "") for kind, is_high in pairs if kind >= 0}


def without_m(geometries: Geometries) -> Geometries:
    """The geometries with x, y and z alone."""
    has_m = shapely.has_m(geometries)
    if not has_m.any():
        return geometries
    found = geometries.copy()
    has_z = shapely.has_z(geometries)
    for chosen, dimensions in ((has_m & has_z, 3), (has_m & ~has_z, 2)):
        if chosen.any():
            found[chosen] = shapely.from_wkb(
                shapely.to_wkb(geometries[chosen], output_dimension=dimensions, flavor="iso")
            )
    return found


def _plain(geometries: Geometries) -> Geometries:
    """What JSON can say: heights are numbers, or none at all."""
    found = without_m(geometries)
    positions, owners = shapely.get_coordinates(found, include_z=True, return_index=True)
    without = np.isnan(positions[:, 2])
    without &= shapely.has_z(found)[owners]
    if without.any():
        found = found.copy()
        rows = np.unique(owners[without])
        found[rows] = shapely.force_2d(found[rows])
    return found


def _wkt(geometries: Geometries) -> npt.NDArray[np.object_]:
    return np.asarray(shapely.to_wkt(geometries, rounding_precision=DIGITS), dtype=object)


def _wkb(geometries: Geometries) -> npt.NDArray[np.object_]:
    return np.asarray(shapely.to_wkb(geometries, flavor="iso", byte_order=1), dtype=object)


def _geojson(geometries: Geometries) -> npt.NDArray[np.object_]:
    texts = np.asarray(shapely.to_geojson(shapely.orient_polygons(geometries)), dtype=object)
    empty = shapely.is_empty(geometries)
    for place in np.flatnonzero(empty):
        name = NAMES[shapely.get_type_id(geometries[place])]
        members = "geometries" if name == "GeometryCollection" else "coordinates"
        texts[place] = f'{{"type":"{name}","{members}":[]}}'
    return texts


class Extent:
    """What all geometries together are: their kinds, and the bounds of all, empty for none."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.bounds: list[float] = []

    def add(self, geometries: Geometries) -> None:
        """Take more of them."""
        self.kinds |= kinds(geometries)
        found = shapely.total_bounds(geometries)
        if np.isnan(found).any():
            return
        pairs = zip(self.bounds or found.tolist(), found.tolist(), strict=True)
        self.bounds = [(min if place < 2 else max)(pair) for place, pair in enumerate(pairs)]


def boxes(geometries: Geometries, kind: pa.DataType) -> pa.Array:
    """The bounds of each as a struct of the least x and y and the greatest.

    NULL for no geometry, and of NULLs for an empty one, which has no bounds.
    """
    absent = shapely.is_missing(geometries)
    columns = [pa.array(numbers, pa.float64(), from_pandas=True) for numbers in shapely.bounds(geometries).T]
    return pa.StructArray.from_arrays(columns, fields=list(kind), mask=pa.array(absent))


def extended(geometries: Geometries) -> npt.NDArray[np.bool_]:
    """Which of them are geometries that are not empty."""
    return np.asarray(~(shapely.is_missing(geometries) | shapely.is_empty(geometries)))
