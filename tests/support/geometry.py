"""Geometry of every kind and fault, with what it is by hand, and datasets that hold it in each encoding."""

import json
import struct
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
DEEP = "GEOMETRYCOLLECTION(" * 50_000 + "POINT (1 2)" + ")" * 50_000
# What is stored, and the geometry of GeoJSON that it is: None for what is none.
TEXTS: list[tuple[str | None, dict[str, Any] | None]] = [
    ("POINT (-0.1278 51.5)", {"type": "Point", "coordinates": [-0.1278, 51.5]}),
    ("point(1e-7 0.30000000000000004)", {"type": "Point", "coordinates": [1e-7, 0.30000000000000004]}),
    (None, None),
    ("", None),
    ("  ", None),
    ("not geometry", None),
    ("POLYGON ((0 0, 4 0, 4 4))", None),
    ("POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0)", None),
    ("POINT (1 2) and more", None),
    ("POINT (nan 2)", None),
    ("POINT (1 1e999)", None),
    ("CIRCULARSTRING (0 0, 1 1, 2 0)", None),
    (DEEP, None),
    # The wrong way round, as most of planning data's.
    ("POLYGON ((0 0, 0 4, 4 4, 4 0, 0 0))", {"type": "Polygon", "coordinates": [SQUARE]}),
    (
        "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1)))",
        {"type": "MultiPolygon", "coordinates": [[SQUARE, [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]]]]},
    ),
    ("POINT Z (1 2 3)", {"type": "Point", "coordinates": [1, 2, 3]}),
    ("POINT M (1 2 3)", {"type": "Point", "coordinates": [1, 2]}),
    ("POINT ZM (1 2 3 4)", {"type": "Point", "coordinates": [1, 2, 3]}),
    ("LINESTRING (0 0, 1 1)", {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}),
    ("POLYGON EMPTY", {"type": "Polygon", "coordinates": []}),
    (
        "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
        {
            "type": "GeometryCollection",
            "geometries": [
                {"type": "Point", "coordinates": [1, 2]},
                {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
            ],
        },
    ),
]
# Crosses itself: kept as it is.
BOW = "POLYGON ((0 0, 4 4, 4 0, 0 4, 0 0))"
# The text is told where the geometry is none, or has lost its M.
LOST_TEXTS = [
    text if text is not None and (shape is None or "M (" in text) else None for text, shape in TEXTS
]


def point(x: float, y: float) -> bytes:
    """A point as WKB, written by hand."""
    return struct.pack("<BIdd", 1, 1, x, y)


def geo(crs: Any = "default", **column: Any) -> dict[str, str]:
    """The metadata of GeoParquet with one column, `geometry`."""
    said = {"encoding": "WKB", "geometry_types": [], **column}
    if crs != "default":
        said["crs"] = crs
    columns = {"geometry": said}
    return {"geo": json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": columns})}


def texts_table() -> pa.Table:
    """Each of TEXTS as planning data has it."""
    rows = len(TEXTS)
    return pa.table(
        {
            "entity": pa.array(range(1, rows + 1), pa.int64()),
            "name": [f'row "{place}"\n' if place % 5 else None for place in range(rows)],
            "geometry": [text for text, _ in TEXTS],
            "point": ["POINT (9 9)"] * rows,
        }
    )


def write_every_encoding(folder: Path) -> None:
    """The points (k, -k) of k from 1 to 3 and a NULL, in a dataset for each encoding."""
    keys = [1, 2, 3, 4]
    wkb = [point(k, -k) for k in keys[:3]] + [None]
    texts = [f"POINT ({k} {-k})" for k in keys[:3]] + [None]
    pq.write_table(pa.table({"entity": keys, "geometry": texts}), folder / "wkt.parquet")
    pq.write_table(
        pa.table({"entity": keys, "geometry": pa.array(texts).dictionary_encode()}), folder / "coded.parquet"
    )
    pq.write_table(
        pa.table({"entity": keys, "geometry": wkb}).replace_schema_metadata(geo()), folder / "wkb.parquet"
    )
    pq.write_table(pa.table({"entity": keys, "geometry": wkb}), folder / "bare.parquet")
    rows = ", ".join(
        f"({k}, {'NULL' if text is None else repr(text)})" for k, text in zip(keys, texts, strict=True)
    )
    duckdb.sql(
        f"COPY (SELECT k AS entity, g::GEOMETRY AS geometry FROM (VALUES {rows}) AS t(k, g))"
        f" TO '{folder / 'native.parquet'}' (FORMAT parquet, GEOPARQUET_VERSION 'NONE')"
    )
    coordinates = pa.array([{"x": float(k), "y": float(-k)} for k in keys[:3]] + [None])
    field = pa.field("geometry", coordinates.type, metadata={"ARROW:extension:name": "geoarrow.point"})
    schema = pa.schema([pa.field("entity", pa.int64()), field])
    pq.write_table(
        pa.Table.from_arrays([pa.array(keys), coordinates], schema=schema), folder / "arrow.parquet"
    )


ENCODINGS = ("wkt", "coded", "wkb", "bare", "native", "arrow")
