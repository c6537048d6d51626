"""Which column of a dataset is its geometry, how it is stored, and in which reference system."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from application.geometry import WGS84
from application.models import Column, Geometry

types = pa.types

NAME = "geometry"
# What else a column of text or bytes is named that holds geometry; a description can name any.
OTHER_NAMES = ("point", "geom", "wkt", "the_geom", "wkb_geometry")
# The same for who writes longitudes first, as all do here.
SAME_AS_WGS84 = ("OGC:CRS84", "OGC:CRS84h", "EPSG:4326", "SRID:4326", "EPSG:4979")
GEOARROW = "geoarrow."
NATIVE = ("point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon")
EXTENSION_NAME, EXTENSION_METADATA = b"ARROW:extension:name", b"ARROW:extension:metadata"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def find(
    columns: Sequence[Column], metadata: Mapping[bytes, bytes], described: str = "", described_crs: str = ""
) -> Geometry | None:
    """The geometry of a dataset with these columns and key-values, or None where it has none.

    The primary column of `geo` metadata goes first, then the one that a description names, then the one
    named `geometry`, then the only one there is. Its reference system is the file's, then the description's,
    then WGS 84.
    """
    geo = _geo(metadata)
    crs = crs_name(described_crs) or WGS84
    found = {
        column.name: geometry
        for column in columns
        if (geometry := _geometry(column, geo, described, columns, crs))
    }
    for name in (geo.get("primary_column"), described, NAME):
        if isinstance(name, str) and name in found:
            return found[name]
    return next(iter(found.values())) if len(found) == 1 else None


def geoarrow_encoding(field: pa.Field) -> str:
    """How coordinates in Arrow's own types are encoded, for which text has to be made; empty for all else."""
    name, _ = _extension(field)
    encoding = name.removeprefix(GEOARROW)
    return encoding if name != encoding and encoding in NATIVE and types.is_nested(field.type) else ""


def _geometry(
    column: Column, geo: Mapping[str, Any], described: str, columns: Sequence[Column], crs: str
) -> Geometry | None:
    said = _members(_members(geo.get("columns")).get(column.name))
    if said:
        # To GeoParquet no word of one is a word for WGS 84.
        crs = WGS84
    encoding, crs = _stored(column, said, described, crs)
    if not encoding or not column.engine_type:
        return None
    if "crs" in said:
        crs = crs_name(said["crs"])
    return Geometry(column.name, encoding, crs, _covering(said, columns))


def _stored(column: Column, said: Mapping[str, Any], described: str, crs: str) -> tuple[str, str]:
    """How a column holds geometry, empty where it holds none, and in which reference system by its type."""
    kind = column.field.type
    extension, metadata = _extension(column.field)
    crs = crs_name(metadata["crs"]) if "crs" in metadata else crs
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    native = extension.removeprefix(GEOARROW) if extension.startswith(GEOARROW) else str(said.get("encoding"))
    if native in NATIVE and types.is_nested(kind):
        return native, crs
    is_named = column.name in (NAME, described, *OTHER_NAMES) or bool(said) or extension.startswith(GEOARROW)
    if column.traits.geometry or (is_named and _is_bytes(kind)):
        return "wkb", crs
    return ("wkt", crs) if is_named and _is_text(kind) else ("", crs)


def _extension(field: pa.Field) -> tuple[str, Mapping[str, Any]]:
    """Name and metadata of an Arrow extension, known to pyarrow or not."""
    if isinstance(field.type, pa.BaseExtensionType):
        said = getattr(field.type, "__arrow_ext_serialize__", bytes)()
        return field.type.extension_name, _members(_json(said))
    own = field.metadata or {}
    return own.get(EXTENSION_NAME, b"").decode("utf-8", "replace"), _members(
        _json(own.get(EXTENSION_METADATA, b""))
    )


def crs_name(said: object) -> str:
    """A reference system's canonical name, its PROJJSON where it has none; empty where it is unknown."""
    if isinstance(said, dict):
        code = _members(said.get("id"))
        if "authority" not in code or "code" not in code:
            return json.dumps(said, sort_keys=True)
        said = f"{code['authority']}:{code['code']}"
    if not isinstance(said, str) or not said:
        return ""
    if said.lstrip().startswith("{"):
        inner = _json(said.encode())
        return crs_name(inner) if isinstance(inner, dict) else ""
    name = said.upper()
    if name in SAME_AS_WGS84:
        return WGS84
    return name.replace("SRID:", "EPSG:")


def _covering(said: Mapping[str, Any], columns: Sequence[Column]) -> tuple[str, ...]:
    """The column of bounding boxes and its members for the four corners, empty where there is none."""
    box = _members(_members(said.get("covering")).get("bbox"))
    paths: list[Any] = [box.get(corner) for corner in CORNERS]
    if not all(isinstance(path, list) and len(path) == 2 and all(map(_is_name, path)) for path in paths):
        return ()
    name = paths[0][0]
    kind = next((column.field.type for column in columns if column.name == name and column.exact), None)
    members = [path[1] for path in paths]
    if kind is None or not types.is_struct(kind) or any(path[0] != name for path in paths):
        return ()
    # By name the engine finds a member only where no other differs from it by case alone.
    known = [field.name.lower() for field in kind]
    is_there = all(
        known.count(member.lower()) == 1 and kind.get_field_index(member) >= 0 for member in members
    )
    if not is_there or not all(types.is_floating(kind.field(member).type) for member in members):
        return ()
    return (name, *members)


def _geo(metadata: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    return _members(_json(metadata.get(b"geo", b"")))


def _json(text: bytes) -> object:
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        # Whoever wrote it may have written anything.
        return None


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))
