"""Datasets of geometry: in each way to store it, and with each fault that publishers' has."""

import json
import math
import random
import re
from collections.abc import Callable, Sequence

import pyarrow as pa

from application.demo.planning import ORGANISATIONS, Columns, area, common, table
from application.formats.wkb import WkbType
from application.geometry.reading import read
from application.geometry.writing import as_wkb

# Reference, name, organisation, end date, and the positions of the outline: one has 300 KB of them.
DISTRICTS = (
    ("E08000017", "Doncaster", 122, "", 600),
    ("E09000028", "Southwark", 329, "2015-04-01", 30),
    ("E09000028", "Southwark", 329, "", 300),
    ("E06000060", "Buckinghamshire", 67, "", 14_000),
    ("E07000004", "Aylesbury Vale", 67, "2020-03-31", 40),
    ("E09000007", "Camden", 90, "", 300),
)
# What a row is, and its text, by the middle of Camden: so an area of it has those that can be anywhere.
ODDITIES: tuple[tuple[str, str | None], ...] = (
    ("a point", "POINT (-0.12 51.57)"),
    ("a point of many digits", "POINT (-0.12000000000000001 51.570000000000007)"),
    ("a point in small letters, with an exponent", "point(-12e-2 5.157e1)"),
    ("several points", "MULTIPOINT ((-0.12 51.57), (-0.13 51.58))"),
    ("a line", "LINESTRING (-0.12 51.57, -0.13 51.58, -0.13 51.59)"),
    ("several lines", "MULTILINESTRING ((-0.12 51.57, -0.13 51.58), (-0.14 51.58, -0.15 51.57))"),
    ("a polygon", "POLYGON ((-0.12 51.57, -0.11 51.57, -0.11 51.58, -0.12 51.57))"),
    (
        "a polygon with a hole",
        "POLYGON ((-0.14 51.56, -0.1 51.56, -0.1 51.58, -0.14 51.58, -0.14 51.56), "
        "(-0.13 51.565, -0.13 51.575, -0.11 51.575, -0.11 51.565, -0.13 51.565))",
    ),
    (
        "several polygons",
        "MULTIPOLYGON (((-0.12 51.57, -0.11 51.57, -0.11 51.58, -0.12 51.57)), "
        "((-0.14 51.57, -0.13 51.57, -0.13 51.58, -0.14 51.57)))",
    ),
    ("a collection", "GEOMETRYCOLLECTION (POINT (-0.12 51.57), LINESTRING (-0.12 51.57, -0.13 51.58))"),
    ("clockwise", "POLYGON ((-0.12 51.57, -0.11 51.58, -0.11 51.57, -0.12 51.57))"),
    ("crosses itself", "POLYGON ((-0.12 51.57, -0.1 51.59, -0.1 51.57, -0.12 51.59, -0.12 51.57))"),
    ("with heights", "POLYGON Z ((-0.12 51.57 9, -0.11 51.57 9.5, -0.11 51.58 10, -0.12 51.57 9))"),
    ("with measures", "LINESTRING M (-0.12 51.57 0, -0.13 51.58 120.5)"),
    ("with heights and measures", "POINT ZM (-0.12 51.57 9.5 7)"),
    ("an empty point", "POINT EMPTY"),
    ("an empty polygon", "POLYGON EMPTY"),
    ("no value", None),
    ("a blank", ""),
    ("some blanks", "   "),
    ("words", "see plan 7, sheet 2"),
    ("an open ring", "POLYGON ((-0.12 51.57, -0.11 51.57, -0.11 51.58))"),
    ("a bracket too few", "POLYGON ((-0.12 51.57, -0.11 51.57, -0.11 51.58, -0.12 51.57)"),
    ("no number", "POINT (nan 51.57)"),
    ("a curve", "CIRCULARSTRING (-0.12 51.57, -0.11 51.58, -0.1 51.57)"),
    ("metres for degrees", "POINT (530000 180000)"),
    ("latitude first", "POINT (51.57 -0.12)"),
)
ODD = "odd-geometry"
MONUMENTS, WOODS, PARKS = 400, 300, 300


def _local_authority_district() -> pa.Table:
    dice = random.Random("districts")
    references, names, owners, ends, positions = zip(*DISTRICTS, strict=True)
    columns = common("local-authority-district", 8_600_001, list(owners))
    outlines = [_outline(dice, owner, count) for owner, count in zip(owners, positions, strict=True)]
    columns |= {"reference": references, "name": names, "end-date": ends, "geometry": outlines}
    return table(columns)


def _odd_geometry() -> pa.Table:
    names, texts = zip(*ODDITIES, strict=True)
    columns = common(ODD, 8_700_001, [90] * len(ODDITIES))
    del columns["point"]
    return table(columns | {"name": names, "geometry": texts})


def _public_right_of_way() -> pa.Table:
    """Lines, one or several."""
    dice, columns = random.Random("ways"), common("public-right-of-way", 8_800_001, _owners(400))
    columns["geometry"] = [_line(dice, point) for point in _taken(columns)]
    return table(columns)


