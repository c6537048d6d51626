"""Geometry is WKT in the text formats, and stays what it is in Parquet."""

import base64
import csv
import io
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest

from application.formats.wkb import WkbType
from tests.support import said
from tests.support.serving import Served, serving_folder

POINT = struct.pack("<BIdd", 1, 1, -0.1278, 51.5)
OTHER_ENDIAN = struct.pack(">BIdd", 0, 1, -0.1278, 51.5)
POLYGON = struct.pack("<BIII8d", 1, 3, 1, 4, 0, 0, 1, 0, 1, 1e-7, 0, 0)
CURVE = struct.pack("<BIIdddd", 1, 8, 2, 1, 2, 3, 4)
BOX = pa.array([{"xmin": -0.1278, "ymin": 51.5}, None])
NATIVE = {
    "DuckDB's": "{}",
    "default": "{}",
    "authority": '{"crs":"EPSG:27700"}',
    "PROJJSON": '{"crs":{"type":"ProjectedCRS","id":{"authority":"EPSG","code":27700}}}',
    "GEOGRAPHY": '{"edges":"spherical"}',
}
FILES = {name: f"native-{place}" for place, name in enumerate(NATIVE)}


def geo(**column: Any) -> dict[str, str]:
    said_of_column = {"encoding": "WKB", "geometry_types": ["Point", "Polygon"], **column}
    return {"geo": json.dumps({"version": "1.1.0", "primary_column": "g", "columns": {"g": said_of_column}})}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("geometry")
    covering = {"bbox": {"xmin": ["bbox", "xmin"], "ymin": ["bbox", "ymin"]}}
    table = pa.table({"k": [1, 2], "g": [POINT, POLYGON], "bbox": BOX})
    pq.write_table(table.replace_schema_metadata(geo(covering=covering)), root / "geoparquet.parquet")
    pq.write_table(table, root / "bytes.parquet")
    (root / "parts").mkdir()
    for part in ("a", "b"):
        pq.write_table(table.replace_schema_metadata(geo()), root / f"parts/{part}.parquet")
    odd = pa.table({"k": [1, 2], "g": [POINT, CURVE]}).replace_schema_metadata(geo())
    pq.write_table(odd, root / "curves.parquet")
    for name, metadata in NATIVE.items():
        path = root / f"{FILES[name]}.parquet"
        if name == "DuckDB's":
            duckdb.sql(
                "COPY (SELECT k, g::GEOMETRY AS g FROM (VALUES (1, 'POINT (-0.1278 51.5)'),"
                f" (2, 'POLYGON ((0 0, 1 0, 1 1e-07, 0 0))')) AS t(k, g)) TO '{path}'"
                " (FORMAT parquet, GEOPARQUET_VERSION 'NONE')"
            )
            continue
        wkb = pa.array([OTHER_ENDIAN, POLYGON])
        column = pa.ExtensionArray.from_storage(WkbType(pa.binary(), metadata.encode()), wkb)
        pq.write_table(pa.table({"k": [1, 2], "g": column}), path, store_schema=False)
    (root / "unlike").mkdir()
    for name in ("default", "authority"):
        (root / f"unlike/{name}.parquet").write_bytes((root / f"{FILES[name]}.parquet").read_bytes())
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving_folder(folder, log_level="CRITICAL") as served:
        yield served


def geometry(text: str) -> tuple[str, list[float]]:
    """The words and the numbers of WKT."""
    word = re.compile(r"[A-Z]+")
    found = word.match(text)
    assert found is not None
    return found[0], [float(number) for number in re.findall(r"-?[0-9.]+(?:e[+-]?[0-9]+)?", text)]


EXPECTED = [("POINT", [-0.1278, 51.5]), ("POLYGON", [0, 0, 1, 0, 1, 1e-7, 0, 0])]


@pytest.mark.parametrize("file", ["geoparquet", *FILES.values()])
def test_geometry_is_wkt_in_the_text_formats(server: Served, file: str) -> None:
    rows = server.get(f"/{file}.json").json()
    assert [geometry(row["g"]) for row in rows] == EXPECTED
    assert [row["g"] for row in said.cells(server.get(f"/{file}.csv").text)] == [row["g"] for row in rows]
    lines = [json.loads(line)["g"] for line in server.get(f"/{file}.ndjson?k=2").text.splitlines()]
    assert lines == [rows[1]["g"]]


def test_geometry_is_wkt_in_folders_of_parts(server: Served) -> None:
    assert [geometry(row["g"]) for row in server.get("/parts.json").json()] == EXPECTED * 2


def test_parts_of_other_reference_systems_are_no_one_dataset(server: Served) -> None:
    answer = server.get("/unlike.csv")
    assert (answer.status_code, answer.json()["code"]) == (500, "dataset-invalid")
    assert "'g'" in answer.json()["detail"]


