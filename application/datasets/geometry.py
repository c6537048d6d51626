"""Which column of a dataset is its geometry, and in which reference system."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from application.engine.metadata import GEO
from application.formats.wkb import WkbType
from application.models import Column, Dataset

# What GeoParquet and Parquet mean where they name none.
LONGITUDE_LATITUDE = "OGC:CRS84"
BOX_SIZES = (4, 6)


@dataclass(frozen=True, slots=True)
class Geometry:
    """A geometry column; ``crs`` is empty and ``bbox`` None where they are not known.

    ``bbox`` is in the column's own reference system: all minima, then all maxima.
    """

    column: str
    crs: str = ""
    bbox: tuple[float, ...] | None = None


def geometry_of(dataset: Dataset) -> Geometry | None:
    """What is said of the dataset's geometry, or None where it has none."""
    if dataset.geometry is None:
        return None
    name = dataset.geometry.column
    said = _member(_geo(dataset).get("columns"), name)
    column = next(column for column in dataset.columns if column.name == name)
    crs = _crs(said, column) or (dataset.words.crs if dataset.words.geometry in ("", name) else "")
    return Geometry(name, crs, _box(said.get("bbox")))


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


def _box(found: object) -> tuple[float, ...] | None:
    if not isinstance(found, list) or len(found) not in BOX_SIZES:
        return None
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in found):
        return None
    return tuple(found)
