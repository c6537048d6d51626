"""The demo's datasets in each format of features, as others read them, against the source read by pyarrow."""

import datetime as dt
import io
import json
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import geoparquet_validator
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import shapely

from application.demo import make_demo
from application.demo.geography import GEOGRAPHY, ODD
from tests.support.readers import extension_file
from tests.support.serving import Served, serving_folder

PLANNING = ("conservation-area", "tree", "tree-preservation-order")
NAMES = (*PLANNING, *GEOGRAPHY)
# The first rows of large ones, which all have the same faults.
MOST_ROWS = 100
GEOMETRY_COLUMNS = {"tree": "point"}
GRID = "listed-building"
# Where another library, without the grid's corrections, puts a place of it: within 5 metres.
DEGREES = 1e-4
FROM_GRID = pyproj.Transformer.from_crs("EPSG:27700", "OGC:CRS84", always_xy=True)

Row = dict[str, Any]
Rows = dict[int, tuple[Row, Any]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("geography")
    make_demo(made)
    return made / "dataset"


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Served]:
    with serving_folder(root) as served:
        yield served


@pytest.fixture(scope="module", params=NAMES)
def source(request: pytest.FixtureRequest, root: Path) -> tuple[str, Rows]:
    """A dataset's rows by entity: its other columns, and its geometry."""
    name = request.param
    table = pq.ParquetFile(root / f"{name}.parquet").read().slice(0, MOST_ROWS)
    column = GEOMETRY_COLUMNS.get(name, "geometry")
    geometries = [geometry(value) for value in plain_values(table[column])]
    rows = table.drop_columns([column]).to_pylist()
    return name, {row["entity"]: (row, shape) for row, shape in zip(rows, geometries, strict=True)}


def plain_values(column: pa.ChunkedArray) -> list[Any]:
    is_extended = isinstance(column.type, pa.BaseExtensionType)
    return [
        value for chunk in column.chunks for value in (chunk.storage if is_extended else chunk).to_pylist()
    ]


def geometry(value: Any) -> Any:
    """What a stored value is to shapely alone: M has no place in the formats, None is what is none."""
    if value is None:
        return None
    try:
        if isinstance(value, dict):
            return shapely.Point(value["x"], value["y"])
        found = shapely.from_wkb(value) if isinstance(value, bytes) else shapely.from_wkt(value)
    except (shapely.errors.ShapelyError, NotImplementedError):
        return None
    if shapely.has_m(found):
        has_z = shapely.has_z(found)
        found = shapely.from_wkb(shapely.to_wkb(found, output_dimension=3 if has_z else 2, flavor="iso"))
    return found if np.isfinite(shapely.get_coordinates(found)).all() else None


def got(server: Served, name: str, extension: str) -> bytes:
    answer = server.get(f"/{name}.{extension}?limit={MOST_ROWS}")
    assert answer.status_code == 200, answer.text
    return answer.content


def check(name: str, rows: Rows, found: Rows, value: Callable[[Any], Any], *, crs: str, flat: bool) -> None:
    """Hold rows that were read to those of the source; ``value`` is what a format makes of each."""
    assert found.keys() == rows.keys()
    text = f"{GEOMETRY_COLUMNS.get(name, 'geometry')}_text"
    for entity, (row, shape) in rows.items():
        columns, place = found[entity]
        told = columns.pop(text)
        assert columns == {column: value(cell) for column, cell in row.items()}, entity
        if shape is None:
            assert place is None
            continue
        if flat and shape.is_empty:
            assert place is None
            assert told is not None
            continue
        if name == GRID and crs != "EPSG:27700":
            assert place.distance(shapely.Point(*FROM_GRID.transform(shape.x, shape.y))) < DEGREES
            continue
        expected = shapely.force_2d(shape) if flat else shape
        assert shapely.has_z(place) == shapely.has_z(expected)
        assert (place.is_empty and shape.is_empty) or shapely.equals_exact(place, expected, normalize=True)


