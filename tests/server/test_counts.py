"""Counts of file, row groups, columns and of what comes out agree, or nothing is answered."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.footers import recount
from tests.support.serving import Served, serving_folder

# Whose count is another: old, new, place (two columns and two row groups of 1,000).
LIES = {
    "file-more": (2000, 2500, 0),
    "file-fewer": (2000, 1500, 0),
    "column-more": (1000, 1001, 0),
    "column-fewer": (1000, 999, 1),
    "group-more": (1000, 1001, 2),
    "group-fewer": (1000, 500, 2),
    "last-column-more": (1000, 1001, 4),
    "last-group-fewer": (1000, 999, 5),
}
ASKED = (
    "csv",
    "json",
    "ndjson",
    "parquet",
    "csv?n=5",
    "csv?field=n",
    "csv?field=n&s=row+5",
    "parquet?field=s",
)


def write(path: Path, first: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = range(first, first + 2000)
    table = pa.table({"n": pa.array(numbers, pa.int64()), "s": [f"row {number}" for number in numbers]})
    pq.write_table(table, path, row_group_size=1000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Files of which each tells one lie, alone and as a part beside a true one, and true ones."""
    folder = tmp_path_factory.mktemp("counts")
    write(folder / "true.parquet")
    for name, lie in LIES.items():
        write(folder / f"{name}.parquet")
        recount(folder / f"{name}.parquet", *lie)
        write(folder / f"folder-{name}/1.parquet")
        write(folder / f"folder-{name}/2.parquet", 2000)
        recount(folder / f"folder-{name}/2.parquet", *lie)
    lists = pa.table({"l": [[1, 2], [], None, [3]] * 250})
    pq.write_table(lists, folder / "lists.parquet")
    pq.write_table(lists, folder / "short-lists.parquet")
    # Its group says more rows than the column has values, which lists of no length cannot explain.
    for place in (1, 0):
        recount(folder / "short-lists.parquet", 1000, 1500, place)
    with serving_folder(folder) as served:
        yield served


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("kind", ["", "folder-"])
def test_a_footer_that_contradicts_itself_is_no_dataset(
    server: Served, kind: str, name: str, asked: str
) -> None:
    extension, _, query = asked.partition("?")
    response = server.get(f"/{kind}{name}.{extension}?{query}")
    assert (response.status_code, response.json()["code"]) == (500, "dataset-invalid")
    part = "2.parquet" if kind else f"{name}.parquet"
    assert repr(part) in response.json()["detail"]


def test_what_agrees_is_served(server: Served) -> None:
    assert len(server.get("/true.ndjson").text.splitlines()) == 2000
    assert len(server.get("/true.ndjson?n=1999&field=s").text.splitlines()) == 1
    assert len(server.get("/lists.ndjson").text.splitlines()) == 1000


def test_a_list_has_as_many_values_as_rows_or_more(server: Served) -> None:
    response = server.get("/short-lists.ndjson")
    assert (response.status_code, response.json()["code"]) == (500, "dataset-invalid")
    assert "'l.list.element'" in response.json()["detail"]
