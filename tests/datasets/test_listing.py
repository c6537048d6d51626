"""Which datasets there are, and that one which takes long keeps nobody waiting."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.catalogue import Catalogue
from application.datasets.listing import Listing
from application.engine.database import Database
from application.engine.scan import Engine
from application.errors import StorageUnavailable
from application.models import ObjectMeta
from application.storage.base import Level
from application.storage.lanes import Lanes
from application.storage.local import LocalStorage
from tests.support.serving import eventually

SECONDS = 10


@contextmanager
def listing_of(storage: LocalStorage, max_age: float = 0) -> Iterator[Listing]:
    database = Database(storage, memory_limit="64MB", threads=1, temp_directory=None, temp_limit="1GB")
    lanes = Lanes(4, 4)
    yield Listing(storage, Catalogue(storage, Engine(storage, database), max_age), lanes, max_age)
    lanes.close(SECONDS)


def names(listing: Listing) -> list[str]:
    waited = listing.refresh()
    if waited:
        waited.result(SECONDS)
    return [item.name for item in listing.seen.datasets]


def test_a_dataset_is_an_object_or_a_folder_with_a_part(tmp_path: Path) -> None:
    for path in (
        *("single.parquet", "parts/1.parquet", "hive/year=2024/month=1/p.parquet", "_own/1.parquet"),
        *("unfinished/_temporary/1.parquet", "empty/readme.txt", "words.json", "odd name.parquet"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    with listing_of(LocalStorage(str(tmp_path))) as listing:
        assert names(listing) == ["_own", "hive", "parts", "single"]


class Holding(LocalStorage):
    """A folder whose file `slow.parquet` is read only after a while, and whose listing may fail."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.go_on = threading.Event()
        self.fails = False
        self.levels = self.reads = 0

    def read(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        self.reads += 1
        if meta.path == "slow.parquet":
            self.go_on.wait(SECONDS)
        return super().read(meta, start, end)

    def level(self, folder: str = "") -> Level:
        self.levels += 1
        if self.fails:
            raise StorageUnavailable("It is away.")
        return super().level(folder)


@pytest.fixture
def holding(tmp_path: Path) -> Holding:
    for name in ("quick", "slow"):
        pq.write_table(pa.table({"n": [1, 2]}), tmp_path / f"{name}.parquet")
    return Holding(tmp_path)


def test_a_dataset_that_takes_long_is_listed_with_what_is_known_of_it(holding: Holding) -> None:
    with listing_of(holding) as listing:
        waited = listing.refresh()
        assert waited is not None
        assert eventually(lambda: [item.rows for item in listing.seen.datasets] == [2, None])
        assert not listing.seen.is_whole
        assert listing.seen.datasets[1].size
        holding.go_on.set()
        waited.result(SECONDS)
        assert [item.rows for item in listing.seen.datasets] == [2, 2]
        assert listing.seen.is_whole


def test_what_was_looked_at_lately_is_told_from_memory(holding: Holding) -> None:
    holding.go_on.set()
    with listing_of(holding, max_age=60) as listing:
        assert names(listing) == ["quick", "slow"]
        before = (holding.levels, holding.reads)
        assert [names(listing) for _ in range(5)] == [["quick", "slow"]] * 5
        assert (holding.levels, holding.reads) == before


def test_what_has_not_changed_is_not_read_again(holding: Holding) -> None:
    holding.go_on.set()
    with listing_of(holding) as listing:
        names(listing)
        before = holding.reads
        pq.write_table(pa.table({"n": [1, 2, 3]}), Path(holding.description) / "quick.parquet")
        names(listing)
        assert holding.reads == before + 1
        assert [item.rows for item in listing.seen.datasets] == [3, 2]


def test_a_listing_that_failed_is_told_and_tried_again(holding: Holding) -> None:
    holding.go_on.set()
    with listing_of(holding) as listing:
        names(listing)
        holding.fails = True
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                names(listing)
        holding.fails = False
        assert names(listing) == ["quick", "slow"]