def as_json(value: Any) -> Any:
    """As GeoJSON has a value."""
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def as_layer(value: Any) -> Any:
    """As GDAL's formats have a value."""
    if isinstance(value, list | dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    # A column that has an earlier day than GDAL takes is text.
    return f"{value:f}" if isinstance(value, Decimal) else as_json(value)


@pytest.mark.parametrize("extension", ["geojson", "geojsonl"])
def test_features_of_json_have_every_row(
    server: Served, source: tuple[str, Rows], extension: str, tmp_path: Path
) -> None:
    name, rows = source
    body = got(server, name, extension)
    if extension == "geojson":
        features = json.loads(body)["features"]
    else:
        features = [json.loads(line) for line in body.splitlines()]
    found = {}
    for feature in features:
        shape = feature["geometry"]
        place = None if shape is None else shapely.from_geojson(json.dumps(shape))
        found[feature["properties"]["entity"]] = (feature["properties"], place)
        assert feature["id"] == feature["properties"]["entity"]
    check(name, rows, found, as_json, crs="OGC:CRS84", flat=False)
    assert [feature["id"] for feature in features] == list(rows)
    # And GDAL reads as many, of the same places.
    file = tmp_path / f"layer.{extension}"
    file.write_bytes(body)
    with warnings.catch_warnings():
        # It has no empty point, and says so.
        warnings.simplefilter("ignore", RuntimeWarning)
        _, _, shapes, _ = pyogrio.raw.read(file, columns=[])
    for read, (_, place) in zip(shapes, found.values(), strict=True):
        there = None if read is None else shapely.from_wkb(read)
        is_nothing = place is None or place.is_empty
        assert (there is None or there.is_empty) == is_nothing
        assert is_nothing or shapely.equals_exact(there, place, normalize=True)


@pytest.mark.parametrize("extension", ["fgb", "gpkg"])
def test_layers_have_every_row(
    server: Served, source: tuple[str, Rows], extension: str, tmp_path: Path
) -> None:
    name, rows = source
    file = tmp_path / f"{name}.{extension}"
    file.write_bytes(got(server, name, extension))
    meta, shapes, table = layer(file)
    assert meta["crs"] == ("EPSG:27700" if name == GRID else "EPSG:4326")
    found = {
        row["entity"]: (
            {key: day_or(value) for key, value in row.items()},
            None if shape is None else shapely.from_wkb(shape),
        )
        for row, shape in zip(table.to_pylist(), shapes, strict=True)
    }
    check(name, rows, found, as_layer, crs=meta["crs"], flat=extension == "fgb")
    if extension == "gpkg":
        assert list(found) == list(rows)


def day_or(value: Any) -> Any:
    """A day as text, of which FlatGeobuf's reader makes midnights."""
    return value.isoformat()[:10] if isinstance(value, dt.date) else value


def layer(file: Path) -> tuple[dict[str, Any], list[bytes | None], pa.Table]:
    """What GDAL says of a layer, its geometries as WKB, and its other columns."""
    # By columns of NumPy it has no NULLs, and as Arrow, of FlatGeobuf, no geometry that is NULL.
    meta, table = pyogrio.raw.read_arrow(file, read_geometry=False)
    return meta, list(pyogrio.raw.read(file, columns=[])[2]), table


def test_geoparquet_has_every_row(server: Served, source: tuple[str, Rows], tmp_path: Path) -> None:
    name, rows = source
    body = got(server, name, "geoparquet")
    failed = geoparquet_validator.failed(geoparquet_validator.check_bytes(name, body))
    # One of the faults is a place beyond all degrees, which stays where it is said to be.
    assert failed == (["/conf/core/crs-default", "/conf/core/bbox-crs"] if name == ODD else [])
    column = GEOMETRY_COLUMNS.get(name, "geometry")
    frame = geopandas.read_parquet(io.BytesIO(body))
    assert frame.crs == ("EPSG:27700" if name == GRID else "OGC:CRS84")
    table = pq.read_table(io.BytesIO(body))
    found = {
        row["entity"]: (row, place)
        for row, place in zip(table.drop_columns([column, "bbox"]).to_pylist(), frame[column], strict=True)
    }
    crs = "EPSG:27700" if name == GRID else "OGC:CRS84"
    # The boxes are its own.
    rows = {key: ({k: v for k, v in row.items() if k != "bbox"}, shape) for key, (row, shape) in rows.items()}
    check(name, rows, found, lambda value: value, crs=crs, flat=False)
    assert list(found) == list(rows)
    # And DuckDB reads as many, of the same places.
    file = tmp_path / "layer.parquet"
    file.write_bytes(body)
    with duckdb.connect() as database:
        database.execute(f"LOAD '{extension_file('spatial')}'")
        sql = f"SELECT entity, ST_AsWKB({column}) FROM read_parquet('{file}')"
        read = dict(database.execute(sql).fetchall())
    assert read.keys() == found.keys()
    for entity, (_, place) in found.items():
        there = None if read[entity] is None else shapely.from_wkb(read[entity])
        assert (there is None) == (place is None)
        assert place is None or place.is_empty or shapely.equals_exact(there, place, normalize=True)
