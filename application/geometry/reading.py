"""Geometry columns as arrays of shapely's geometries: None for what is blank, unreadable or unclosed."""

from collections.abc import Callable, Iterator
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from application.geometry.depth import is_deep, is_deep_wkb

types = pa.types

Geometries = npt.NDArray[np.object_]
# Reading holds Python's lock: 16 ms for so many bytes.
PIECE_BYTES = 1 << 20
WKB_COLLECTION = 7
LINEAR_RING = 2
# What is no geometry of the seven kinds that the formats have.
MOST_TYPE = 7


def read(column: pa.Array, encoding: str) -> Geometries:
    """The geometries of a column's values, whose encoding is that of its ``Geometry``."""
    column = plain(column)
    if encoding in ("wkt", "wkb"):
        decode = _from_wkt if encoding == "wkt" else _from_wkb
        pieces = [decode(piece.to_numpy(zero_copy_only=False)) for piece in pieces_of(column)]
        found = np.concatenate(pieces) if pieces else np.empty(0, dtype=object)
    else:
        found = _from_coordinates(column, encoding)
    return _usable(found)


def read_wkt(text: str) -> Any:
    """The geometry of a text, or None."""
    return _usable(_from_wkt(np.array([text], dtype=object)))[0]


def placeless(column: pa.Array, encoding: str) -> int:
    """How many of a column's values are no geometry, or an empty one: nowhere, whatever the area."""
    found = read(column, encoding)
    return int((shapely.is_missing(found) | shapely.is_empty(found)).sum())


def pieces_of(column: pa.Array) -> Iterator[pa.Array]:
    """Slices of text or bytes of at most PIECE_BYTES each, but for one larger value."""
    for start, end in runs(byte_sizes(column), PIECE_BYTES):
        yield column.slice(start, end - start)


def runs(sizes: npt.NDArray[Any], most: int) -> Iterator[tuple[int, int]]:
    """Where runs of values begin and end that have at most so much together, or are one."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        taken = ends[start - 1] if start else 0
        end = max(int(np.searchsorted(ends, taken + most, side="right")), start + 1)
        yield start, end
        start = end


def in_pieces(
    geometries: Geometries, work: Callable[[Geometries], npt.NDArray[Any]], dtype: Any = object
) -> npt.NDArray[Any]:
    """The work's results, done on so many geometries at once as hold Python's lock for a moment only."""
    sizes = shapely.get_num_coordinates(geometries) * 32 + 32
    pieces = [work(geometries[start:end]) for start, end in runs(sizes, PIECE_BYTES)]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=dtype)


def plain(column: pa.Array) -> pa.Array:
    """Text or bytes as the large types that Arrow's kernels know, however stored; others as they are."""
    if isinstance(column.type, pa.BaseExtensionType):
        return plain(column.storage)
    kind = column.type
    if types.is_dictionary(kind):
        return plain(column.dictionary).take(column.indices)
    if types.is_string(kind) or types.is_string_view(kind):
        return column.cast(pa.large_string())
    return column.cast(pa.large_binary()) if types.is_binary(kind) or types.is_binary_view(kind) else column


def byte_sizes(column: pa.Array) -> npt.NDArray[Any]:
    """How many bytes each text or bytes of a column has, however it is stored; 0 for NULL."""
    if isinstance(column.type, pa.BaseExtensionType):
        return byte_sizes(column.storage)
    if types.is_dictionary(column.type):
        # Each value once, for all of them in place may be very many bytes.
        sizes = pa.array(byte_sizes(column.dictionary)).take(column.indices)
    else:
        sizes = pc.binary_length(plain(column))
    return np.asarray(sizes.fill_null(0).to_numpy(zero_copy_only=False))


def _from_wkt(texts: Geometries) -> Geometries:
    for place, text in enumerate(texts):
        if text and text.lstrip()[:1] in "gG" and is_deep(text):
            texts = texts.copy()
            texts[place] = None
    return _tried(shapely.from_wkt, texts)


def _from_wkb(values: Geometries) -> Geometries:
    for place, value in enumerate(values):
        if value and WKB_COLLECTION in value[1:5] and is_deep_wkb(value):
            values = values.copy()
            values[place] = None
    return _tried(shapely.from_wkb, values)


