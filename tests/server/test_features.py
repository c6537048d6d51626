"""Rows as features of GeoJSON, and geometry in other forms and reference systems in the text formats."""

import csv
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.downloads.shapes import makers_of
from application.formats import FORMATS
from application.models import Column, Geometry, Query, Shape
from tests.support.geometry import (
    BOW,
    ENCODINGS,
    LOST_TEXTS,
    TEXTS,
    geo,
    point,
    texts_table,
    write_every_encoding,
)
from tests.support.serving import Served, serving_folder

PLACE = Geometry("geometry", "wkt", "EPSG:4326")
# By Ordnance Survey's own converter: Caister water tower, of the test points of OSTN15.
TOWER, TOWER_GRID = (1.716073973, 52.658007833), (651409.804, 313177.450)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("features")
    pq.write_table(texts_table(), root / "texts.parquet")
    write_every_encoding(root)
    plain = pa.table({"entity": [1], "name": ["a"]})
    pq.write_table(plain, root / "plain.parquet")
    pq.write_table(plain.append_column("geometry", [[BOW]]), root / "bow.parquet")
    taken = plain.append_column("geometry", [["POINT (1 2)"]]).append_column("geometry_text", [["x"]])
    pq.write_table(taken, root / "taken.parquet")
    tower = pa.table({"entity": [7], "geometry": [f"POINT ({TOWER[0]} {TOWER[1]})"]})
    pq.write_table(tower, root / "tower.parquet")
    grid = pa.table({"entity": [7], "geometry": [point(*TOWER_GRID)]})
    crs = {"type": "ProjectedCRS", "id": {"authority": "EPSG", "code": 27700}}
    pq.write_table(grid.replace_schema_metadata(geo(crs)), root / "grid.parquet")
    pq.write_table(grid.replace_schema_metadata(geo(None)), root / "unknown.parquet")
    abroad = pa.table({"entity": [7], "geometry": ["POINT (100 10)"]})
    pq.write_table(abroad, root / "abroad.parquet")
    measured = pa.table({"entity": [7], "geometry": ["POINT M (-1 52 3)"]})
    pq.write_table(measured, root / "measured.parquet")
    with serving_folder(root) as served:
        yield served


def features(server: Served, path: str) -> list[dict[str, Any]]:
    answer = server.get(path)
    assert answer.status_code == 200, answer.text
    if ".geojsonl" in path:
        return [json.loads(line) for line in answer.text.splitlines()]
    whole = json.loads(answer.text)
    assert set(whole) == {"type", "features"}
    assert whole["type"] == "FeatureCollection"
    found: list[dict[str, Any]] = whole["features"]
    return found


@pytest.mark.parametrize("extension", ["geojson", "geojsonl"])
def test_features_have_each_row_with_its_geometry_or_the_text_that_is_none(
    server: Served, extension: str
) -> None:
    rows = texts_table().to_pylist()
    assert features(server, f"/texts.{extension}") == [
        {
            "type": "Feature",
            "id": row["entity"],
            "geometry": shape,
            "properties": {
                "entity": row["entity"],
                "name": row["name"],
                "geometry_text": lost,
                "point": row["point"],
            },
        }
        for row, (_, shape), lost in zip(rows, TEXTS, LOST_TEXTS, strict=True)
    ]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_gives_the_same_features(server: Served, name: str) -> None:
    found = features(server, f"/{name}.geojson")
    assert [item["geometry"] for item in found] == [
        *({"type": "Point", "coordinates": [k, -k]} for k in (1, 2, 3)),
        None,
    ]
    assert [item["properties"] for item in found] == [
        {"entity": k, "geometry_text": None} for k in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_is_wkt_in_text(server: Served, name: str) -> None:
    found = list(csv.DictReader(io.StringIO(server.get(f"/{name}.csv").text)))
    assert [row["geometry"] for row in found] == ["POINT (1 -1)", "POINT (2 -2)", "POINT (3 -3)", ""]


def test_features_of_no_rows_are_a_collection(server: Served) -> None:
    assert features(server, "/texts.geojson?limit=0") == []
    assert server.get("/texts.geojsonl?limit=0").text.strip() == ""


def test_chosen_fields_are_properties_and_the_geometry_stays(server: Served) -> None:
    first, *_ = features(server, "/texts.geojson?field=name")
    assert first == {
        "type": "Feature",
        "geometry": TEXTS[0][1],
        "properties": {"name": None, "geometry_text": None},
    }


def test_a_geometry_that_crosses_itself_is_kept(server: Served) -> None:
    (found,) = features(server, "/bow.geojson")
    places = found["geometry"]["coordinates"][0]
    assert sorted(places[:-1]) == [[0, 0], [0, 4], [4, 0], [4, 4]]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/plain.geojson", "geometry column"),
        ("/taken.geojson", "geometry_text"),
        ("/unknown.geojson", "reference system"),
        ("/texts.geojson?crs=EPSG:27700", "RFC 7946"),
        ("/texts.geojson?geometry=wkt", "one form"),
        ("/texts.parquet?crs=EPSG:27700", "parquet"),
        ("/plain.csv?geometry=none", "geometry"),
        ("/texts.csv?geometry=kml", "wkt, geojson or none"),
        ("/texts.csv?crs=27700", "EPSG:27700"),
        ("/texts.csv?crs=EPSG:999999", "EPSG:27700"),
        ("/texts.csv?crs=EPSG:3857&field=name", "geometry"),
        ("/unknown.csv?crs=EPSG:3857", "reference system"),
        ("/abroad.csv?crs=EPSG:27700", "OSTN15"),
        ("/measured.csv?crs=EPSG:27700", "measures"),
    ],
)
def test_what_cannot_be_had_is_refused_with_words(server: Served, path: str, words: str) -> None:
    answer = server.get(path)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"] + json.dumps(answer.json().get("errors", ""))