def _listed_building() -> pa.Table:
    """Points on the national grid, which only a description says."""
    dice, columns = random.Random("buildings"), common("listed-building", 31_000_000, _owners(400))
    corners = {
        67: (482_000, 217_000),
        90: (527_000, 182_000),
        122: (456_000, 401_000),
        329: (532_000, 176_000),
    }
    _taken(columns)
    columns["geometry"] = [
        f"POINT ({x + dice.random() * 1000:.2f} {y + dice.random() * 1000:.2f})"
        for x, y in (corners[int(owner)] for owner in columns["organisation-entity"])
    ]
    return table(columns)


def _ancient_woodland() -> pa.Table:
    """GeoParquet: polygons as WKB, each with its box."""
    dice, columns = random.Random("woods"), common("ancient-woodland", 110_000_000, _owners(WOODS))
    texts: list[str | None] = [area(dice, point) for point in _taken(columns)]
    texts[::97] = [None] * len(texts[::97])
    columns["geometry"] = _wkb(texts).to_pylist()
    corners = ("xmin", "ymin", "xmax", "ymax")
    columns["bbox"] = [
        None if text is None else dict(zip(corners, _box(text), strict=True)) for text in texts
    ]
    box = pa.struct([(corner, pa.float64()) for corner in corners])
    made = table(columns, {"geometry": pa.binary(), "bbox": box})
    covering = {"bbox": {corner: ["bbox", corner] for corner in corners}}
    said = {"encoding": "WKB", "geometry_types": ["MultiPolygon"], "covering": covering}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": said}}
    return made.replace_schema_metadata({"geo": json.dumps(geo)})


def _park_and_garden() -> pa.Table:
    """Polygons in Parquet's own type for them."""
    dice, columns = random.Random("parks"), common("park-and-garden", 11_100_000, _owners(PARKS))
    texts: list[str | None] = [area(dice, point) for point in _taken(columns)]
    texts[::89] = [None] * len(texts[::89])
    return _with(columns, "geometry", pa.ExtensionArray.from_storage(WkbType(pa.binary()), _wkb(texts)))


def _scheduled_monument() -> pa.Table:
    """Points as GeoArrow has them, and for some of them nothing."""
    columns = common("scheduled-monument", 13_900_000, _owners(MONUMENTS))
    points = [dict(zip("xy", _position(point), strict=True)) for point in _taken(columns)]
    places = [point if number % 83 else None for number, point in enumerate(points)]
    kind = pa.struct([pa.field("x", pa.float64()), pa.field("y", pa.float64())])
    return _with(columns, "geometry", pa.array(places, kind), {"ARROW:extension:name": "geoarrow.point"})


def _with(columns: Columns, name: str, values: pa.Array, metadata: dict[str, str] | None = None) -> pa.Table:
    """The columns with one more, of a type that text and numbers do not have."""
    return table(columns).append_column(pa.field(name, values.type, metadata=metadata), values)


def _owners(count: int) -> list[int]:
    each = count // len(ORGANISATIONS)
    return sorted([*ORGANISATIONS] * each, key=str)


def _taken(columns: Columns) -> Sequence[str]:
    """The points of the columns, which then have neither these nor blanks for a geometry."""
    del columns["geometry"]
    points: Sequence[str] = columns.pop("point")
    return points


def _position(point: str) -> tuple[float, float]:
    x, y = map(float, point[len("POINT (") : -1].split(" "))
    return x, y


def _line(dice: random.Random, point: str) -> str:
    """A walk, or two, that begin at a point, as WKT."""
    walks = []
    for _ in range(1 + int(dice.random() * 2)):
        x, y = _position(point)
        places = []
        for _ in range(3 + int(dice.random() * 20)):
            places.append(f"{x:.6f} {y:.6f}")
            x, y = x + dice.random() / 1000, y + (dice.random() - 0.5) / 1000
        walks.append(f"({', '.join(places)})")
    return f"LINESTRING {walks[0]}" if len(walks) == 1 else f"MULTILINESTRING ({', '.join(walks)})"


def _outline(dice: random.Random, owner: int, count: int) -> str:
    """The outline of a district round most places of its organisation; not the true one."""
    x, y = (corner + 0.05 for corner in ORGANISATIONS[owner])
    ring = []
    for step in range(count):
        turn, reach = 2 * math.pi * step / count, 0.055 + dice.random() * 0.0005
        ring.append(f"{x + reach * math.cos(turn):.8f} {y + reach * math.sin(turn):.8f}")
    return f"MULTIPOLYGON ((({','.join([*ring, ring[0]])})))"


def _box(text: str) -> tuple[float, float, float, float]:
    places = [
        _position(f"POINT ({place})")
        for place in re.findall(r"[^(,)]+ [^(,)]+", text[len("MULTIPOLYGON ") :])
    ]
    xs, ys = zip(*places, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _wkb(texts: Sequence[str | None]) -> pa.Array:
    return as_wkb(read(pa.array(texts, pa.string()), "wkt"))


GEOGRAPHY: dict[str, Callable[[], pa.Table]] = {
    "local-authority-district": _local_authority_district,
    ODD: _odd_geometry,
    "public-right-of-way": _public_right_of_way,
    "listed-building": _listed_building,
    "ancient-woodland": _ancient_woodland,
    "park-and-garden": _park_and_garden,
    "scheduled-monument": _scheduled_monument,
}
