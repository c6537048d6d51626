"""Rows by where they are, over a socket: with filters, orders and limits, and the areas of other datasets."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.geometry import ENCODINGS, TEXTS, geo, point, texts_table, write_every_encoding
from tests.support.serving import Served, eventually, serving_folder

SIDE = 40
DISTRICT = "POLYGON ((2.5 2.5, 2.5 6.5, 6.5 6.5, 6.5 2.5, 2.5 2.5))"
IN_DISTRICT = sorted(x * SIDE + y for x in range(3, 7) for y in range(3, 7))


def districts(shape: str = DISTRICT) -> pa.Table:
    """One reference in force alone, one twice, one blank, and one of two times, of which one ended."""
    rows = [
        ("E1", shape, ""),
        ("E2", shape, ""),
        ("E2", shape, ""),
        ("E3", "", ""),
        ("E4", "POINT (0 0)", "2020-01-01"),
        ("E4", shape, ""),
    ]
    names = ("reference", "geometry", "end-date")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("areas")
    places = [(x, y) for x in range(SIDE) for y in range(SIDE)]
    grid = pa.table(
        {
            "entity": pa.array(range(len(places)), pa.int64()),
            "row": [y for _, y in places],
            "geometry": [f"POINT ({x} {y})" for x, y in places],
        }
    )
    pq.write_table(grid, root / "grid.parquet", row_group_size=SIDE)
    corners = [(float(x), float(y), float(x), float(y)) for x, y in places]
    boxes = pa.array([dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)) for box in corners])
    covering = {"bbox": {name: ["box", name] for name in ("xmin", "ymin", "xmax", "ymax")}}
    wkb = [point(x, y) for x, y in places]
    covered = grid.set_column(2, "geometry", [wkb]).append_column("box", boxes)
    pq.write_table(
        covered.replace_schema_metadata(geo(covering=covering)), root / "covered.parquet", row_group_size=SIDE
    )
    (root / "parts").mkdir()
    for part in range(4):
        pq.write_table(grid.slice(part * SIDE * 10, SIDE * 10), root / f"parts/{part}.parquet")
    pq.write_table(texts_table(), root / "texts.parquet")
    pq.write_table(pa.table({"entity": [1]}), root / "plain.parquet")
    pq.write_table(districts(), root / "district.parquet")
    write_every_encoding(root)
    return root


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Served]:
    with serving_folder(root) as served:
        yield served


def entities(server: Served, path: str) -> list[int]:
    answer = server.get(path)
    assert answer.status_code == 200, answer.text
    return [row["entity"] for row in answer.json()]


@pytest.mark.parametrize("name", ["grid", "covered", "parts"])
@pytest.mark.parametrize(
    "area",
    [
        "bbox=2.5,2.5,6.5,6.5",
        f"within={DISTRICT}",
        f"intersects={DISTRICT}",
        "within=district:E1",
        "intersects=district:E4",
        "bbox=2.5,2.5,6.5,6.5&within=POLYGON((0 0,40 0,40 40,0 40,0 0))",
    ],
)
def test_an_area_has_the_rows_in_it_in_the_order_of_the_file(server: Served, name: str, area: str) -> None:
    assert entities(server, f"/{name}.json?{area}") == IN_DISTRICT


def test_edges_are_met_and_not_within(server: Served) -> None:
    box = "POLYGON((3 3,6 3,6 6,3 6,3 3))"
    assert entities(server, f"/grid.json?intersects={box}") == IN_DISTRICT
    inner = sorted(x * SIDE + y for x in (4, 5) for y in (4, 5))
    assert entities(server, f"/grid.json?within={box}") == inner
    assert entities(server, "/grid.json?intersects=3,3") == [3 * SIDE + 3]


@pytest.mark.parametrize("name", ["grid", "covered", "parts"])
def test_limits_and_orders_count_what_is_in_the_area(server: Served, name: str) -> None:
    asked = f"/{name}.json?within=district:E1"
    assert entities(server, f"{asked}&limit=3&offset=2") == IN_DISTRICT[2:5]
    assert entities(server, f"{asked}&limit=0") == []
    assert entities(server, f"{asked}&sort=-entity&limit=3") == IN_DISTRICT[::-1][:3]
    by_row = sorted(IN_DISTRICT, key=lambda entity: (entity % SIDE, entity))
    assert entities(server, f"{asked}&sort=row&offset=5") == by_row[5:]
    assert entities(server, f"{asked}&row=4&limit=2") == [3 * SIDE + 4, 4 * SIDE + 4]
    assert server.get(f"{asked}&field=row&limit=2").json() == [{"row": 3}, {"row": 4}]


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("extension", ["csv", "json", "geojson", "parquet", "arrow"])
def test_every_encoding_and_format_has_areas(server: Served, name: str, extension: str) -> None:
    answer = server.get(f"/{name}.{extension}?bbox=1.5,-2.5,2.5,-1.5")
    assert answer.status_code == 200, answer.text
    if extension == "parquet":
        assert pq.read_table(pa.BufferReader(answer.content))["entity"].to_pylist() == [2]
    if extension == "geojson":
        (found,) = answer.json()["features"]
        assert found["geometry"]["coordinates"] == [2, -2]
    if extension == "csv":
        assert answer.text.splitlines()[1:] == ['2,"POINT (2 -2)"']


def test_rows_without_a_geometry_are_in_no_area(server: Served) -> None:
    everywhere = entities(server, "/texts.json?bbox=-180,-90,180,90")
    readable = [
        row for row, (_, shape) in enumerate(TEXTS, 1) if shape and shape.get("coordinates", True) != []
    ]
    assert everywhere == readable


def test_rows_near_a_position(server: Served) -> None:
    # A degree on the equator is 111.3 km of longitude, and 110.6 km of latitude.
    assert entities(server, "/grid.json?near=0,0,110700") == [0, 1]
    assert entities(server, "/grid.json?near=0,0,111400") == [0, 1, SIDE]


def test_one_area_has_one_e_tag_however_it_is_spelt(server: Served) -> None:
    def tag(asked: str) -> str:
        return str(server.client.head(f"/grid.csv?{asked}").headers["etag"])

    assert len({tag(f"bbox={box}") for box in ("0,0,1,1", "0.0,0,1e0,1.00", "-0,0,1,1")}) == 1
    assert tag("bbox=0,0,1,1&bbox-crs=OGC:CRS84") == tag("bbox=0,0,1,1")
    assert tag("bbox=0,0,1,1&near=0,0,5") == tag("near=0,0,5.0&bbox=0,0,1,1")
    asked = ("", "bbox=0,0,1,1", "bbox=0,0,1,2", "within=0,0", "intersects=0,0", "near=0,0,1", "near=0,0,2")
    assert len({tag(each) for each in asked}) == len(asked)


def test_a_new_version_of_an_area_is_another_result(tmp_path: Path) -> None:
    pq.write_table(pa.table({"entity": [1], "geometry": ["POINT (3 3)"]}), tmp_path / "rows.parquet")
    pq.write_table(districts(), tmp_path / "district.parquet")
    with serving_folder(tmp_path) as server:
        before = server.get("/rows.json?within=district:E1")
        again = server.get("/rows.json?within=district:E1", headers={"if-none-match": before.headers["etag"]})
        assert (len(before.json()), again.status_code) == (1, 304)
        pq.write_table(districts("POLYGON ((0 0, 1 0, 1 1, 0 0))"), tmp_path / "district.parquet")
        after = server.get("/rows.json?within=district:E1")
        assert after.json() == []
        assert after.headers["etag"] != before.headers["etag"]


def test_an_area_that_depends_on_the_day_is_kept_until_midnight(server: Served) -> None:
    def seconds(reference: str) -> int:
        said = server.get(f"/grid.csv?within=district:{reference}").headers["cache-control"]
        return int(said.rpartition("=")[2])

    assert seconds("E1") == 3600
    assert seconds("E4") <= 86400
    assert (
        len(
            {server.client.head(f"/grid.csv?within=district:{name}").headers["etag"] for name in ("E1", "E4")}
        )
        == 2
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("/plain.csv?bbox=0,0,1,1", "no geometry"),
        ("/grid.csv?bbox=0,0,1", "minx,miny,maxx,maxy"),
        ("/grid.csv?bbox=0,0,1,x", "minx,miny,maxx,maxy"),
        ("/grid.csv?bbox=0,0,1,nan", "minx,miny,maxx,maxy"),
        ("/grid.csv?bbox=51,-1,52,95", "longitude first"),
        ("/grid.csv?bbox-crs=EPSG:999999", "EPSG:27700"),
        ("/grid.csv?bbox=0,0,1,1&bbox-crs=BNG", "EPSG:27700"),
        ("/grid.csv?near=0,0", "lon,lat,metres"),
        ("/grid.csv?near=0,0,-1", "lon,lat,metres"),
        ("/grid.csv?within=nowhere", "DATASET:REFERENCE"),
        ("/grid.csv?within=POLYGON((0 0,1 1))", "DATASET:REFERENCE"),
        ("/grid.csv?within=absent:E1", "absent"),
        ("/grid.csv?within=district:E9", "no row"),
        ("/grid.csv?within=district:E2", "more than one row"),
        ("/grid.csv?within=district:E3", "cannot be read"),
        ("/grid.csv?within=plain:E3", "no geometry"),
        ("/grid.csv?within=texts:E3", "reference"),
    ],
)
def test_what_is_no_area_is_refused_with_words(server: Served, asked: str, words: str) -> None:
    answer = server.get(asked)
    assert answer.status_code == 422, answer.text
    assert words in json.dumps(answer.json()["errors"])


def test_row_groups_whose_boxes_miss_the_area_are_not_read(root: Path, tmp_path: Path) -> None:
    data = bytearray((root / "covered.parquet").read_bytes())
    metadata = pq.read_metadata(root / "covered.parquet")
    group = metadata.row_group(20)
    for place in range(group.num_columns):
        column = group.column(place)
        start = column.dictionary_page_offset or column.data_page_offset
        data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    (tmp_path / "covered.parquet").write_bytes(data)
    with serving_folder(tmp_path, page_checksums="off") as server:
        assert server.get("/covered.json").status_code == 500
        assert entities(server, "/covered.json?bbox=2.5,2.5,6.5,6.5") == IN_DISTRICT


# By hand: what is no geometry, and what is an empty one.
NOWHERE = [
    place for place, (_, shape) in enumerate(TEXTS, 1) if shape is None or shape.get("coordinates") == []
]


@pytest.mark.parametrize("area", ["bbox=-1,50,1,52", "near=0,51,1000", "within=district:E1&limit=1&offset=3"])
@pytest.mark.parametrize(
    ("rest", "wanted"), [("", NOWHERE), ("&entity__lte=5", [row for row in NOWHERE if row <= 5])]
)
def test_an_estimate_tells_the_rows_that_no_area_has(
    server: Served, area: str, rest: str, wanted: list[int]
) -> None:
    asked = f"/datasets/texts/estimate?format=csv&{area}{rest}"
    assert eventually(lambda: "rows_without_geometry" in server.get(asked).json())
    assert server.get(asked).json()["rows_without_geometry"] == len(wanted)


@pytest.mark.parametrize("name", ENCODINGS)
def test_rows_without_geometry_are_counted_in_every_encoding(server: Served, name: str) -> None:
    found = server.get(f"/datasets/{name}/estimate?bbox=0,-9,9,0&format=csv").json()
    assert (found["rows"], found["rows_without_geometry"]) == (3, 1)
    none = server.get(f"/datasets/{name}/estimate?bbox=0,-9,9,0&format=csv&entity=1").json()
    assert none["rows_without_geometry"] == 0


def test_an_estimate_without_an_area_leaves_no_row_out(server: Served) -> None:
    assert "rows_without_geometry" not in server.get("/datasets/texts/estimate").json()


def test_the_page_says_how_many_rows_are_in_no_area(server: Served) -> None:
    words = f"{len(NOWHERE)} rows have no geometry that can be read, so they are in no area"
    one = "1 row has no geometry that can be read, so it is in no area"
    # On a busy machine a page may come before they are counted.
    assert eventually(lambda: words in server.get("/texts?bbox=-1,50,1,52").text)
    assert eventually(lambda: one in server.get("/wkb?bbox=0,0,1,1").text)
    assert "in no area" not in server.get("/texts").text
