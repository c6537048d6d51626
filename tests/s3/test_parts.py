"""Folders of parts, as others write them, over a folder and over S3: the same rows, and the same bytes."""

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.s3.conftest import KEY, SECRET, SOURCELESS
from tests.support import tables
from tests.support.proxy import proxying
from tests.support.s3_server import s3_server
from tests.support.serving import Served, serving, serving_folder

INTEGERS = pa.array([2**20], pa.int32())
DATES = pa.array([dt.date(2024, 1, 1)])
STORED = {"dataset_bucket": "bucket", "catalogue_max_age": 0}
YEARS = (2023, 2024, 2025)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts") / "bucket" / "dataset"
    entity = pa.field("entity", pa.int64(), nullable=False)
    differing = (
        pa.table([[1], ["one"], [1.5]], pa.schema([entity, ("name", pa.string()), ("size", pa.float32())])),
        pa.table({"name": pa.array(["two"], pa.large_string()), "entity": pa.array([2], pa.int32())}),
        pa.table({"entity": pa.array([3], pa.uint8()), "name": pa.nulls(1), "size": INTEGERS}),
        pa.table({"name": pa.array(["four"]).dictionary_encode(), "more": DATES, "entity": [4]}),
    )
    for place, table in enumerate(differing):
        tables.write(table, folder / f"differing/{place}.parquet")
    for year in YEARS:
        for month in (1, 12):
            rows = pa.table({"n": pa.array([year * 100 + month], pa.int64())})
            tables.write(rows, folder / f"tree/year={year}/month={month:02}/p.parquet")
    for name in ("_SUCCESS", "year=2024/.p.parquet.crc", "year=2024/_SUCCESS"):
        (folder / "tree" / name).write_bytes(b"")
    for value in ("a%2Fb", "__HIVE_DEFAULT_PARTITION__", "c%20d", "plain"):
        tables.write(pa.table({"n": [value]}), folder / f"texts/place={value}/p.parquet")
    for day in ("2024-02-28", "2024-02-29"):
        tables.write(pa.table({"n": [day]}), folder / f"days/day={day}/p.parquet")
    tables.write(pa.table({"year": pa.array([1999], pa.int16())}), folder / "own/year=2024/p.parquet")
    tables.write(pa.table({"n": [1]}), folder / "own/year=2025/p.parquet")
    return folder


@pytest.fixture(scope="module", params=["folder", "bucket"])
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Served]:
    if request.param == "folder":
        with serving_folder(folder) as served:
            yield served
        return
    with (
        s3_server(folder.parent.parent, KEY, SECRET) as endpoint,
        serving(dataset_bucket="bucket", aws_endpoint_url=endpoint, catalogue_max_age=0) as served,
    ):
        yield served


def parquet(server: Served, path: str) -> pa.Table:
    response = server.get(path)
    assert response.status_code == 200, response.text
    return pq.read_table(io.BytesIO(response.content), partitioning=None)


def test_parts_that_differ_are_one_dataset(server: Served) -> None:
    assert server.get("/differing.json").json() == [
        {"entity": 1, "name": "one", "size": 1.5, "more": None},
        {"entity": 2, "name": "two", "size": None, "more": None},
        {"entity": 3, "name": None, "size": 1048576.0, "more": None},
        {"entity": 4, "name": "four", "size": None, "more": "2024-01-01"},
    ]
    table = parquet(server, "/differing.parquet")
    assert table.schema.names == ["entity", "name", "size", "more"]
    assert table.schema.types == [pa.int64(), pa.large_string(), pa.float64(), pa.date32()]


@pytest.mark.parametrize(
    ("query", "entities"),
    [
        ("entity=3", [3]),
        ("entity=2&entity=4", [2, 4]),
        ("name=four", [4]),
        ("size=1048576", [3]),
        ("size=1.5&name=one", [1]),
        ("more=2024-01-01", [4]),
        ("more=2024-01-02", []),
        ("entity=3&field=size", [None]),
    ],
)
def test_filters_reach_every_part_in_the_type_of_the_whole(
    server: Served, query: str, entities: list[int | None]
) -> None:
    assert [row.get("entity") for row in server.get(f"/differing.json?{query}").json()] == entities


