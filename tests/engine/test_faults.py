"""A failed read is told as the fault of whoever failed: storage, the file, or the engine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.catalogue import Catalogue
from application.engine.cancellation import Cancellation
from application.engine.database import Database
from application.engine.scan import Engine
from application.errors import DatasetInvalid, EngineFailed, StorageUnavailable
from application.models import Dataset, Filter, ObjectMeta, Query
from application.storage import open_storage
from application.storage.base import Storage
from tests.support import edits, tables


class Failing:
    """A storage that can be told to answer no more."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.answers = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def read(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        if not self.answers:
            raise StorageUnavailable("The storage does not answer.")
        return self._storage.read(meta, start, end)


class Flaky(Database):
    """A database whose next uses fail with these errors, as the engine raises them."""

    failures: list[Exception]

    def cursor(self, *, alone: bool = False) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return self._cursor(partial(super().cursor, alone=alone))

    @contextmanager
    def _cursor(
        self, real: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with real() as cursor:
            if self.failures:
                raise self.failures.pop(0)
            yield cursor


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def storage(root: Path) -> Failing:
    return Failing(open_storage(str(root), ""))


@pytest.fixture
def database(storage: Failing) -> Iterator[Flaky]:
    made = Flaky(storage, memory_limit="512MB", threads=2, temp_directory=None, temp_limit="1GB")
    made.failures = []
    yield made
    made.close()


@pytest.fixture
def engine(storage: Failing, database: Flaky) -> Engine:
    return Engine(storage, database)


def written(root: Path, *, is_damaged: bool) -> None:
    """Columns k and v; the pages of v are not where the footer says when damaged."""

    def misplace(footer: edits.Struct) -> None:
        edits.chunks(footer)[1][9] = (6, 5)

    file = edits.plain(pa.table({"k": [1, 2], "v": ["a", "b"]}))
    (root / "t.parquet").write_bytes(edits.edited(file, misplace) if is_damaged else file)


def found(storage: Failing, engine: Engine) -> Dataset:
    return Catalogue(storage, engine, 0).get("t")


def rows(engine: Engine, dataset: Dataset) -> list[dict[str, Any]]:
    """All rows, by a query that is the engine's to answer."""
    query = Query(dataset.columns, filters=(Filter(dataset.columns[0], "gte", ("0",)),))
    batches = engine.batches(dataset, query, Cancellation())
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_damaged_file_is_the_datasets_fault(root: Path, storage: Failing, engine: Engine) -> None:
    written(root, is_damaged=True)
    with pytest.raises(DatasetInvalid, match=r"Column 'v' is damaged .* exclude_field=v"):
        rows(engine, found(storage, engine))


def test_where_storage_does_not_answer_a_failure_is_its_own(
    root: Path, storage: Failing, engine: Engine
) -> None:
    written(root, is_damaged=True)
    dataset = found(storage, engine)
    storage.answers = False
    with pytest.raises(StorageUnavailable):
        rows(engine, dataset)


@pytest.mark.parametrize("error", [duckdb.IOException("IO Error"), duckdb.HTTPException("HTTP Error")])
def test_a_lost_connection_to_a_good_file_is_the_storages_fault(
    root: Path, storage: Failing, database: Flaky, engine: Engine, error: Exception
) -> None:
    written(root, is_damaged=False)
    dataset = found(storage, engine)
    database.failures = [error]
    with pytest.raises(StorageUnavailable):
        rows(engine, dataset)
    assert rows(engine, dataset) == [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}]


def test_a_failure_over_a_good_file_that_is_no_lost_connection_is_the_engines(
    root: Path, storage: Failing, database: Flaky, engine: Engine
) -> None:
    written(root, is_damaged=False)
    dataset = found(storage, engine)
    database.failures = [duckdb.ConversionException("Conversion Error")]
    with pytest.raises(EngineFailed):
        rows(engine, dataset)


def test_a_schema_that_failed_once_is_described_again(
    root: Path, storage: Failing, database: Flaky, engine: Engine
) -> None:
    written(root, is_damaged=False)
    database.failures = [duckdb.IOException("IO Error: the connection was lost")]
    assert [column.name for column in found(storage, engine).columns] == ["k", "v"]


def test_what_spoils_the_database_is_looked_at_by_another_reader(
    root: Path, storage: Failing, database: Flaky, engine: Engine
) -> None:
    written(root, is_damaged=True)
    dataset = found(storage, engine)
    database.failures = [duckdb.InternalException("INTERNAL Error: as an unusual file can raise one")]
    with pytest.raises(DatasetInvalid, match="Column 'v' is damaged"):
        rows(engine, dataset)
    assert engine.replacements == 1


def test_what_was_found_out_once_is_not_looked_for_again(
    root: Path, storage: Failing, database: Flaky, engine: Engine
) -> None:
    written(root, is_damaged=True)
    dataset = found(storage, engine)
    for _ in range(2):
        with pytest.raises(DatasetInvalid, match="Column 'v' is damaged"):
            rows(engine, dataset)
        # The second time it is the query alone that fails: nothing is read again.
        database.failures = [duckdb.ConversionException("Conversion Error")]


def test_damage_is_looked_for_from_the_row_that_was_next(
    root: Path, storage: Failing, engine: Engine
) -> None:
    """The first row groups can be read, and are given, and the damage is behind them."""
    groups = pa.table({"k": range(300_000), "v": [f"{row:040}" for row in range(300_000)]})
    with pq.ParquetWriter(root / "t.parquet", groups.schema, use_dictionary=False) as writer:
        writer.write_table(groups, row_group_size=50_000)
    tables.spoil(root / "t.parquet", 5)
    dataset = found(storage, engine)
    batches: list[pa.RecordBatch] = []
    with pytest.raises(DatasetInvalid, match="Column 'v' is damaged"):
        batches.extend(engine.batches(dataset, Query(dataset.columns), Cancellation()))
    # What is there of a list that was not extended to the end is what was given.
    assert sum(batch.num_rows for batch in batches) >= 100_000
