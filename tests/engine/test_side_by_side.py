"""Reads side by side: their order is kept, what they hold is bounded, and nothing outlives who takes it."""

import threading
from collections.abc import Callable, Generator

import pyarrow as pa
import pytest

from application.engine.side_by_side import MADE_BYTES, READER_BYTES, Ahead, Room, side_by_side
from tests.support.serving import eventually

Read = Callable[[], Generator[pa.RecordBatch]]


def batch(value: int, size: int = 8) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array([value] * (size // 8), pa.int64())})


def threads() -> int:
    return sum(thread.name == "read side by side" for thread in threading.enumerate())


def beside(reads: list[tuple[int, Read]], room: Room, stop: Callable[[], None]) -> Generator[pa.RecordBatch]:
    return side_by_side([Ahead(read, size, room) for size, read in reads], stop)


def taken(reads: list[tuple[int, Read]], room: Room) -> list[int]:
    return [found["n"][0].as_py() for found in beside(reads, room, lambda: None)]


@pytest.mark.parametrize("room", [0, READER_BYTES, 3 * READER_BYTES, 100 * READER_BYTES])
def test_batches_come_in_the_order_of_the_reads(room: int) -> None:
    def read(first: int) -> Read:
        return lambda: (batch(first * 10 + place) for place in range(first % 4))

    reads = [(0, read(first)) for first in range(40)]
    assert taken(reads, Room(room)) == [
        first * 10 + place for first in range(40) for place in range(first % 4)
    ]
    assert threads() == 0


def test_reads_wait_for_storage_at_the_same_time() -> None:
    together = threading.Barrier(8, timeout=10)

    def read() -> Generator[pa.RecordBatch]:
        together.wait()
        yield batch(1)

    # The first is read by who takes the batches, and seven beside it.
    assert taken([(0, read)] * 8, Room(7 * READER_BYTES)) == [1] * 8


def test_room_is_shared_and_given_back() -> None:
    room = Room(2 * READER_BYTES)
    assert room.take(2 * READER_BYTES)
    # Without room, one read after the other.
    assert taken([(0, lambda: (batch(n) for n in (1, 2)))] * 3, room) == [1, 2] * 3
    room.give(2 * READER_BYTES)
    assert taken([(0, lambda: (batch(n) for n in (1, 2)))] * 3, room) == [1, 2] * 3
    assert room.take(2 * READER_BYTES)


def test_what_is_read_ahead_is_bounded_by_bytes() -> None:
    made = []

    def read() -> Generator[pa.RecordBatch]:
        for n in range(10):
            made.append(n)
            yield batch(n, MADE_BYTES)

    running = beside([(0, lambda: (batch(n) for n in range(2))), (0, read)], Room(READER_BYTES), lambda: None)
    next(running)
    assert eventually(lambda: len(made) == 2)
    assert len(list(running)) == 11
    assert threads() == 0


def test_a_failure_comes_in_its_place_and_ends_the_others() -> None:
    stopped = threading.Event()

    def endless() -> Generator[pa.RecordBatch]:
        yield batch(1)
        assert stopped.wait(10)

    def fails() -> Generator[pa.RecordBatch]:
        yield batch(2)
        raise ValueError("no more")

    def one() -> Generator[pa.RecordBatch]:
        yield batch(0)

    running = beside([(0, one), (0, fails), (0, endless)], Room(9 * READER_BYTES), stopped.set)
    with pytest.raises(ValueError, match="no more"):
        list(running)
    assert stopped.is_set()
    assert threads() == 0


def test_who_takes_no_more_leaves_no_thread_and_no_room_taken() -> None:
    stopped = threading.Event()

    def waits() -> Generator[pa.RecordBatch]:
        assert stopped.wait(10)
        yield batch(1)

    room = Room(4 * READER_BYTES)
    running = beside([(0, lambda: (batch(n) for n in range(2))), *[(0, waits)] * 4], room, stopped.set)
    next(running)
    running.close()
    assert threads() == 0
    assert room.take(4 * READER_BYTES)


def test_without_a_thread_to_spare_reads_go_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    assert taken([(0, lambda: (batch(n) for n in (1, 2)))] * 3, Room(9 * READER_BYTES)) == [1, 2] * 3
