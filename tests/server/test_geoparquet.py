"""GeoParquet of any dataset with geometry, as its validator, GeoPandas and DuckDB read it."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import geoparquet_validator
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from tests.support.geometry import (
    ENCODINGS,
    LOST_TEXTS,
    TEXTS,
    geo,
    point,
    texts_table,
    write_every_encoding,
)
from tests.support.serving import Served, serving_folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("geoparquet")
    pq.write_table(texts_table(), root / "texts.parquet")
    write_every_encoding(root)
    rows = pa.table({"entity": [1, 2], "geometry": [point(3, 4), point(5, 6)], "bbox": ["x", "y"]})
    pq.write_table(rows.replace_schema_metadata(geo()), root / "taken.parquet")
    corners = [{"xmin": x, "ymin": y, "xmax": x, "ymax": y} for x, y in ((3.0, 4.0), (5.0, 6.0))]
    covering = {"bbox": {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}}
    covered = rows.set_column(2, "bbox", pa.array(corners))
    pq.write_table(covered.replace_schema_metadata(geo(covering=covering)), root / "covered.parquet")
    pq.write_table(pa.table({"entity": [1]}), root / "plain.parquet")
    with serving_folder(root) as served:
        yield served


def got(server: Served, path: str) -> bytes:
    answer = server.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    return answer.content


def said(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pq.read_metadata(io.BytesIO(body)).metadata[b"geo"])
    return found


def test_rows_values_and_geometries_come_back(server: Served) -> None:
    body = got(server, "/texts.geoparquet")
    report = geoparquet_validator.check_bytes("texts", body)
    assert geoparquet_validator.failed(report) == []
    frame = geopandas.read_parquet(io.BytesIO(body))
    assert frame.crs == "OGC:CRS84"
    for (_, shape), found in zip(TEXTS, frame.geometry, strict=True):
        if shape is None:
            assert found is None
        elif shape.get("coordinates") == []:
            assert found.is_empty
        else:
            assert shapely.normalize(found) == shapely.normalize(shapely.from_geojson(json.dumps(shape)))
    table, source = pq.read_table(io.BytesIO(body)), texts_table()
    assert table["geometry_text"].to_pylist() == LOST_TEXTS
    for name in ("entity", "name", "point"):
        assert table[name].to_pylist() == source[name].to_pylist()
    assert [box is None for box in table["bbox"].to_pylist()] == [shape is None for _, shape in TEXTS]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_becomes_plain_wkb(server: Served, name: str) -> None:
    body = got(server, f"/{name}.geoparquet")
    table = pq.read_table(io.BytesIO(body))
    assert table.schema.field("geometry").type == pa.binary()
    assert table["geometry"].to_pylist() == [point(1, -1), point(2, -2), point(3, -3), None]
    assert table["bbox"].to_pylist()[0] == {"xmin": 1, "ymin": -1, "xmax": 1, "ymax": -1}
    column = said(body)["columns"]["geometry"]
    assert (column["geometry_types"], column["bbox"]) == (["Point"], [1, -3, 3, -1])


def test_another_reference_system_is_described(server: Served) -> None:
    body = got(server, "/wkt.geoparquet?crs=EPSG:3857")
    assert geoparquet_validator.failed(geoparquet_validator.check_bytes("wkt", body)) == []
    frame = geopandas.read_parquet(io.BytesIO(body))
    assert frame.crs == "EPSG:3857"
    back = frame.to_crs("EPSG:4326").geometry
    assert [(p.x, p.y) for p in back[:3]] == [pytest.approx((k, -k)) for k in (1, 2, 3)]


def test_a_column_named_as_the_boxes_stays_and_the_sources_boxes_are_made_anew(server: Served) -> None:
    taken = pq.read_table(io.BytesIO(got(server, "/taken.geoparquet")))
    assert taken.column_names == ["entity", "geometry", "geometry_text", "bbox", "geometry_bbox"]
    assert taken["bbox"].to_pylist() == ["x", "y"]
    covered = got(server, "/covered.geoparquet?limit=1")
    table = pq.read_table(io.BytesIO(covered))
    assert table.column_names == ["entity", "geometry", "geometry_text", "bbox"]
    assert said(covered)["columns"]["geometry"]["bbox"] == [3, 4, 3, 4]


def test_no_rows_are_a_file(server: Served) -> None:
    body = got(server, "/texts.geoparquet?limit=0")
    assert len(geopandas.read_parquet(io.BytesIO(body))) == 0
    assert said(body)["columns"]["geometry"]["geometry_types"] == []


def test_duckdb_reads_a_filtered_address(server: Served) -> None:
    from importlib.util import find_spec

    spec = find_spec("duckdb_extension_httpfs")
    assert spec is not None
    assert spec.origin is not None
    extension = Path(spec.origin).parent / f"extensions/v{duckdb.__version__}/httpfs.duckdb_extension"
    with duckdb.connect() as engine:
        engine.execute(f"LOAD '{extension}'")
        engine.execute("SET enable_geoparquet_conversion = false")
        rows = engine.execute(
            f"SELECT entity, bbox.xmin FROM read_parquet('{server.url}/wkt.geoparquet?entity__lte=2')"
        ).fetchall()
    assert rows == [(1, 1.0), (2, 2.0)]


def test_the_file_says_of_which_data_and_query_it_is(server: Served) -> None:
    metadata = pq.read_metadata(io.BytesIO(got(server, "/wkt.geoparquet?entity=2"))).metadata
    assert json.loads(metadata[b"query"])["filters"][0]["values"] == ["2"]
    assert b"source" in metadata
    assert b"crs" not in metadata
    moved = pq.read_metadata(io.BytesIO(got(server, "/wkt.geoparquet?crs=EPSG:2157"))).metadata
    assert moved[b"crs"].decode().startswith("EPSG:2157 by ")
    assert moved[b"crs"].decode().endswith(", accuracy 1 m")


def test_without_a_folder_the_format_is_told_to_be_missing(tmp_path: Path) -> None:
    pq.write_table(texts_table(), tmp_path / "texts.parquet")
    with serving_folder(tmp_path, spool_dir=None) as server:
        answer = server.get("/texts.geoparquet")
        assert (answer.status_code, answer.json()["code"]) == (501, "format-unavailable")


def test_head_makes_the_whole_and_ranges_are_of_it(server: Served) -> None:
    body = got(server, "/texts.geoparquet?limit=5")
    assert server.client.head("/texts.geoparquet?limit=5").headers["content-length"] == str(len(body))
    part = server.get("/texts.geoparquet?limit=5", headers={"range": "bytes=-8"})
    assert (part.status_code, part.content) == (206, body[-8:])


def test_a_dataset_without_geometry_is_refused(server: Served) -> None:
    answer = server.get("/plain.geoparquet")
    assert (answer.status_code, answer.json()["code"]) == (422, "column-unsupported")
