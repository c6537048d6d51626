"""FlatGeobuf and GeoPackage, as GDAL reads them: every row, every value, every geometry."""

import datetime as dt
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from application.cli import main
from tests.support.geometry import ENCODINGS, LOST_TEXTS, TEXTS, texts_table, write_every_encoding
from tests.support.serving import Served, eventually, serving_folder

LAYERS = ("fgb", "gpkg")
VALUES = {
    "whole": pa.array([2**63 - 1, -(2**63), None]),
    "large": pa.array([2**64 - 1, 0, None], pa.uint64()),
    "exact": pa.array([Decimal("1.10"), Decimal("-0.01"), None], pa.decimal128(38, 2)),
    "real": pa.array([0.1, -1e300, None]),
    "odd": pa.array([float("nan"), float("inf"), None]),
    "truth": pa.array([True, False, None]),
    "day": pa.array([dt.date(1970, 1, 1), dt.date(2024, 2, 29), None]),
    "old": pa.array([dt.date(1, 1, 1), dt.date(2024, 2, 29), None]),
    "moment": pa.array([1, 1_700_000_000_123_456, None], pa.timestamp("us")),
    "time": pa.array([1, 2, None], pa.time64("us")),
    "text": pa.array(["", 'é"\n', None]),
    "many": pa.array([[1, 2], [], None], pa.list_(pa.int64())),
    "fid": pa.array([7, 7, None]),
    "geom": pa.array(["a", "b", None]),
    "ogc_fid": pa.array([1, 1, None]),
}
NUMBERS = ("whole", "real", "odd", "truth", "fid", "ogc_fid")
AS_TEXT = {
    "large": ["18446744073709551615", "0", None],
    "exact": ["1.10", "-0.01", None],
    "old": ["0001-01-01", "2024-02-29", None],
    "moment": ["1970-01-01T00:00:00.000001", "2023-11-14T22:13:20.123456", None],
    "time": ["00:00:00.000001", "00:00:00.000002", None],
    "many": ["[1,2]", "[]", None],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("layers")
    pq.write_table(texts_table(), root / "texts.parquet")
    write_every_encoding(root)
    places = ["POINT (3 1)", "POINT (1 2)", "POINT (2 3)"]
    pq.write_table(pa.table({**VALUES, "geometry": places}), root / "values.parquet")
    pq.write_table(pa.table({"a": [1], "A": [2], "geometry": ["POINT (1 2)"]}), root / "case.parquet")
    pq.write_table(pa.table({"t": ["a\0b"], "geometry": ["POINT (1 2)"]}), root / "ended.parquet")
    pq.write_table(pa.table({"entity": [1]}), root / "plain.parquet")
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Served]:
    with serving_folder(root) as served:
        yield served


def read(server: Served, path: str, folder: Path) -> tuple[dict[str, Any], list[Any], dict[str, list[Any]]]:
    """What GDAL says of a layer, its geometries, and its columns."""
    answer = server.get(path)
    assert answer.status_code == 200, answer.text
    file = folder / path.partition("?")[0].removeprefix("/")
    file.write_bytes(answer.content)
    meta, _, shapes, columns = pyogrio.raw.read(file)
    found = {
        name: [plain(value) for value in values] for name, values in zip(meta["fields"], columns, strict=True)
    }
    return meta, [None if shape is None else shapely.from_wkb(shape) for shape in shapes], found


def plain(value: Any) -> Any:
    """A value of NumPy as Python has it; what stands for no value is None, but in floats."""
    value = value.item() if hasattr(value, "item") else value
    return value.date() if isinstance(value, dt.datetime) else value


