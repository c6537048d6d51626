"""Looks at storage that several wait for."""

import threading
import time
from collections.abc import Iterator

import pytest

from application.datasets.looks import Looks
from application.errors import DatasetNotFound
from application.storage.lanes import Lanes

PATIENCE = 10.0


class Storage:
    """Tells how often it was looked at, once it is let go."""

    def __init__(self) -> None:
        self.looked = 0
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()

    def look(self) -> int:
        self.looked += 1
        found = self.looked
        self.begun.release()
        assert self.let_go.wait(PATIENCE)
        return found


@pytest.fixture
def storage() -> Iterator[Storage]:
    found = Storage()
    yield found
    found.let_go.set()


def test_who_may_take_what_is_a_little_old_joins_a_look_that_runs(storage: Storage) -> None:
    looks: Looks[int] = Looks(Lanes(8, 8))
    since = time.monotonic()
    waiting = [looks.join("a", storage.look, since) for _ in range(20)]
    storage.let_go.set()
    assert {each.result(PATIENCE) for each in waiting} == {1}


def test_who_wants_it_fresh_waits_for_a_look_that_begins_after_asking(storage: Storage) -> None:
    looks: Looks[int] = Looks(Lanes(1, 1))
    first = looks.join("a", storage.look, time.monotonic())
    assert storage.begun.acquire(timeout=PATIENCE)
    fresh = [looks.join("a", storage.look, time.monotonic()) for _ in range(20)]
    storage.let_go.set()
    assert first.result(PATIENCE) == 1
    assert {each.result(PATIENCE) for each in fresh} == {2}


def test_a_look_that_is_over_is_joined_by_nobody(storage: Storage) -> None:
    looks: Looks[int] = Looks(Lanes(1, 1))
    storage.let_go.set()
    assert [looks.join("a", storage.look, 0).result(PATIENCE) for _ in range(2)] == [1, 2]


def test_a_failure_is_told_to_all_and_kept_for_nobody() -> None:
    looks: Looks[int] = Looks(Lanes(1, 1))
    asked: list[int] = []

    def fail() -> int:
        asked.append(1)
        raise DatasetNotFound("none")

    for _ in range(2):
        with pytest.raises(DatasetNotFound):
            looks.join("a", fail, 0).result(PATIENCE)
    assert len(asked) == 2