def _tried(parse: Callable[..., Geometries], values: Geometries) -> Geometries:
    """What can be parsed, one by one where the library refuses all because of one, as it does for curves."""
    # A number beyond all floats is infinite, which is looked at later.
    with np.errstate(all="ignore"):
        try:
            return np.asarray(parse(values, on_invalid="ignore"), dtype=object)
        except (NotImplementedError, ValueError, TypeError, shapely.errors.ShapelyError):
            if len(values) == 1:
                return np.array([None], dtype=object)
        return np.concatenate([_tried(parse, values[place : place + 1]) for place in range(len(values))])


def _from_coordinates(column: pa.Array, encoding: str) -> Geometries:
    """GeoArrow's lists of coordinates; a polygon whose rings are not closed is None."""
    found = np.full(len(column), None, dtype=object)
    # In Python, value by value: such columns are rare, and each way to nest them has its own offsets.
    for place, value in enumerate(column):
        if value.is_valid:
            found[place] = _made(value.as_py(), encoding)
    return found


def _made(value: Any, encoding: str) -> Any:
    try:
        if encoding.startswith("multi"):
            parts = [_made(part, encoding.removeprefix("multi")) for part in value]
            make = {
                "multipoint": shapely.multipoints,
                "multilinestring": shapely.multilinestrings,
                "multipolygon": shapely.multipolygons,
            }[encoding]
            return None if any(part is None for part in parts) else make(parts)
        if encoding == "polygon":
            rings = [[_position(item) for item in ring] for ring in value]
            if any(ring and ring[0] != ring[-1] for ring in rings):
                return None
            return shapely.Polygon(rings[0], rings[1:]) if rings else shapely.Polygon()
        if encoding == "linestring":
            return shapely.LineString([_position(item) for item in value])
        position = _position(value)
        return shapely.Point() if all(map(isnan, position)) else shapely.Point(position)
    except (TypeError, ValueError, shapely.errors.ShapelyError):
        return None


def _position(item: Any) -> tuple[float, ...]:
    """A position's numbers, of named or of counted members; M is left to the stored text."""
    numbers = [item[name] for name in ("x", "y", "z") if name in item] if isinstance(item, dict) else item[:3]
    return tuple(numbers)


def _usable(geometries: Geometries) -> Geometries:
    """The geometries without those that have a position which is none, or are of no kind of the formats'."""
    kinds = shapely.get_type_id(geometries)
    odd = (kinds > MOST_TYPE) | (kinds == LINEAR_RING)
    positions, owners = shapely.get_coordinates(geometries, include_z=True, return_index=True)
    # A height that is not there is no number either.
    wrong = ~np.isfinite(positions[:, :2]).all(axis=1) | np.isinf(positions[:, 2])
    odd[owners[wrong]] = True
    if odd.any():
        geometries = geometries.copy()
        geometries[odd] = None
    return geometries


def values_text(
    column: pa.Array, geometries: Geometries, encoding: str, *, is_flat: bool = False
) -> pa.Array:
    """The stored value, as text, where it is no geometry or has M, which the formats have no place for.

    With ``is_flat`` also where it has heights, or is empty.
    """
    column = plain(column)
    wanted = shapely.is_missing(geometries) | shapely.has_m(geometries)
    if is_flat:
        wanted |= shapely.has_z(geometries) | shapely.is_empty(geometries)
    rows = np.flatnonzero(wanted & column.is_valid().to_numpy(zero_copy_only=False))
    texts = np.full(len(column), None, dtype=object)
    for row in rows:
        value = column[int(row)].as_py()
        texts[row] = value.hex() if isinstance(value, bytes) else value if encoding == "wkt" else str(value)
    return pa.array(texts, pa.string(), from_pandas=True)


def has_measures(geometries: Geometries) -> bool:
    """True where a geometry has M."""
    return bool(shapely.has_m(geometries).any())


def flat(geometries: Geometries) -> Geometries:
    """The geometries without heights, None for those that are empty."""
    found = np.array(shapely.force_2d(geometries), dtype=object)
    found[shapely.is_empty(found)] = None
    return found
