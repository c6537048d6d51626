"""Rows in an order, where that is hard: exact columns, folders of parts, more rows than memory holds."""

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import oracle, tables
from tests.support.serving import Served, serving_folder

ROWS = 5000
DICE = random.Random(11)
# Nanoseconds with a zone, which the engine cuts to microseconds: they are read a second time.
FINE = pa.array([DICE.randrange(10**18) if row % 7 else None for row in range(ROWS)], pa.int64())
TABLE = pa.table(
    {
        "row": pa.array(range(ROWS), pa.int64()),
        "key": [DICE.randrange(40) if row % 11 else None for row in range(ROWS)],
        "fine": FINE.cast(pa.timestamp("ns", "UTC")),
        "zoneless": FINE.cast(pa.timestamp("ns")),
    }
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("sorting")
    pq.write_table(TABLE, folder / "fine.parquet", row_group_size=700)
    # As parts: of two kinds, for the last has a column more.
    (folder / "parts").mkdir()
    pq.write_table(TABLE.slice(0, 2000).drop(["fine"]), folder / "parts" / "a.parquet")
    pq.write_table(TABLE.slice(2000, 1500).drop(["fine"]), folder / "parts" / "b.parquet")
    more = TABLE.slice(3500).drop(["fine"]).append_column("more", pa.array(["x"] * (ROWS - 3500)))
    pq.write_table(more, folder / "parts" / "c.parquet")
    with serving_folder(folder) as server:
        yield server


def expected(limit: int | None, offset: int = 0, *, descending: bool = False) -> list[int]:
    plain = TABLE.select(["row", "key"]).to_pylist()
    rows = [row["row"] for row in oracle.ordered(plain, [("key", descending)])][offset:]
    return rows if limit is None else rows[:limit]


@pytest.mark.parametrize(
    ("limit", "offset"), [(None, 0), (10, 0), (0, 0), (1000, 3000), (None, 4990), (5, 6000)]
)
@pytest.mark.parametrize("descending", [False, True])
def test_values_that_are_read_twice_stay_with_their_rows(
    limit: int | None, offset: int, descending: bool, served: Served
) -> None:
    query = f"sort={'-' if descending else ''}key&offset={offset}" + (
        "" if limit is None else f"&limit={limit}"
    )
    response = served.get(f"/fine.parquet?{query}")
    assert response.status_code == 200, response.text
    found = pq.read_table(io.BytesIO(response.content))
    rows = expected(limit, offset, descending=descending)
    assert found.column("row").to_pylist() == rows
    assert found.equals(TABLE.take(pa.array(rows, pa.int64())))


def test_a_slice_without_an_order_keeps_what_is_read_twice(served: Served) -> None:
    found = pq.read_table(io.BytesIO(served.get("/fine.parquet?limit=900&offset=650").content))
    assert found.equals(TABLE.slice(650, 900))


def test_a_column_of_values_finer_than_the_engines_is_no_order(served: Served) -> None:
    response = served.get("/fine.csv?sort=fine")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "sort")


@pytest.mark.parametrize(("limit", "offset"), [(None, 0), (10, 0), (1500, 1800), (3, 4999)])
def test_parts_of_several_kinds_are_put_in_one_order(limit: int | None, offset: int, served: Served) -> None:
    query = f"field=row&offset={offset}" + ("" if limit is None else f"&limit={limit}")
    ordered = served.get(f"/parts.json?sort=-key&{query}").json()
    assert [row["row"] for row in ordered] == expected(limit, offset, descending=True)
    unordered = [row["row"] for row in served.get(f"/parts.json?{query}").json()]
    assert unordered == list(range(ROWS))[offset:][:limit]


def test_a_limit_stops_reading_when_it_has_its_rows(tmp_path: Path) -> None:
    tables.write(tables.large(4), tmp_path / "rows.parquet")
    # Whoever read on would fail.
    tables.spoil(tmp_path / "rows.parquet", 2)
    with serving_folder(tmp_path) as server:
        found = server.get("/rows.json?limit=20000")
        assert [row["entity"] for row in found.json()] == list(range(20000))
        assert len(server.get("/rows.json?limit=10&offset=19995").json()) == 10


def test_a_sort_with_a_limit_reads_the_other_columns_of_its_rows_alone(tmp_path: Path) -> None:
    tables.write(tables.large(4), tmp_path / "rows.parquet")
    # Whoever read the text of all rows would fail.
    tables.spoil(tmp_path / "rows.parquet", 0, 0)
    with serving_folder(tmp_path) as server:
        found = server.get("/rows.json?sort=-entity&limit=100&offset=5")
        assert found.status_code == 200, found.text
    table = tables.large(4)
    assert [row["text"] for row in found.json()] == table["text"].to_pylist()[-6:-106:-1]


def test_what_is_larger_than_memory_is_sorted_on_disk(tmp_path: Path) -> None:
    table = tables.large(12, seed=3)
    tables.write(table, tmp_path / "rows.parquet")
    with serving_folder(tmp_path, duckdb_memory_limit="40MB", duckdb_threads=1) as server:
        response = server.get("/rows.csv?sort=-text&field=text")
        assert response.status_code == 200, response.text
        lines = response.text.split()[1:]
    assert lines == [f'"{text}"' for text in sorted(table.column("text").to_pylist(), reverse=True)]


def test_what_cannot_be_sorted_within_memory_and_disk_is_told_by_its_size(tmp_path: Path) -> None:
    tables.write(tables.large(12, seed=3), tmp_path / "rows.parquet")
    limits = {"duckdb_memory_limit": "20MB", "duckdb_temp_limit": "1MB", "duckdb_threads": 1}
    with serving_folder(tmp_path, **limits) as server:
        response = server.get("/rows.csv?sort=-text")
        assert (response.status_code, response.json()["code"]) == (413, "result-too-large")
        assert server.get("/rows.csv?limit=5").status_code == 200


def test_a_dataset_with_a_column_named_as_row_numbers_is_not_sorted(tmp_path: Path) -> None:
    tables.write(pa.table({"file_row_number": [3, 1, 2]}), tmp_path / "rows.parquet")
    with serving_folder(tmp_path) as server:
        response = server.get("/rows.csv?sort=file_row_number")
        assert (response.status_code, response.json()["code"]) == (422, "column-unsupported")
        assert "file_row_number" in response.json()["detail"]
        # So many values are put back in order by those numbers.
        values = [("file_row_number", str(value)) for value in range(60)]
        assert server.get("/rows.csv", params=values).status_code == 422
        assert server.get("/rows.csv", params=values[:50]).text.split()[1:] == ['"3"', '"1"', '"2"']


@pytest.mark.parametrize("query", ["sort=split", "sort=-split&field=text", "split=1"])
def test_a_column_that_the_engine_does_not_read_puts_nothing_in_order(tmp_path: Path, query: str) -> None:
    table = pa.table({"split": pa.array([3, 1, 2], pa.int64()), "text": ["a", "b", "c"]})
    codings = {"split": "BYTE_STREAM_SPLIT", "text": "PLAIN"}
    pq.write_table(table, tmp_path / "rows.parquet", use_dictionary=False, column_encoding=codings)
    with serving_folder(tmp_path) as server:
        for asked in (query, "", query):  # before it is known what the engine lacks, and after
            response = server.get(f"/rows.csv?{asked}")
            assert response.status_code == (422 if asked else 200), response.text
        assert "column 'split'" in server.get(f"/rows.csv?{query}").json()["detail"].lower()
        assert [row["text"] for row in server.get("/rows.json?sort=-text").json()] == ["c", "b", "a"]
