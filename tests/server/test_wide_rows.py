"""Large cells and many columns are read wherever there is the memory, and a part that fits always is."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.serving import Served, serving_folder

# Cells are short of them, for they are made of whole points.
LARGE = {"regions": (9, 1_900_000), "parks": (13, 580_000), "border": (1, 7_700_000)}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def large(rows: int, size: int) -> pa.Table:
    shapes = [
        "POLYGON((" + ",".join(f"{n % 997}.5 {n * row % 991}.25" for n in range(size // 12)) + "))"
        for row in range(1, rows + 1)
    ]
    return pa.table({"entity": range(rows), "name": [f"n{row}" for row in range(rows)], "geometry": shapes})


TABLES: dict[str, Callable[[], pa.Table]] = {
    **{name: lambda of=of: large(*of) for name, of in LARGE.items()},
    "texts": lambda: pa.table({f"c{at}": [f"{at}a", None, f"{at}c"] for at in range(8000)}),
    "integers": lambda: pa.table({f"c{at}": pa.array([at, -at], pa.int64()) for at in range(10_000)}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wide")
    for name, make in TABLES.items():
        pq.write_table(make(), root / f"{name}.parquet")
    # By a dictionary: 3 GB that nobody has to have in memory.
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), ["x" * 1_000_000])
    pq.write_table(
        pa.table({"entity": range(3000), "geometry": repeated}),
        root / "repeated.parquet",
        store_schema=False,
    )
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving_folder(folder) as served:
        yield served


def rows(extension: str, content: bytes) -> list[dict[str, Any]]:
    if extension == "json":
        return list(json.loads(content))
    if extension == "ndjson":
        return [json.loads(line) for line in content.splitlines()]
    if extension == "parquet":
        return pq.read_table(io.BytesIO(content)).to_pylist()
    csv.field_size_limit(sys.maxsize)
    return list(csv.DictReader(io.StringIO(content.decode())))


# Each encoder with large cells and with many columns, and each table with an encoder of text and another.
PAIRS = [
    *(("regions", extension) for extension in ("csv", "json", "ndjson", "parquet")),
    *(("parks", "csv"), ("parks", "parquet"), ("border", "json"), ("border", "ndjson")),
    *(("texts", "csv"), ("texts", "parquet"), ("integers", "json"), ("integers", "ndjson")),
]


@pytest.mark.parametrize(("name", "extension"), PAIRS)
def test_every_format_has_all_of_it(server: Served, folder: Path, name: str, extension: str) -> None:
    table = pq.read_table(folder / f"{name}.parquet")
    left_out = table.column_names[1]
    response = server.get(f"/{name}.{extension}?exclude_field={left_out}", timeout=60)
    assert response.status_code == 200
    expected = table.drop_columns(left_out).to_pylist()
    if extension == "csv":
        expected = [
            {key: "" if value is None else str(value) for key, value in row.items()} for row in expected
        ]
    assert rows(extension, response.content) == expected


@pytest.mark.parametrize("query", ["entity=1", "exclude_field=geometry", "field=name&entity=5"])
@pytest.mark.parametrize("name", LARGE)
def test_a_part_of_it_comes_too(server: Served, name: str, query: str) -> None:
    assert server.get(f"/{name}.csv?{query}").status_code == 200


def test_what_cannot_be_read_is_refused_by_name_and_the_rest_is_not(server: Served) -> None:
    response = server.get("/repeated.csv")
    assert (response.status_code, response.json()["code"]) == (413, "result-too-large")
    assert "'geometry'" in response.json()["detail"]
    assert "exclude_field=geometry" in response.json()["detail"]
    assert server.get("/repeated.csv?entity=5").status_code == 413
    assert len(server.get("/repeated.ndjson?exclude_field=geometry").text.splitlines()) == 3000
    assert server.get("/repeated.ndjson?field=entity&entity=5").json() == {"entity": 5}