def test_bytes_that_nobody_says_are_geometry_stay_base64(server: Served) -> None:
    assert server.get("/bytes.json?field=g&k=1").json() == [{"g": base64.b64encode(POINT).decode()}]


@pytest.mark.parametrize("name", NATIVE)
def test_a_geometry_column_stays_one_in_parquet(server: Served, folder: Path, name: str) -> None:
    source = pq.ParquetFile(folder / f"{FILES[name]}.parquet").metadata.schema.column(1).logical_type
    kept = pq.ParquetFile(io.BytesIO(server.get(f"/{FILES[name]}.parquet?exclude_field=k").content))
    assert kept.metadata.schema.column(0).logical_type.to_json() == source.to_json()
    assert kept.read()["g"].to_pylist() == [POINT, POLYGON]


def test_geoparquet_stays_geoparquet_without_its_boxes(server: Served) -> None:
    kept = pq.read_table(io.BytesIO(server.get("/geoparquet.parquet?exclude_field=bbox").content))
    said_of_columns = json.loads(kept.schema.metadata[b"geo"])["columns"]
    assert list(said_of_columns) == ["g"]
    assert "covering" not in said_of_columns["g"]
    assert kept["g"].to_pylist() == [POINT, POLYGON]


@pytest.mark.parametrize("file", ["geoparquet", *FILES.values()])
def test_a_filter_on_geometry_is_refused_by_name(server: Served, file: str) -> None:
    answer = server.get(f"/{file}.csv?g=POINT(0 0)")
    assert answer.status_code == 422
    assert "column 'g' holds geometry" in answer.json()["detail"]


def test_geometry_without_wkt_is_refused_by_name(server: Served) -> None:
    answer = server.get("/curves.csv")
    assert (answer.status_code, answer.json()["code"]) == (422, "column-unsupported")
    assert "'g'" in answer.json()["detail"]
    assert "exclude_field=g" in answer.json()["detail"]
    assert server.get("/curves.csv?exclude_field=g").text == '"k"\n"1"\n"2"\n'
    kept = pq.read_table(io.BytesIO(server.get("/curves.parquet?field=g").content))
    assert kept["g"].to_pylist() == [POINT, CURVE]


def geoarrow(name: str, values: list[Any]) -> tuple[pa.Field, pa.Array]:
    array = pa.array(values)
    return pa.field(name, array.type, metadata={"ARROW:extension:name": f"geoarrow.{name}"}), array


@pytest.mark.parametrize("extension", ["csv", "json", "geojson", "fgb", "gpkg"])
def test_further_columns_of_geoarrow_are_text(extension: str, tmp_path: Path) -> None:
    places = [{"x": 3.0, "y": 4.0}, {"x": 5.0, "y": 4.5}]
    ring = [*places, {"x": 6.0, "y": 0.1}, places[0]]
    # A ring that is not closed is no geometry, and stays the coordinates that it is.
    columns = [
        geoarrow("point", [places[0], None]),
        geoarrow("linestring", [places, []]),
        geoarrow("polygon", [[ring], [ring[:3]]]),
    ]
    fields = [pa.field("geometry", pa.string()), *(field for field, _ in columns)]
    arrays = [pa.array(["POINT (1 2)", "POINT (2 3)"]), *(array for _, array in columns)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), tmp_path / "several.parquet")
    with serving_folder(tmp_path) as served:
        body = served.get(f"/several.{extension}?sort=geometry").content
        told = served.get(f"/datasets/several/estimate?format={extension}&sort=geometry").json()["formats"][0]
    # The estimate writes the same.
    assert told["bytes"] == len(body)
    rows = rows_of(body, extension, tmp_path)
    assert [row["point"] for row in rows] == ["POINT (3 4)", None]
    assert [row["linestring"] for row in rows] == ["LINESTRING (3 4, 5 4.5)", "LINESTRING EMPTY"]
    assert rows[0]["polygon"] == "POLYGON ((3 4, 5 4.5, 6 0.1, 3 4))"
    assert "4.5" in rows[1]["polygon"]
    assert not rows[1]["polygon"].startswith("POLYGON")


def rows_of(body: bytes, extension: str, folder: Path) -> list[dict[str, Any]]:
    if extension == "csv":
        # Of NULLs and of nothing it has empty cells.
        return [
            {name: value or None for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(body.decode()))
        ]
    if extension == "json":
        rows: list[dict[str, Any]] = json.loads(body)
        return rows
    if extension == "geojson":
        return [feature["properties"] for feature in json.loads(body)["features"]]
    file = folder / f"several.{extension}"
    file.write_bytes(body)
    found: list[dict[str, Any]] = pyogrio.raw.read_arrow(file, read_geometry=False)[1].to_pylist()
    return found
