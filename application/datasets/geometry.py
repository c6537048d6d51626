"""Which column of a dataset is its geometry: its reference system, its kinds, and where it is."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from application.datasets.profile import Profile
from application.engine.metadata import GEO
from application.formats.wkb import WkbType
from application.geometry.drawn import Bounds
from application.models import Column, Dataset

# What GeoParquet and Parquet mean where they name none.
LONGITUDE_LATITUDE = "OGC:CRS84"
BOX_SIZES = (4, 6)
# As planning data has them.
REFERENCE_COLUMN, NAME_COLUMN, POINT_COLUMN = "reference", "name", "point"
TYPE = re.compile(r"((Multi)?(Point|LineString|Polygon)|GeometryCollection)( Z)?")


@dataclass(frozen=True, slots=True)
class Geometry:
    """A geometry column; ``crs`` and ``types`` are empty and ``bbox`` None where they are not known.

    ``bbox`` is in the column's own reference system: all minima, then all maxima. ``extent`` is the same
    as least and greatest longitude and latitude, None also where it was not looked for. ``types`` are as
    GeoParquet names them.
    """

    column: str
    crs: str = ""
    bbox: tuple[float, ...] | None = None
    types: tuple[str, ...] = ()
    extent: Bounds | None = None


def geometry_of(dataset: Dataset) -> Geometry | None:
    """What is said of the dataset's geometry, or None where it has none."""
    if dataset.geometry is None:
        return None
    name = dataset.geometry.column
    said = _member(_geo(dataset).get("columns"), name)
    column = next(column for column in dataset.columns if column.name == name)
    crs = _crs(said, column) or (dataset.words.crs if dataset.words.geometry in ("", name) else "")
    if len(dataset.objects) > 1:
        # It is one part's alone.
        said = {}
    return Geometry(name, crs, _box(said.get("bbox")), _types(said.get("geometry_types")))


def key_of(dataset: Dataset) -> str:
    """The column that areas of a dataset are known by; empty where there is none."""
    names = {column.name for column in dataset.columns}
    return REFERENCE_COLUMN if REFERENCE_COLUMN in names else dataset.words.key


def region_key(dataset: Dataset) -> str:
    """The same where its areas have names that people choose by, and are no points as far as is known."""
    geometry = geometry_of(dataset)
    if geometry is None or dataset.fault or not any(column.name == NAME_COLUMN for column in dataset.columns):
        return ""
    is_flat = geometry.column == POINT_COLUMN or (geometry.types and not any(map(_is_area, geometry.types)))
    return "" if is_flat else key_of(dataset)


def _is_area(kind: str) -> bool:
    return "Polygon" in kind or kind.startswith("GeometryCollection")


def surveyed(geometry: Geometry, dataset: Dataset, profile: Profile | None) -> Geometry:
    """What is said of a geometry, with what was found in all rows, and its extent in degrees."""
    found = profile.columns.get(geometry.column) if profile and not profile.is_sample else None
    if found and found.geometry:
        geometry = replace(
            geometry,
            bbox=geometry.bbox or found.geometry.bbox,
            types=geometry.types or found.geometry.types,
        )
    if geometry.bbox is None or dataset.geometry is None:
        return geometry
    return replace(geometry, extent=_extent(geometry.bbox, dataset.geometry.crs))


def _extent(box: tuple[float, ...], crs: str) -> Bounds | None:
    # What knows reference systems takes a while to load.
    from application.geometry.sketch import bounds_in_degrees

    return bounds_in_degrees(box, crs)


def _geo(dataset: Dataset) -> Mapping[str, Any]:
    try:
        found = json.loads(dataset.metadata.get(GEO, b"{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _member(found: object, name: str) -> Mapping[str, Any]:
    member = found.get(name) if isinstance(found, dict) else None
    return member if isinstance(member, dict) else {}


def _crs(said: Mapping[str, Any], column: Column) -> str:
    if said:
        return _name(said["crs"]) if "crs" in said else LONGITUDE_LATITUDE
    if isinstance(column.field.type, WkbType):
        own = json.loads(column.field.type.__arrow_ext_serialize__())
        return _name(own["crs"]) if "crs" in own else LONGITUDE_LATITUDE
    return ""


def _name(crs: object) -> str:
    """`EPSG:27700` of PROJJSON that has an identifier, else its name; of a text the text."""
    if isinstance(crs, str):
        return crs
    if not isinstance(crs, dict):
        return ""
    known = crs.get("id")
    if isinstance(known, dict) and "authority" in known and "code" in known:
        return f"{known['authority']}:{known['code']}"
    name = crs.get("name")
    return name if isinstance(name, str) else ""


def _types(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        return ()
    return tuple(item for item in found if TYPE.fullmatch(item))


def _box(found: object) -> tuple[float, ...] | None:
    if not isinstance(found, list) or len(found) not in BOX_SIZES:
        return None
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in found):
        return None
    return tuple(found)
