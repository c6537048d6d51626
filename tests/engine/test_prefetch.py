"""What is fetched ahead is what lies there, by few requests that are never far ahead."""

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.engine import prefetch
from application.engine.prefetch import AHEAD, HOLE_BYTES, KEPT_BYTES, REQUEST_BYTES, Prefetch, TooManyStreams
from application.errors import ProductionCancelled, StorageUnavailable

KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
OBJECT = random.Random(7).randbytes(24 * MEGABYTE)


class Storage:
    """An object in memory that tells what is asked of it, and may have who asks wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.changed = threading.Condition()
        self.waits = False

    def read(self, start: int, end: int) -> bytes:
        with self.changed:
            self.asked.append((start, end))
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self.waits)
        return OBJECT[start:end]

    def wait_for(self, count: int) -> None:
        """Until so many requests were made."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, 60)

    def go_on(self) -> None:
        with self.changed:
            self.waits = False
            self.changed.notify_all()


def places(largest: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Ranges of the object that do not overlap."""
    ends = st.lists(st.integers(0, largest), min_size=2, max_size=16, unique=True).map(sorted)
    return ends.map(lambda found: list(zip(found[::2], found[1::2], strict=False)))


@given(places(len(OBJECT)).filter(bool), st.randoms(use_true_random=False))
def test_what_is_read_is_what_lies_there(ranges: list[tuple[int, int]], chance: random.Random) -> None:
    fetched = Prefetch(Storage().read, ranges, streams=1)
    for _ in range(20):
        first, last = chance.choice(ranges)
        start = chance.randint(first, last)
        end = chance.randint(start, min(last, start + 3 * REQUEST_BYTES))
        assert fetched.read(start, end) == OBJECT[start:end]
    for first, last in ranges:
        assert fetched.read(first, last) == OBJECT[first:last]


def test_what_is_not_in_the_ranges_is_not_fetched() -> None:
    storage = Storage()
    fetched = Prefetch(storage.read, [(MEGABYTE, 2 * MEGABYTE), (8 * MEGABYTE, 9 * MEGABYTE)], streams=1)
    for start in (0, 3 * MEGABYTE, 20 * MEGABYTE):
        assert fetched.read(start, start + 10) is None
    assert storage.asked == []


def test_small_ranges_come_together_and_large_ones_in_pieces() -> None:
    small = [(at * 10 * KILOBYTE, at * 10 * KILOBYTE + 8 * KILOBYTE) for at in range(20)]
    behind_a_hole = small[-1][1] + HOLE_BYTES + 1
    large = (behind_a_hole, behind_a_hole + REQUEST_BYTES + KILOBYTE)
    storage = Storage()
    fetched = Prefetch(storage.read, [*small, large], streams=1)
    for start, end in (*small, large):
        assert fetched.read(start, end) == OBJECT[start:end]
    middle = large[0] + REQUEST_BYTES
    assert sorted(storage.asked) == [(0, small[-1][1]), (large[0], middle), (middle, large[1])]


def test_no_more_is_asked_for_than_some_requests_ahead_of_what_is_read() -> None:
    storage = Storage()
    fetched = Prefetch(storage.read, [(0, len(OBJECT))], streams=1)
    for at in range(3):
        fetched.read(at * REQUEST_BYTES, at * REQUEST_BYTES + 1)
        storage.wait_for(at + 1 + AHEAD)
        assert len(storage.asked) == at + 1 + AHEAD


def test_what_was_used_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "KEPT_BYTES", 4 * REQUEST_BYTES)
    storage = Storage()
    fetched = Prefetch(storage.read, [(0, len(OBJECT))], streams=1)
    for at in range(6):
        fetched.read(at * REQUEST_BYTES, at * REQUEST_BYTES + 1)
        # The beginning is used again and again, as a large column beside a small one is.
        fetched.read(0, 1)
    assert [start for start, _ in storage.asked].count(0) == 1
    assert fetched.read(REQUEST_BYTES, REQUEST_BYTES + 1) == OBJECT[REQUEST_BYTES : REQUEST_BYTES + 1]
    # It had gone, and came again, perhaps more than once: ahead of the beginning, too.
    assert [start for start, _ in storage.asked].count(REQUEST_BYTES) >= 2


def test_more_streams_than_there_is_place_for_are_refused() -> None:
    most = KEPT_BYTES // (AHEAD * REQUEST_BYTES)
    Prefetch(Storage().read, [(0, 1)], streams=most)
    with pytest.raises(TooManyStreams):
        Prefetch(Storage().read, [(0, 1)], streams=most + 1)


def test_who_waits_learns_that_it_is_interrupted() -> None:
    storage = Storage()
    storage.waits = True
    fetched = Prefetch(storage.read, [(0, MEGABYTE)], streams=1)
    told: list[BaseException] = []

    def read() -> None:
        try:
            fetched.read(0, 1)
        except ProductionCancelled as error:
            told.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    storage.wait_for(1)
    fetched.interrupt()
    reader.join(60)
    storage.go_on()
    assert len(told) == 1
    with pytest.raises(ProductionCancelled):
        fetched.read(0, 1)


def test_a_failure_comes_to_who_reads_what_failed_and_to_nobody_else() -> None:
    failure = StorageUnavailable("It is down.")

    def read(start: int, end: int) -> bytes:
        if start == 2 * REQUEST_BYTES:
            raise failure
        return OBJECT[start:end]

    fetched = Prefetch(read, [(0, 3 * REQUEST_BYTES)], streams=1)
    assert fetched.read(0, 2 * REQUEST_BYTES) == OBJECT[: 2 * REQUEST_BYTES]
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            fetched.read(2 * REQUEST_BYTES, 2 * REQUEST_BYTES + 1)


def test_without_a_thread_to_spare_the_reader_fetches_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    storage = Storage()
    fetched = Prefetch(storage.read, [(0, 3 * REQUEST_BYTES)], streams=1)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert fetched.read(0, 3 * REQUEST_BYTES) == OBJECT[: 3 * REQUEST_BYTES]
    assert storage.asked == [(at * REQUEST_BYTES, (at + 1) * REQUEST_BYTES) for at in range(3)]
