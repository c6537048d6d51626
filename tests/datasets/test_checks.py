"""What is checked where, and what becomes of it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from application.datasets.catalogue import Catalogue
from application.datasets.checks import MOST_BYTES, PageChecks
from application.engine.database import Database
from application.engine.scan import Engine
from application.engine.verdicts import Verdicts
from application.errors import Busy, DatasetChanged, DatasetInvalid
from application.models import Dataset
from application.storage.local import LocalStorage
from tests.support.flips import flip


class Far(LocalStorage):
    """A folder that is as far as a bucket."""

    is_near = False


class Checked:
    """Checks over a folder with one dataset, and what they told."""

    def __init__(self, folder: Path, mode: Any, storage: LocalStorage, *, is_brief: bool) -> None:
        self.storage = storage
        self.failed: list[str] = []
        self.checks = PageChecks(
            storage,
            Verdicts(None),
            mode,
            is_brief=is_brief,
            fail=lambda e_tag, error: self.failed.append(e_tag),
        )
        database = Database(storage, memory_limit="64MB", threads=1, temp_directory=None, temp_limit="1GB")
        self.engine = Engine(storage, database)
        self.dataset: Dataset = Catalogue(storage, self.engine, 0).get("x")

    def is_refused(self) -> bool:
        try:
            self.checks.check(self.dataset)
        except DatasetInvalid:
            return True
        return False

    def finish(self) -> None:
        """Wait for what was begun."""
        if thread := next((each for each in threading.enumerate() if each.name == "page checks"), None):
            thread.join(10)


def write(folder: Path) -> None:
    pq.write_table(
        pa.table({"n": range(1000)}), folder / "x.parquet", use_dictionary=False, write_page_checksum=True
    )


Open = Callable[..., Checked]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    write(tmp_path)
    flip(tmp_path / "x.parquet", 0)
    made: list[Checked] = []

    def checked(mode: str, *, kind: type[LocalStorage] = LocalStorage, is_brief: bool = False) -> Checked:
        made.append(Checked(tmp_path, mode, kind(str(tmp_path)), is_brief=is_brief))
        return made[-1]

    yield checked
    for each in made:
        each.checks.close()
        each.engine.close()


@pytest.mark.parametrize(
    ("mode", "place", "found"),
    [
        ("auto", {}, True),
        ("auto", {"is_brief": True}, False),
        ("auto", {"kind": Far}, True),
        ("auto", {"kind": Far, "is_brief": True}, False),
        ("always", {"kind": Far, "is_brief": True}, True),
        ("off", {}, False),
    ],
)
def test_a_mode_says_what_is_checked(opened: Open, mode: str, place: dict[str, Any], found: bool) -> None:
    made = opened(mode, **place)
    waited = made.checks.begin(made.dataset)
    made.finish()
    assert made.is_refused() == found
    assert (waited is not None) == (mode == "always")
    assert made.failed == ([made.dataset.e_tag] if found else [])


def test_what_is_large_and_far_is_not_read_twice_unasked(opened: Open) -> None:
    made = opened("auto", kind=Far)
    (part,) = made.dataset.objects
    made.checks.begin(replace(made.dataset, objects=(replace(part, size=MOST_BYTES + 1),)))
    made.finish()
    assert not made.failed


def test_a_version_is_checked_once(opened: Open) -> None:
    made = opened("always")
    waited = made.checks.begin(made.dataset)
    assert isinstance(waited, Future)
    assert isinstance(waited.exception(10), DatasetInvalid)
    assert made.checks.begin(made.dataset) is waited
    other = made.checks.begin(replace(made.dataset, e_tag="another"))
    assert other is not waited


def test_a_file_that_changes_meanwhile_is_not_condemned_and_checked_anew(
    opened: Open, tmp_path: Path
) -> None:
    made = opened("always")
    write(tmp_path)
    waited = made.checks.begin(made.dataset)
    assert waited
    assert isinstance(waited.exception(10), DatasetChanged)
    assert not made.is_refused()
    assert made.checks.begin(made.dataset) is not waited


def test_without_a_thread_who_waits_is_told_so_and_who_comes_next_has_it_checked(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    made = opened("always")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        waited = made.checks.begin(made.dataset)
    assert waited
    assert isinstance(waited.exception(10), Busy)
    waited = made.checks.begin(made.dataset)
    assert waited
    assert isinstance(waited.exception(10), DatasetInvalid)
