"""Reading ahead: the same items, a little sooner, and nothing left behind."""

import threading
from collections.abc import Generator, Iterator

import pytest

from application.errors import EngineFailed
from application.production.lookahead import read_ahead

PATIENCE = 10

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def nothing() -> None:
    """Stops nothing."""


def test_the_items_come_in_their_order() -> None:
    with read_ahead((number for number in range(1000)), nothing) as items:
        assert list(items) == list(range(1000))


def test_no_items_are_none() -> None:
    with read_ahead((number for number in range(0)), nothing) as items:
        assert list(items) == []


def test_one_is_made_while_another_is_used() -> None:
    second = threading.Event()

    def make() -> Generator[int]:
        yield 1
        second.set()
        yield 2

    with read_ahead(make(), nothing) as items:
        assert next(items) == 1
        assert second.wait(PATIENCE), "nothing is made while an item is used"
        assert list(items) == [2]


def test_no_more_are_made_than_wait_and_are_in_the_making() -> None:
    made, third = [], threading.Event()

    def make() -> Generator[int]:
        for number in range(100):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    with read_ahead(make(), nothing) as items:
        assert next(items) == 0
        assert third.wait(PATIENCE)
        threading.Event().wait(0.1)
        assert made == [0, 1, 2]


def test_a_failure_comes_after_what_was_made_before_it() -> None:
    def make() -> Generator[int]:
        yield 1
        raise EngineFailed("midway")

    with read_ahead(make(), nothing) as items:
        assert next(items) == 1
        with pytest.raises(EngineFailed, match="midway"):
            next(items)


def test_whoever_leaves_early_closes_what_made_the_items() -> None:
    closed = []

    def make() -> Generator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(threading.current_thread().name)

    def leave() -> None:
        with read_ahead(make(), nothing) as items:
            next(items)
            raise EngineFailed("elsewhere")

    with pytest.raises(EngineFailed, match="elsewhere"):
        leave()
    assert closed == ["read ahead"], "it was closed in another thread than it ran in"


def test_a_failure_does_not_wait_for_what_nobody_needs_any_more() -> None:
    stopped, making = threading.Event(), threading.Event()

    def make() -> Generator[int]:
        yield 1
        making.set()
        assert stopped.wait(PATIENCE), "nobody stopped it"
        yield 2

    def fail() -> None:
        with read_ahead(make(), stopped.set) as items:
            next(items)
            making.wait(PATIENCE)
            raise EngineFailed("elsewhere")

    with pytest.raises(EngineFailed, match="elsewhere"):
        fail()
    assert stopped.is_set()