def test_columns_can_be_chosen_that_some_parts_lack(server: Served) -> None:
    assert server.get("/differing.ndjson?field=more&field=entity").text.splitlines()[2:] == [
        '{"more":null,"entity":3}',
        '{"more":"2024-01-01","entity":4}',
    ]
    assert server.get("/differing.csv?field=more").text == '"more"\n""\n""\n""\n"2024-01-01"\n'


def test_folders_are_typed_columns(server: Served, folder: Path) -> None:
    table = parquet(server, "/tree.parquet")
    assert (table.schema.names, table.schema.types) == (["n", "year", "month"], [pa.int64()] * 3)
    # Another reader of the same folders.
    files = sorted(str(path) for path in (folder / "tree").rglob("p.parquet"))
    read = ds.dataset(
        files, partitioning=ds.partitioning(flavor="hive"), partition_base_dir=str(folder / "tree")
    )
    assert table.to_pylist() == read.to_table().to_pylist()
    days = parquet(server, "/days.parquet")
    assert days["day"].to_pylist() == [dt.date(2024, 2, 28), dt.date(2024, 2, 29)]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("tree.json?year=2024", [202401, 202412]),
        ("tree.json?year=2024&month=12", [202412]),
        ("tree.json?year=2024&year=2025&month=1", [202401, 202501]),
        ("tree.json?year=1999", []),
        ("tree.json?n=202412&year=2024", [202412]),
        ("tree.json?n=202412&year=2025", []),
        ("days.json?day=2024-02-29", ["2024-02-29"]),
        ("texts.json?place=a/b", ["a%2Fb"]),
        ("texts.json?place=c+d", ["c%20d"]),
        ("texts.json?place=__HIVE_DEFAULT_PARTITION__", []),
    ],
)
def test_folders_can_be_filtered(server: Served, path: str, values: list[object]) -> None:
    assert [row["n"] for row in server.get(f"/{path}").json()] == values


def test_values_of_folders_are_decoded_and_the_default_one_is_null(server: Served) -> None:
    rows = server.get("/texts.json").json()
    assert {row["n"]: row["place"] for row in rows} == {
        "a%2Fb": "a/b",
        "__HIVE_DEFAULT_PARTITION__": None,
        "c%20d": "c d",
        "plain": "plain",
    }


def test_a_part_s_own_column_wins_over_its_folder(server: Served) -> None:
    assert server.get("/own.json").json() == [{"year": 1999, "n": None}, {"year": 2025, "n": 1}]
    assert server.get("/own.json?year=2024").json() == []
    assert server.get("/own.json?year=1999").json() == [{"year": 1999, "n": None}]


def test_a_folder_opens_only_the_parts_that_it_names(folder: Path, tmp_path: Path) -> None:
    for year in YEARS:
        source = (folder / f"tree/year={year}/month=01/p.parquet").read_bytes()
        path = tmp_path / f"tree/year={year}/p.parquet"
        path.parent.mkdir(parents=True)
        path.write_bytes(source)
    tables.spoil(tmp_path / "tree/year=2023/p.parquet", 0)
    with serving_folder(tmp_path) as server:
        assert [row["n"] for row in server.get("/tree.json?year=2024").json()] == [202401]
        assert server.get("/tree.json?year=2023").status_code != 200
        # The statistics of the part that is spoiled show that it has no such row.
        assert [row["year"] for row in server.get("/tree.json?n=202501").json()] == [2025]


