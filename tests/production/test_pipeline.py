"""Stages: the same items in the same order, made a little sooner, within bounds, and nothing left behind."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager

import pytest

from application.errors import EngineFailed
from application.production.pipeline import stage
from tests.support.serving import eventually

PATIENCE = 10
ROOM = 1000

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "production stage"]


def nothing() -> None:
    """Stops nothing."""


def same(item: bytes) -> bytes:
    return item


def numbers(count: int) -> Generator[bytes]:
    yield from (str(number).encode() for number in range(count))


def ahead(
    items: Generator[bytes], stop: Callable[[], None] = nothing, workers: int = 1, room: int = ROOM
) -> AbstractContextManager[Iterator[bytes]]:
    return stage(items, same, stop, workers=workers, room=room)


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_the_items_come_in_their_order(workers: int) -> None:
    with stage(numbers(1000), lambda item: item * 2, nothing, workers=workers, room=ROOM) as made:
        assert list(made) == [item * 2 for item in numbers(1000)]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_no_items_are_none(workers: int) -> None:
    with ahead(numbers(0), workers=workers) as items:
        assert list(items) == []


def test_the_order_is_kept_where_the_first_item_takes_longest() -> None:
    second = threading.Event()

    def work(item: bytes) -> bytes:
        if item == b"0":
            assert second.wait(PATIENCE), "nobody works on another item meanwhile"
        second.set()
        return item

    with stage(numbers(3), work, nothing, workers=2, room=ROOM) as made:
        assert list(made) == [b"0", b"1", b"2"]


def test_a_stage_takes_from_a_stage() -> None:
    with (
        ahead(numbers(500)) as items,
        stage(items, lambda item: item + b",", nothing, workers=3, room=ROOM) as lines,
        ahead(lines) as again,  # type: ignore[arg-type]
    ):
        assert list(again) == [item + b"," for item in numbers(500)]


def test_one_is_made_while_another_is_used() -> None:
    second = threading.Event()

    def make() -> Generator[bytes]:
        yield b"1"
        second.set()
        yield b"2"

    with ahead(make()) as items:
        assert next(items) == b"1"
        assert second.wait(PATIENCE), "nothing is made while an item is used"
        assert list(items) == [b"2"]


@pytest.mark.parametrize(("size", "most"), [(1, 10), (5, 2), (10, 1), (500, 1)])
def test_no_more_bytes_wait_than_there_is_room_for(size: int, most: int) -> None:
    asked = []

    def make() -> Generator[bytes]:
        for number in range(100):
            asked.append(number)
            yield bytes(size)

    with ahead(make(), room=10) as items:
        assert next(items) == bytes(size)
        assert eventually(lambda: len(asked) == 1 + most)
        threading.Event().wait(0.05)
        assert len(asked) == 1 + most


def test_what_is_made_counts_by_its_own_size() -> None:
    asked = []

    def make() -> Generator[bytes]:
        for number in range(100):
            asked.append(number)
            yield b"1"

    with stage(make(), lambda item: item * 10, nothing, workers=1, room=20) as made:
        assert next(made) == b"1" * 10
        assert eventually(lambda: len(asked) == 3)
        threading.Event().wait(0.05)
        assert len(asked) == 3


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_failure_comes_after_what_was_made_before_it(workers: int) -> None:
    def make() -> Generator[bytes]:
        yield b"1"
        raise EngineFailed("midway")

    with ahead(make(), workers=workers) as items:
        assert next(items) == b"1"
        with pytest.raises(EngineFailed, match="midway"):
            next(items)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_failure_of_the_work_comes_in_its_place_and_nothing_after_it(workers: int) -> None:
    def work(item: bytes) -> bytes:
        if item == b"5":
            raise EngineFailed("at five")
        return item

    taken = []

    def take() -> None:
        with stage(numbers(100), work, nothing, workers=workers, room=ROOM) as made:
            for item in made:
                taken.append(item)

    with pytest.raises(EngineFailed, match="at five"):
        take()
    assert taken == list(numbers(5))


@pytest.mark.parametrize(("workers", "name"), [(0, "MainThread"), (1, "production stage")])
def test_whoever_leaves_early_closes_what_made_the_items(workers: int, name: str) -> None:
    closed = []

    def make() -> Generator[bytes]:
        try:
            yield from numbers(100)
        finally:
            closed.append(threading.current_thread().name)

    def leave() -> None:
        with ahead(make(), workers=workers, room=1) as items:
            next(items)
            raise EngineFailed("elsewhere")

    with pytest.raises(EngineFailed, match="elsewhere"):
        leave()
    assert closed == [name], "it was closed in another thread than it ran in"


def test_a_failure_does_not_wait_for_what_nobody_needs_any_more() -> None:
    stopped, making = threading.Event(), threading.Event()

    def make() -> Generator[bytes]:
        yield b"1"
        making.set()
        assert stopped.wait(PATIENCE), "nobody stopped it"
        yield b"2"

    def fail() -> None:
        with (
            ahead(make(), stopped.set) as items,
            stage(items, same, stopped.set, workers=2, room=ROOM) as made,
        ):
            next(made)
            making.wait(PATIENCE)
            raise EngineFailed("elsewhere")

    with pytest.raises(EngineFailed, match="elsewhere"):
        fail()
    assert stopped.is_set()


def test_without_a_thread_to_spare_the_items_are_made_when_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with ahead(numbers(10), workers=2) as items:
        assert list(items) == list(numbers(10))


def test_with_fewer_threads_than_wanted_the_others_do_all(monkeypatch: pytest.MonkeyPatch) -> None:
    start, left = threading.Thread.start, iter(range(1))

    def one(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", one)
    with ahead(numbers(10), workers=4) as items:
        assert list(items) == list(numbers(10))
