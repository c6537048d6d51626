"""Parquet by URL: readers fetch the columns that they want, and no more of the file."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support import tables
from tests.support.proxy import proxying
from tests.support.readers import READERS
from tests.support.serving import Served, serving_folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    rows = tables.large().append_column("even", [[n % 2 for n in range(12 * tables.GROUP_ROWS)]])
    tables.write(rows, folder / "large.parquet")
    return folder


@pytest.fixture(scope="module")
def served(large: Path) -> Iterator[Served]:
    with serving_folder(large) as served:
        yield served


@pytest.mark.parametrize("reader", READERS)
def test_two_columns_are_read_without_the_rest(reader: str, large: Path, served: Served) -> None:
    with proxying(served.url) as proxy:
        found = READERS[reader](f"{proxy.url}/large.parquet", ["entity", "even"])
    rows = 12 * tables.GROUP_ROWS
    assert found.num_rows == rows
    assert found["entity"].cast(pa.int64()).to_pylist() == list(range(rows))
    size = (large / "large.parquet").stat().st_size
    assert proxy.received < size / 4