@pytest.mark.parametrize("extension", LAYERS)
def test_rows_values_and_geometries_come_back(server: Served, tmp_path: Path, extension: str) -> None:
    meta, shapes, columns = read(server, f"/texts.{extension}", tmp_path)
    assert meta["crs"] == "EPSG:4326"
    lost = list(LOST_TEXTS)
    for row, ((text, shape), found) in enumerate(zip(TEXTS, shapes, strict=True)):
        is_empty = shape is not None and shape.get("coordinates") == []
        if extension == "fgb" and (is_empty or (shape and "Z" in (text or ""))):
            lost[row] = text
        if shape is None or (extension == "fgb" and is_empty):
            assert found is None
            continue
        expected = shapely.from_geojson(json.dumps(shape))
        expected = shapely.force_2d(expected) if extension == "fgb" else expected
        assert shapely.equals_exact(found, expected, normalize=True)
        assert shapely.has_z(found) == shapely.has_z(expected)
    source = texts_table()
    assert columns["geometry_text"] == lost
    for name in ("entity", "name", "point"):
        assert columns[name] == source[name].to_pylist()


@pytest.mark.parametrize("extension", LAYERS)
def test_what_gdal_would_lose_is_text(server: Served, tmp_path: Path, extension: str) -> None:
    _, shapes, columns = read(server, f"/values.{extension}?sort=whole", tmp_path)
    order = [1, 0, 2]
    assert [(shape.x, shape.y) for shape in shapes] == [(1, 2), (3, 1), (2, 3)]
    assert set(VALUES) <= set(columns)
    for name, array in VALUES.items():
        stored = AS_TEXT.get(name, array.to_pylist())
        expected = [stored[row] for row in order]
        found = columns[name]
        if name in NUMBERS:
            # GDAL's array of numbers has NaN for no value, so the last row is not looked at.
            found, expected = (
                [repr(float(value)) for value in found[:2]],
                [repr(float(value)) for value in expected[:2]],
            )
        assert found == expected, name


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_and_reference_system_is_a_layer(server: Served, tmp_path: Path, name: str) -> None:
    meta, shapes, _ = read(server, f"/{name}.gpkg?crs=EPSG:3857&entity__lte=3", tmp_path)
    assert meta["crs"] == "EPSG:3857"
    assert [round(shape.x / 111319.49079) for shape in shapes] == [1, 2, 3]


def test_flatgeobuf_has_an_index_where_it_can(server: Served, tmp_path: Path) -> None:
    for query, has_index in (("entity__lte=3", True), ("", False), ("entity__lte=3&sort=-entity", False)):
        _, _, columns = read(server, f"/wkt.fgb?{query}", tmp_path)
        info = pyogrio.read_info(tmp_path / "wkt.fgb")
        assert info["capabilities"]["fast_spatial_filter"] == has_index
        assert sorted(columns["entity"]) == ([1, 2, 3] if query else [1, 2, 3, 4])
        if "sort" in query:
            assert columns["entity"] == [3, 2, 1]


@pytest.mark.parametrize("extension", LAYERS)
def test_no_rows_are_a_file(server: Served, tmp_path: Path, extension: str) -> None:
    _, shapes, columns = read(server, f"/texts.{extension}?limit=0", tmp_path)
    assert shapes == []
    assert {"entity", "name", "geometry_text", "point"} <= set(columns)


@pytest.mark.parametrize("extension", LAYERS)
def test_gdal_opens_the_address_of_a_query(server: Served, extension: str) -> None:
    with warnings.catch_warnings():
        # That it does not end in .gpkg.
        warnings.simplefilter("ignore")
        meta, _, _, columns = pyogrio.raw.read(f"/vsicurl/{server.url}/wkt.{extension}?entity__lte=2")
    assert sorted(columns[list(meta["fields"]).index("entity")].tolist()) == [1, 2]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/plain.fgb", "geometry column"),
        ("/case.gpkg", "by case alone"),
        ("/ended.fgb", "NUL"),
        ("/texts.gpkg?geometry=wkt", "one form"),
    ],
)
def test_what_a_layer_cannot_hold_is_refused(server: Served, path: str, words: str) -> None:
    answer = server.get(path)
    assert (answer.status_code, words in answer.text) == (422, True), answer.text