def test_many_parts_keep_their_own_folders_and_columns(tmp_path: Path) -> None:
    expected = []
    for place in range(100):
        more = {"more": pa.array([place], pa.int8())} if place % 7 < 3 else {}
        path = tmp_path / f"many/tens={place // 10}/{place:02}.parquet"
        tables.write(pa.table({"n": pa.array([place], pa.int64()), **more}), path)
        expected.append({"n": place, "more": place if more else None, "tens": place // 10})
    with serving_folder(tmp_path) as server:
        assert server.get("/many.json").json() == expected
        assert server.get("/many.json?tens=3&tens=4").json() == expected[30:50]
        assert server.get("/many.json?more=71").json() == expected[71:72]


def test_a_replaced_part_is_another_version(tmp_path: Path) -> None:
    for place in range(3):
        tables.write(pa.table({"n": [place]}), tmp_path / f"parts/{place}.parquet")
    with serving_folder(tmp_path) as server:
        before = server.get("/parts.csv")
        assert server.get("/parts.json?n=1").json() == [{"n": 1}]
        tables.write(pa.table({"n": [7]}), tmp_path / "parts/1.parquet")
        after = server.get("/parts.csv")
        assert (before.text, after.text) == ('"n"\n"0"\n"1"\n"2"\n', '"n"\n"0"\n"7"\n"2"\n')
        assert before.headers["etag"] != after.headers["etag"]
        assert server.get("/parts.json?n=1").json() == []
        assert server.get("/parts.json?n=7").json() == [{"n": 7}]


@pytest.mark.parametrize("extension", SOURCELESS)
def test_a_bucket_and_a_folder_give_the_same_bytes_of_parts(folder: Path, extension: str) -> None:
    with (
        s3_server(folder.parent.parent, KEY, SECRET) as endpoint,
        serving(dataset_bucket="bucket", aws_endpoint_url=endpoint) as bucket,
        serving_folder(folder) as local,
    ):
        for name in ("differing", "tree", "texts"):
            path = f"/{name}.{extension}"
            assert bucket.get(path).content == local.get(path).content


def test_a_bucket_and_a_folder_give_the_same_tables_of_parts(folder: Path) -> None:
    with (
        s3_server(folder.parent.parent, KEY, SECRET) as endpoint,
        serving(dataset_bucket="bucket", aws_endpoint_url=endpoint) as bucket,
        serving_folder(folder) as local,
    ):
        for name in ("differing", "tree", "texts"):
            tables_of = [
                pq.read_table(io.BytesIO(server.get(f"/{name}.parquet").content))
                for server in (bucket, local)
            ]
            # Each says of which objects it was made.
            sources = [table.schema.metadata[b"source"] for table in tables_of]
            assert sources[0] != sources[1]
            assert tables_of[0].equals(tables_of[1])


def test_parts_cost_few_requests_and_unchanged_ones_none(tmp_path: Path) -> None:
    folder = tmp_path / "bucket" / "dataset"
    for place in range(40):
        tables.write(
            pa.table({"n": [place * 10], "text": ["x" * place]}), folder / f"many/{place:02}.parquet"
        )
    with (
        s3_server(tmp_path, KEY, SECRET) as endpoint,
        proxying(endpoint) as proxy,
        serving(**STORED, aws_endpoint_url=proxy.url, page_checksums="off") as server,
    ):

        def asked(path: str) -> tuple[Any, int, int]:
            """The answer, and how often parts were asked for, by HEAD and by GET."""
            proxy.requests.clear()
            answer = server.get(path).json()
            lines = [data.split(b"\r\n", 1)[0] for data in proxy.requests]
            parts = [line for line in lines if b"/many/" in line]
            return answer, *(sum(line.startswith(how) for line in parts) for how in (b"HEAD", b"GET"))

        whole, heads, gets = asked("/many.json")
        assert [row["n"] for row in whole] == [place * 10 for place in range(40)]
        # A footer of each, twice one of them for the engine to describe, and all rows, each part in one go.
        assert (heads, gets) == (2, 82)
        # Of one value the statistics prove that its row meets the filter, so nobody but us reads the part.
        assert asked("/many.json?n=70&n=380") == ([whole[7], whole[38]], 0, 2)
        # That a text has a letter only the engine finds out, which asks for a part's size first.
        assert asked("/many.json?n=70&n=380&text__contains=x") == ([whole[7], whole[38]], 2, 2)
        assert asked("/many.json?n=999") == ([], 0, 0)
        tables.write(pa.table({"n": [999], "text": ["new"]}), folder / "many/07.parquet")
        # Only the footer of the part that is new, and its rows.
        assert asked("/many.json?n=999") == ([{"n": 999, "text": "new"}], 0, 2)
