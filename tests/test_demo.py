"""The sample datasets: what they hold, and that they repeat."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from application import demo
from application.demo import planning


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    demo.make_demo(made)
    return made


def read(folder: Path, name: str) -> pa.Table:
    return pq.read_table(folder / "dataset" / f"{name}.parquet")


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "dataset").iterdir()
    }


def test_every_dataset_is_written_under_its_name(folder: Path) -> None:
    assert {item.name: item.rows for item in demo.make_demo(folder)} == {
        "organisation": 400,
        "conservation-area": 3_000,
        "tree": 300_000,
        "tree-preservation-order": 5_000,
        "local-authority-district": 6,
        "odd-geometry": 27,
        "public-right-of-way": 400,
        "listed-building": 400,
        "ancient-woodland": 300,
        "park-and-garden": 300,
        "scheduled-monument": 400,
    }
    assert {path.name for path in (folder / "dataset").iterdir()} == {
        *(f"{name}.parquet" for name in (*demo.TABLES, demo.BROKEN)),
        *("datasets.json", "tree-preservation-order.json"),
    }


def test_another_process_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib; from application.demo import make_demo; make_demo(pathlib.Path(sys.argv[1]))"
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=root)
    assert digests(tmp_path) == digests(folder)


def test_what_is_there_already_is_left_alone(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "dataset").iterdir()}
    demo.make_demo(folder)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("spoil", [".version", "dataset/organisation.parquet"])
def test_what_is_missing_is_made_again(
    spoil: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "TABLES", {"organisation": demo.TABLES["organisation"]})
    demo.make_demo(tmp_path)
    (tmp_path / spoil).unlink()
    demo.make_demo(tmp_path)
    name = "organisation.parquet"
    assert (tmp_path / spoil).is_file()
    assert digests(tmp_path)[name] == digests(folder)[name]


def test_what_its_words_name_is_there(folder: Path) -> None:
    said = json.loads((folder / "dataset/datasets.json").read_text()) | demo.OWN_WORDS
    assert set(said) == {*demo.TABLES, demo.BROKEN}
    assert not set(demo.WORDS) & set(demo.OWN_WORDS)
    for name in demo.TABLES:
        columns, words = read(folder, name).column_names, said[name]
        named = [words["key"], *words.get("labels", ()), *(column["name"] for column in words["columns"])]
        assert set(named) <= set(columns)
        for place in words.get("labels", {}).values():
            dataset, *others = place.split(":")
            assert set(others) <= set(read(folder, dataset).column_names)


def test_one_dataset_is_broken(folder: Path) -> None:
    with pytest.raises(pa.ArrowInvalid):
        read(folder, demo.BROKEN)


@pytest.mark.parametrize("name", ["organisation", "conservation-area", "tree"])
def test_all_but_entity_is_text_as_in_the_real_files(name: str, folder: Path) -> None:
    schema = read(folder, name).schema
    assert {field.name for field in schema if field.type != pa.string()} == {"entity"}
    assert schema.field("entity").type == pa.int64()


def test_one_dataset_has_types(folder: Path) -> None:
    schema = read(folder, "tree-preservation-order").schema
    assert schema.field("organisation-entity").type == pa.int64()
    assert schema.field("start-date").type == pa.date32()
    assert schema.field("processed-timestamp").type == pa.timestamp("us")
    assert schema.field("confirmed").type == pa.bool_()
    assert schema.field("Hectares").type == pa.decimal128(12, 4)
    assert pa.types.is_list(schema.field("tree-species").type)


@pytest.mark.parametrize("name", ["conservation-area", "tree", "tree-preservation-order"])
def test_organisations_and_qualities_are_all_there(name: str, folder: Path) -> None:
    table = read(folder, name)
    assert {str(value) for value in table["organisation-entity"].unique().to_pylist()} == {
        str(entity) for entity in planning.ORGANISATIONS
    }
    assert set(table["quality"].unique().to_pylist()) == set(planning.QUALITIES)
    assert set(table["notes"].unique().to_pylist()) == set(planning.NOTES)


@pytest.mark.parametrize("name", sorted(demo.TABLES))
def test_rows_are_sorted_by_organisation_in_small_row_groups(name: str, folder: Path) -> None:
    values = read(folder, name)["organisation-entity"].combine_chunks()
    assert pc.all(pc.less_equal(values[:-1], values[1:])).as_py()
    footer = pq.read_metadata(folder / "dataset" / f"{name}.parquet")
    assert all(
        footer.row_group(group).num_rows <= demo.ROW_GROUP_ROWS for group in range(footer.num_row_groups)
    )


@pytest.mark.parametrize("name", ["conservation-area", "tree-preservation-order"])
def test_geometries_are_closed_rings_in_england(name: str, folder: Path) -> None:
    for text in read(folder, name)["geometry"].to_pylist():
        assert text.startswith("MULTIPOLYGON (((")
        assert text.endswith(")))")
        for ring in text.removeprefix("MULTIPOLYGON (((").removesuffix(")))").split(")),(("):
            corners = [tuple(map(float, pair.split(" "))) for pair in ring.split(",")]
            assert corners[0] == corners[-1]
            assert all(-6 < x < 2 and 49 < y < 56 for x, y in corners)


def test_the_pages_come_first() -> None:
    assert demo.urls(8123)[0][0] == "http://127.0.0.1:8123/"


def test_urls_name_datasets_and_columns_that_exist(folder: Path) -> None:
    for url, shows in demo.urls(8123):
        assert url.startswith("http://127.0.0.1:8123/")
        assert shows
        parts = urlsplit(url)
        name = parts.path.removeprefix("/").partition(".")[0]
        if name in ("", "health", "datasets"):
            continue
        columns = read(folder, name).column_names
        for key, value in parse_qsl(parts.query):
            named = {
                "field": value,
                "sort": value.removeprefix("-"),
                "period": "end-date",
                "limit": columns[0],
                **dict.fromkeys(
                    ("bbox", "near", "within", "crs"), "geometry" if "geometry" in columns else ""
                ),
            }
            assert named.get(key, key.partition("__")[0]) in columns


def test_it_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in (folder / "dataset").iterdir()) < 15_000_000


def test_a_district_has_an_outline_that_is_huge_for_a_cell(folder: Path) -> None:
    districts = read(folder, "local-authority-district").to_pylist()
    sizes = {row["name"]: len(row["geometry"]) for row in districts}
    assert 300_000 < sizes["Buckinghamshire"] < 400_000
    # One reference for two times, of which one has ended.
    assert [row["end-date"] for row in districts if row["reference"] == "E09000028"] == ["2015-04-01", ""]


def test_every_way_to_store_geometry_is_there(folder: Path) -> None:
    woods = pq.read_schema(folder / "dataset/ancient-woodland.parquet")
    assert json.loads(woods.metadata[b"geo"])["columns"]["geometry"]["encoding"] == "WKB"
    parks = pq.read_metadata(folder / "dataset/park-and-garden.parquet").schema
    assert "Geometry" in str(parks.column(parks.names.index("geometry")).logical_type)
    monuments = pq.read_schema(folder / "dataset/scheduled-monument.parquet").field("geometry")
    assert monuments.metadata[b"ARROW:extension:name"] == b"geoarrow.point"
    assert demo.WORDS["listed-building"]["geometry"]["crs"] == "EPSG:27700"
