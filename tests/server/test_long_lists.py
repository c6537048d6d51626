"""Filters on many values: the rows are those of plain Python, in the file's order, every time."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import tables
from tests.support.serving import Served, serving_folder

ROWS, WORDS = 400_000, 1_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("lists")
    whole = pa.table(
        {
            "place": pa.array(range(ROWS), pa.int64()),
            "word": [f"t{place % WORDS}" if place % 11 else None for place in range(ROWS)],
            "number": pa.array((place % WORDS for place in range(ROWS)), pa.int32()),
        }
    )
    tables.write(whole, root / "one.parquet")
    for part in range(4):
        tables.write(whole.slice(part * 100_000, 100_000), root / f"parts/{part}.parquet")
    # Threads are what takes rows out of order.
    with serving_folder(root, duckdb_threads=4, spool_max_bytes=0) as found:
        yield found


@pytest.mark.parametrize("dataset", ["one", "parts"])
@pytest.mark.parametrize("column", ["word", "number"])
@pytest.mark.parametrize("operator", ["exact", "in", "not", "notin"])
@pytest.mark.parametrize("count", [4, 5, 50, 51, 600])
def test_rows_keep_the_files_order_however_many_values_choose_them(
    count: int, operator: str, column: str, dataset: str, served: Served
) -> None:
    values = range(0, count)
    texts = [f"t{value}" if column == "word" else str(value) for value in values]
    pairs = [(f"{column}__{operator}", text) for text in texts]
    if operator in {"in", "notin"}:
        pairs = [(f"{column}__{operator}", ",".join(texts))]
    is_positive = operator in {"exact", "in"}

    def has(place: int) -> bool:
        return place % WORDS in values and (column == "number" or place % 11 != 0)

    expected = [place for place in range(ROWS) if has(place) == is_positive]
    response = served.client.post(f"/{dataset}.parquet", data=dict_of([*pairs, ("field", "place")]))
    assert pq.read_table(pa.BufferReader(response.content))["place"].to_pylist() == expected


def dict_of(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for name, text in pairs:
        made.setdefault(name, []).append(text)
    return made
