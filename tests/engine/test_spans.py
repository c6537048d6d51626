"""How a query may be read: by spans, together all rows, where each row comes out; else in one go."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.catalogue import Catalogue
from application.engine import spans
from application.engine.cancellation import Cancellation
from application.engine.database import Database
from application.engine.scan import Engine
from application.engine.spans import Read, reads_of, span_bytes
from application.engine.windows import VECTOR_ROWS
from application.models import Dataset, Filter, Order, Query
from application.storage import open_storage

GROUP = 5_000
ROWS = 4 * GROUP + 17


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    numbers = range(ROWS)
    table = pa.table(
        {"n": numbers, "t": [f"t{n}" for n in numbers], "fine": pa.array(numbers, pa.time64("ns"))}
    )
    pq.write_table(table, tmp_path / "trees.parquet", row_group_size=GROUP)
    storage = open_storage(str(tmp_path), "")
    database = Database(storage, memory_limit="512MB", threads=2, temp_directory=None, temp_limit="1GB")
    made = Engine(storage, database)
    yield made
    made.close()


@pytest.fixture
def trees(engine: Engine, tmp_path: Path) -> Dataset:
    return Catalogue(open_storage(str(tmp_path), ""), engine, 0).get("trees")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "SPAN_BYTES", 1)


def ends(reads: list[Read]) -> list[tuple[int, int]]:
    return [read.span[1:] if read.span else (0, read.rows) for read in reads]


def test_spans_are_whole_row_groups_and_together_all_rows(trees: Dataset) -> None:
    reads = reads_of(trees, Query(trees.columns[:2]), by_spans=True, first_soon=True)
    groups = [(start, min(ROWS, start + GROUP)) for start in range(0, ROWS, GROUP)]
    assert ends(reads) == groups
    assert span_bytes(trees, Query(trees.columns[:2])) == max(read.size for read in reads)


def test_small_row_groups_are_read_together(trees: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query(trees.columns[:1])
    monkeypatch.setattr(spans, "SPAN_BYTES", 2 * GROUP * 8)
    reads = reads_of(trees, query, by_spans=True, first_soon=True)
    assert ends(reads) == [(0, 2 * GROUP), (2 * GROUP, 4 * GROUP), (4 * GROUP, ROWS)]
    monkeypatch.setattr(spans, "SPAN_BYTES", 1)
    monkeypatch.setattr(spans, "MOST_SPANS", 2)
    assert ends(reads_of(trees, query, by_spans=True, first_soon=True)) == [(0, 3 * GROUP), (3 * GROUP, ROWS)]


@pytest.mark.parametrize("change", ["filter", "sort", "inexact"])
def test_what_does_not_give_each_row_in_its_order_is_read_in_one_go(trees: Dataset, change: str) -> None:
    query = Query(trees.columns[:2])
    query = {
        "filter": replace(query, filters=(Filter(trees.columns[1], "exact", ("t5",)),)),
        "sort": replace(query, order=(Order(trees.columns[0]),)),
        "inexact": Query(trees.columns),
    }[change]
    assert ends(reads_of(trees, query, by_spans=True, first_soon=True)) == [(0, ROWS)]
    assert span_bytes(trees, query) == 0


def test_a_limit_ends_the_spans_and_a_small_one_needs_none(trees: Dataset) -> None:
    query = Query(trees.columns[:2], limit=GROUP + 1)
    assert ends(reads_of(trees, query, by_spans=True, first_soon=True)) == [(0, GROUP), (GROUP, 2 * GROUP)]
    (alone,) = reads_of(trees, replace(query, limit=GROUP), by_spans=True, first_soon=True)
    assert alone.span is None


def test_of_a_large_row_group_near_by_the_first_rows_come_before_the_rest(
    trees: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = Query(trees.columns[:2])
    monkeypatch.setattr(spans, "LARGE_BYTES", 1)
    for by_spans in (False, True):
        reads = reads_of(trees, query, by_spans=by_spans, first_soon=True)
        assert ends(reads)[0] == (0, VECTOR_ROWS)
        assert [start for start, _ in ends(reads)[1:]] == [end for _, end in ends(reads)[:-1]]
        assert ends(reads)[-1][1] == ROWS
    assert ends(reads_of(trees, query, by_spans=False, first_soon=False)) == [(0, ROWS)]


@pytest.mark.parametrize("cursors", [1, 2, 5])
@pytest.mark.parametrize("limit", [None, 1, GROUP + 1, ROWS + 5])
def test_rows_come_out_in_order_by_however_many_cursors(
    engine: Engine, trees: Dataset, cursors: int, limit: int | None
) -> None:
    query = Query(trees.columns[:2], limit=limit)
    batches = engine.batches(trees, query, Cancellation(), None, cursors=cursors)
    found = [number for batch in batches for number in batch.column(0).to_pylist()]
    assert found == list(range(ROWS))[:limit]