def test_geometry_as_geojson_is_an_object_in_json_and_its_text_in_csv(server: Served) -> None:
    rows = server.get("/texts.json?geometry=geojson").json()
    expected = [
        lost if lost is not None else shape for (_, shape), lost in zip(TEXTS, LOST_TEXTS, strict=True)
    ]
    assert [row["geometry"] for row in rows] == expected
    cells = csv.DictReader(io.StringIO(server.get("/wkb.csv?geometry=geojson").text))
    assert json.loads(next(cells)["geometry"]) == {"type": "Point", "coordinates": [1.0, -1.0]}


def test_geometry_none_is_the_query_without_the_column(server: Served) -> None:
    without = server.get("/texts.csv?geometry=none")
    assert without.headers["etag"] == server.get("/texts.csv?exclude_field=geometry").headers["etag"]
    assert without.text.splitlines()[0] == '"entity","name","point"'


def test_what_asks_for_nothing_is_the_plain_query(server: Served) -> None:
    tags = {
        server.get(f"/texts.csv{asked}").headers["etag"]
        for asked in ("", "?geometry=wkt", "?crs=EPSG:4326", "?crs=OGC:CRS84", "?crs=epsg:4326&geometry=wkt")
    }
    assert len(tags) == 1


def test_an_upgrade_of_what_moves_places_changes_the_e_tags_of_moved_ones_alone() -> None:
    def makers(shape: Shape | None, extension: str, column: Column) -> tuple[str, ...]:
        return makers_of(Query((column,), shape=shape), FORMATS[extension])

    kind = pa.struct([("x", pa.float64()), ("y", pa.float64())])
    told = pa.field("place", kind, metadata={"ARROW:extension:name": "geoarrow.point"})
    text, places = Column("t", "t", "VARCHAR", pa.field("t", pa.string())), Column("place", "place", "", told)
    assert {"pyproj", "convertbng"} <= set(makers(Shape(PLACE, "stored", "EPSG:27700"), "csv", text))
    assert makers(Shape(PLACE, "geojson"), "csv", text) == ("shapely",)
    assert makers(None, "csv", text) == ()
    # Of GeoArrow's coordinates text is made, but not in Parquet.
    assert makers(None, "csv", places) == ("shapely",)
    assert makers(None, "parquet", places) == ()


def test_the_national_grid_is_by_ostn15(server: Served) -> None:
    (row,) = server.get("/tower.json?crs=EPSG:27700").json()
    assert row["geometry"] == "POINT (651409.804 313177.45)"
    (found,) = features(server, "/grid.geojson")
    assert found["geometry"]["coordinates"] == pytest.approx(TOWER, abs=1e-8)
    assert "x-crs-accuracy" not in server.get("/tower.json?crs=EPSG:27700").headers


def test_other_systems_tell_how_exact_they_are(server: Served) -> None:
    (row,) = server.get("/tower.json?crs=EPSG:3857").json()
    x, y = (float(number) for number in row["geometry"].removeprefix("POINT (").removesuffix(")").split())
    radius, (east, north) = 6378137, map(math.radians, TOWER)
    expected = radius * east, radius * math.log(math.tan(math.pi / 4 + north / 2))
    assert (x, y) == pytest.approx(expected, abs=1e-3)
    assert float(server.get("/tower.csv?crs=EPSG:23030").headers["x-crs-accuracy"]) > 1


def test_head_of_geojson_tells_its_length(server: Served) -> None:
    body = server.get("/texts.geojson?limit=3")
    head = server.client.head("/texts.geojson?limit=3")
    assert head.headers["content-length"] == str(len(body.content))
    part = server.get("/texts.geojson?limit=3", headers={"range": "bytes=10-19"})
    assert part.content == body.content[10:20]


def test_gdal_reads_a_filtered_address(server: Served) -> None:
    import pyogrio

    meta, _, shapes, fields = pyogrio.raw.read(f"/vsicurl/{server.url}/wkt.geojson?entity__lte=2")
    assert meta["crs"] == "EPSG:4326"
    assert [bytes(shape) for shape in shapes] == [point(1, -1), point(2, -2)]
    assert fields[list(meta["fields"]).index("entity")].tolist() == [1, 2]