def test_nothing_is_left_in_the_folder(root: Path, tmp_path: Path) -> None:
    with serving_folder(root, spool_dir=tmp_path) as server:
        for path in ("/texts.fgb", "/texts.gpkg", "/ended.fgb"):
            server.get(path)
        assert [path for path in tmp_path.iterdir() if path.name.startswith("layer-")] == []


PROGRAM = """
import hashlib, sys
from pathlib import Path
import tests.support.serving as serving
with serving.serving_folder(Path(sys.argv[1])) as server:
    for path in sys.argv[2:]:
        print(hashlib.sha256(server.get(path).content).hexdigest())
"""


def test_two_processes_give_the_same_bytes_without_the_time(
    root: Path, server: Served, tmp_path: Path
) -> None:
    formats = (*LAYERS, "geojson", "geojsonl", "geoparquet")
    paths = [f"/{name}.{extension}" for name in ("values", "wkt") for extension in formats]
    other = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root), *paths],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert other.stdout.split() == [hashlib.sha256(server.get(path).content).hexdigest() for path in paths]


def test_a_geopackage_is_as_old_as_its_data_and_says_what_it_is(
    root: Path, server: Served, tmp_path: Path
) -> None:
    changed = dt.datetime.fromtimestamp((root / "wkt.parquet").stat().st_mtime, dt.UTC)
    told = f"{changed:%Y-%m-%dT%H:%M:%S}.000Z"
    answer = server.get("/wkt.gpkg?entity=2")
    file = tmp_path / "wkt.gpkg"
    file.write_bytes(answer.content)
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT last_change FROM gpkg_contents").fetchall() == [(told,)]
        ((scope, uri, kind, text),) = database.execute(
            "SELECT md_scope, md_standard_uri, mime_type, metadata FROM gpkg_metadata"
        ).fetchall()
        references = database.execute(
            "SELECT reference_scope, table_name, timestamp, md_file_id FROM gpkg_metadata_reference"
        ).fetchall()
        extensions = database.execute(
            "SELECT table_name, extension_name, scope FROM gpkg_extensions"
        ).fetchall()
    assert (scope, uri, kind) == ("dataset", "http://purl.org/dc/terms/", "application/json")
    said = json.loads(text)
    assert said["modified"] == told
    assert said["source"] == server.get("/datasets/wkt/manifest?format=gpkg").json()["source"]["e_tag"].strip(
        '"'
    )
    assert json.loads(said["provenance"])["filters"]
    assert references == [("table", "wkt", told, 1)]
    assert ("gpkg_metadata", "gpkg_metadata", "read-write") in extensions
    # And GDAL reads it as before.
    assert pyogrio.read_info(file)["features"] == 1


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many")
    rows = range(20_000)
    text = [f"row {row} " * 20 for row in rows]
    places = [f"POINT ({row % 180} {row % 90})" for row in rows]
    pq.write_table(pa.table({"text": text, "geometry": places}), root / "many.parquet")
    return root


@pytest.mark.parametrize("extension", LAYERS)
def test_a_layer_that_outgrows_the_spool_is_refused_and_leaves_nothing(
    many: Path, tmp_path: Path, extension: str
) -> None:
    with serving_folder(many, spool_dir=tmp_path, spool_max_result=1 << 20) as server:
        answer = server.get(f"/many.{extension}")
        assert answer.status_code == 413
        assert "1,048,576 bytes" in answer.text
        assert eventually(lambda: not list(tmp_path.glob("layer-*")))


def test_a_layer_larger_than_what_is_kept_is_exported_whole(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"BUCKET": many.as_uri(), "PREFIX": "/"}
    for name, value in settings.items():
        monkeypatch.setenv(f"DATASET_{name}", value)
    monkeypatch.setenv("SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("SPOOL_MAX_RESULT", str(1 << 20))
    file = tmp_path / "out.fgb"
    assert main(["export", "many.fgb", "-o", str(file)]) == 0
    assert pyogrio.read_info(file)["features"] == 20_000
