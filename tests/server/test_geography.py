"""Where a dataset is: in its description, and on its page, by readings that are not the service's."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets import background
from tests.support import html
from tests.support.geometry import geo, point, write_every_encoding
from tests.support.serving import Served, eventually, serving_folder

HTML = {"accept": "text/html"}
SQUARE = "POLYGON ((0 51, 1 51, 1 52, 0 52, 0 51))"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("geography")
    write_every_encoding(root)
    texts = [SQUARE, "POINT (3 50)", None, "", "nonsense", "POLYGON EMPTY"]
    pq.write_table(pa.table({"entity": range(6), "geometry": texts}), root / "area.parquet")
    pq.write_table(
        pa.table({"a": ["POINT (0 51)"] * 3, "geometry_text": ["x"] * 3, "geometry": texts[:3]}),
        root / "taken.parquet",
    )
    grid = ["POINT (530000 180000)", "POINT (430000 380000)"]
    pq.write_table(pa.table({"entity": [1, 2], "geometry": grid}), root / "grid.parquet")
    said = geo(bbox=[-6, 49, 2, 56], geometry_types=["Point", "no kind", "MultiPolygon Z"])
    pq.write_table(
        pa.table({"geometry": [point(1, 51)]}).replace_schema_metadata(said), root / "said.parquet"
    )
    (root / "parts").mkdir()
    for part, x in enumerate((1, 2)):
        own = geo(bbox=[x, 51, x, 51], geometry_types=["Point"])
        table = pa.table({"geometry": [point(x, 51)]}).replace_schema_metadata(own)
        pq.write_table(table, root / "parts" / f"{part}.parquet")
    pq.write_table(pa.table({"entity": [1]}), root / "nowhere.parquet")
    pq.write_table(pa.table({"reference": ["a"], "geometry": [SQUARE]}), root / "district.parquet")
    large = "POLYGON ((" + ", ".join(f"{n / 400_000} {51 + n % 2 / 2}" for n in range(400_000)) + ", 0 51))"
    assert len(large) > 8_000_000 // 2
    pq.write_table(pa.table({"geometry": [large] * 20}), root / "large.parquet")
    words = {"grid": {"geometry": {"column": "geometry", "crs": "EPSG:27700"}}}
    (root / "datasets.json").write_text(json.dumps(words))
    with pytest.MonkeyPatch.context() as patched, serving_folder(root) as found:
        # Beside other tests it would wait for long.
        patched.setattr(background, "LEAST_PRIORITY", 0)
        yield found


def geometry(served: Served, name: str) -> dict:
    return served.get(f"/datasets/{name}").json()["geometry"]


def test_kinds_and_extent_are_told_once_every_row_was_looked_at(served: Served) -> None:
    assert eventually(lambda: "types" in geometry(served, "area"))
    found = geometry(served, "area")
    assert found == {
        "column": "geometry",
        "types": ["Point", "Polygon"],
        "bbox": [0, 50, 3, 52],
        "extent": [0, 50, 3, 52],
    }


@pytest.mark.parametrize("name", ["wkt", "coded", "wkb", "bare", "native", "arrow"])
def test_they_are_told_of_every_encoding(name: str, served: Served) -> None:
    assert eventually(lambda: "types" in geometry(served, name))
    found = geometry(served, name)
    assert (found["types"], found["extent"]) == (["Point"], [1, -3, 3, -1])


def test_an_extent_in_metres_is_told_in_degrees_too(served: Served) -> None:
    assert eventually(lambda: "extent" in geometry(served, "grid"))
    found = geometry(served, "grid")
    assert found["bbox"] == [430000, 180000, 530000, 380000]
    # The corners by the Ordnance Survey's own OSTN15, to a hundredth of a degree.
    assert found["extent"] == pytest.approx([-1.57, 51.50, -0.04, 53.32], abs=0.02)


def test_what_the_file_says_is_told_at_once_and_what_is_no_kind_is_not(served: Served) -> None:
    found = geometry(served, "said")
    assert (found["types"], found["extent"]) == (["Point", "MultiPolygon Z"], [-6, 49, 2, 56])


def test_of_several_parts_no_one_speaks_for_all(served: Served) -> None:
    assert eventually(lambda: "extent" in geometry(served, "parts"))
    assert geometry(served, "parts")["extent"] == [1, 51, 2, 51]


def map_of(served: Served, path: str) -> str:
    answer = served.get(path, headers=HTML)
    assert answer.status_code == 200
    assert "style=" not in answer.text
    found = re.search(r"<figure>.*?</figure>", answer.text, re.DOTALL)
    return found.group() if found else ""


@pytest.mark.parametrize(
    "name", ["wkt", "coded", "wkb", "bare", "native", "arrow", "grid", "area", "said", "parts"]
)
def test_a_page_has_a_map_of_its_first_rows(name: str, served: Served) -> None:
    found = map_of(served, f"/{name}")
    assert 'role="img" aria-label="Map of the rows of the preview"' in found
    assert 'class="points"' in found


def test_a_page_says_what_the_geometry_is_in_words(served: Served) -> None:
    assert eventually(lambda: "types" in geometry(served, "grid"))
    assert eventually(lambda: "types" in geometry(served, "area"))
    text = html.read(served.get("/grid", headers=HTML).text).text
    assert "Points, British National Grid (EPSG:27700), from 51.5" in text
    columns = html.read(served.get("/area", headers=HTML).text).one(
        "section", **{"aria-labelledby": "columns"}
    )
    (row,) = [item for item in columns.all("tr") if item.words.startswith("geometry")]
    kind, _, values = (item.words for item in row.all("td"))
    assert (kind, values) == ("geometry", "points and polygons")


def test_a_map_shows_rows_whose_geometry_was_not_chosen(served: Served) -> None:
    answer = served.get("/area?field=entity", headers=HTML)
    assert 'class="shapes"' in answer.text
    heads = [
        item.text
        for item in html.read(answer.text).one("section", **{"aria-labelledby": "preview"}).all("th")
    ]
    assert heads == ["entity"]


def test_a_map_shows_the_area_that_was_asked_for(served: Served) -> None:
    for query in ("within=district:a", "bbox=-1,50.5,2,53", "near=0.5,51.5,2000", "intersects=0.5,51.5"):
        found = map_of(served, f"/area?{query}")
        assert "area that you chose" in found, query
        assert 'class="areas"' in found
        assert 'class="shapes"' in found


def test_cells_of_megabytes_make_a_small_picture(served: Served) -> None:
    found = map_of(served, "/large")
    assert "The 20 rows of the preview" in found
    assert len(found) < 40_000


@pytest.mark.parametrize("path", ["/area?entity=-1", "/nowhere", "/area?geometry=geojson", "/taken?a=none"])
def test_where_there_is_nothing_to_draw_the_page_is_there_all_the_same(path: str, served: Served) -> None:
    found = map_of(served, path)
    assert 'class="shapes"' not in found
    assert 'class="points"' not in found


def test_a_page_shows_geometry_as_the_download_has_it(tmp_path: Path) -> None:
    texts = ["POINT (1e-7 0.30000000000000004)", "MULTIPOINT (1 2, 3 4)", "POINT Z (1 2 3)", "POLYGON EMPTY"]
    rows = ", ".join(f"('{text}'::GEOMETRY)" for text in texts)
    duckdb.sql(
        f"COPY (SELECT g AS geometry FROM (VALUES {rows}) AS t(g)) TO '{tmp_path / 'native.parquet'}' "
        "(FORMAT parquet, GEOPARQUET_VERSION 'NONE')"
    )
    with serving_folder(tmp_path) as native:
        for query in ("", "?crs=EPSG:3857"):
            downloaded = [row["geometry"] for row in native.get(f"/native.json{query}").json()]
            text = native.get(f"/native{query}", headers=HTML).text
            preview = html.read(text).one("section", **{"aria-labelledby": "preview"})
            shown = [item.all("bdi") for item in preview.all("td")]
            assert ["".join(part.text for part in parts).replace("…", "") for parts in shown] == downloaded
            assert 'class="points"' in text


def test_a_dataset_with_a_column_of_the_formats_name_has_its_preview(served: Served) -> None:
    text = served.get("/taken", headers=HTML).text
    assert "The first 3 rows" in text


def test_the_maps_worker_may_ask_for_rows_and_for_the_style_alone(served: Served, tmp_path: Path) -> None:
    pq.write_table(pa.table({"entity": [1], "geometry": [SQUARE]}), tmp_path / "area.parquet")
    with serving_folder(tmp_path, map_style_url="https://tiles.example.org/style.json") as mapped:
        text = mapped.get("/area?crs=EPSG:27700&limit=5&bom=true", headers=HTML).text
        found = html.read(text).one(data_map="")
        worker = mapped.get(found.attributes["data-worker"])
        library = mapped.get(found.attributes["data-library"])
        features = mapped.get(found.attributes["data-features"]).json()
    own = "default-src 'none'; connect-src 'self' https://tiles.example.org"
    assert worker.headers["content-security-policy"] == own
    assert library.headers["content-security-policy"] != own
    assert "immutable" in worker.headers["cache-control"]
    assert library.headers["content-type"].startswith("text/javascript")
    assert [item["geometry"]["type"] for item in features["features"]] == ["Polygon"]
    # Without a style the worker has the policy of every file.
    other = served.get(found.attributes["data-worker"]).headers["content-security-policy"]
    assert "connect-src" not in other
