"""Tapes: what readers get while bytes are written, what holds the producer, and what is freed when."""

import asyncio
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Never

import pytest

from application.errors import AnswerTooLarge, DownloadError, EngineFailed, ProductionCancelled
from application.spool import Reader, Tape
from application.spool.segments import FileSegment, MemorySegment
from tests.support.descriptors import descriptors

SEGMENT = 4096
WINDOW = 4 * SEGMENT
PATIENCE = 10
BYTES = bytes(range(251)) * 1000

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGMENT_BYTES", "MEMORY_SEGMENT_BYTES"):
        monkeypatch.setattr(f"application.spool.segments.{name}", SEGMENT)
    for name in ("WINDOW_BYTES", "MEMORY_WINDOW_BYTES"):
        monkeypatch.setattr(f"application.spool.tape.{name}", WINDOW)


@pytest.fixture(params=["files", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "files" else None


@pytest.fixture
def no_descriptor_left(tmp_path: Path) -> Iterator[None]:
    before = descriptors(tmp_path)
    yield
    assert descriptors(tmp_path) == before


def nothing() -> None:
    return


def opened(tape: Tape) -> Reader:
    reader = Reader.of(tape)
    assert reader
    return reader


def produce(tape: Tape, data: bytes = BYTES, piece: int = 1000) -> None:
    try:
        for start in range(0, len(data), piece):
            tape.write(data[start : start + piece])
    except DownloadError as error:
        tape.fail(error)
    else:
        tape.finish()


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE)
    return not thread.is_alive()


def settled(tape: Tape) -> int:
    """How far the producer gets before it has to wait."""
    size = -1
    while size != tape.size:
        size = tape.size
        threading.Event().wait(0.05)
    return size


def rest(reader: Reader, size: int = 700) -> bytes:
    return b"".join(iter(lambda: reader.read_blocking(size), b""))


async def rest_async(reader: Reader, size: int = 700) -> bytes:
    parts = []
    while data := await reader.read(size):
        parts.append(data)
    return b"".join(parts)


def test_threads_and_tasks_get_the_same_bytes_while_they_are_written(
    folder: Path | None, no_descriptor_left: None
) -> None:
    tape = Tape(folder, len(BYTES), nothing)
    threads, tasks = [opened(tape) for _ in range(6)], [opened(tape) for _ in range(6)]

    async def tasks_read() -> list[bytes]:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(
                *(rest_async(reader, 300 + 999 * place) for place, reader in enumerate(tasks))
            )

    with ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(rest, reader, 300 + 999 * place) for place, reader in enumerate(threads)]
        everything = pool.submit(asyncio.run, tasks_read())
        producer = started(lambda: produce(tape))
        got = [read.result(PATIENCE) for read in reads] + everything.result(PATIENCE)
    assert ended(producer)
    assert {sha256(data).hexdigest() for data in got} == {sha256(BYTES).hexdigest()}
    for reader in threads + tasks:
        reader.close()
    tape.close()


def test_memory_can_be_read_while_it_grows() -> None:
    segment, stop, failures = MemorySegment(), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            if set(segment.read(0, 1 << 16)) > {7}:
                failures.append("other bytes")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        readers = [started(read) for _ in range(3)]
        for turn in range(20_000):
            segment.write(10 * turn, memoryview(b"\x07" * 10))
    finally:
        stop.set()
        sys.setswitchinterval(interval)
    assert all(ended(reader) for reader in readers)
    assert failures == []


@pytest.mark.parametrize("piece", [b"", bytearray(b"abc"), memoryview(b"abcdef")[::1]])
def test_whatever_has_bytes_can_be_written(piece: bytes, folder: Path | None) -> None:
    tape = Tape(folder, 100, nothing)
    with opened(tape) as reader:
        tape.write(piece)
        tape.finish()
        assert rest(reader) == bytes(piece)
    tape.close()


def test_a_whole_tape_within_its_keep_is_read_again_from_its_start(tmp_path: Path) -> None:
    tape = Tape(tmp_path, len(BYTES), nothing)
    with opened(tape) as reader:
        produce(tape)
        assert rest(reader) == BYTES
    for _ in range(2):
        with opened(tape) as reader:
            assert rest(reader) == BYTES
    tape.close()
    assert Reader.of(tape) is None


def test_a_slow_reader_holds_the_producer_a_window_ahead(
    folder: Path | None, no_descriptor_left: None
) -> None:
    tape = Tape(folder, 0, nothing)
    slow, fast = opened(tape), opened(tape)
    producer = started(lambda: produce(tape))
    got = started(lambda: rest(fast))
    size = settled(tape)
    assert WINDOW <= size < WINDOW + SEGMENT
    first = slow.read_blocking(SEGMENT)
    assert size < settled(tape) < size + 2 * SEGMENT
    assert first + rest(slow) == BYTES
    assert ended(producer)
    assert ended(got)
    slow.close()
    fast.close()
    tape.close()


def test_what_all_have_read_is_freed_and_no_new_reader_is_taken(tmp_path: Path) -> None:
    before = descriptors(tmp_path)
    tape = Tape(tmp_path, 0, nothing)
    reader = opened(tape)
    producer = started(lambda: produce(tape))
    most = 0
    while reader.read_blocking(100):
        most = max(most, descriptors(tmp_path) - before)
    assert ended(producer)
    # A window, the segment that the reader is in, and the one that is written.
    assert 0 < most <= WINDOW // SEGMENT + 2
    assert Reader.of(tape) is None
    reader.close()
    tape.close()
    assert descriptors(tmp_path) == before


@pytest.mark.parametrize("keep", [SEGMENT * 8, SEGMENT * 8 - 1, SEGMENT * 8 + 1, WINDOW, 1])
def test_a_producer_held_at_any_size_goes_on_when_the_reader_does(keep: int, tmp_path: Path) -> None:
    tape = Tape(tmp_path, keep, nothing)
    reader = opened(tape)
    producer = started(lambda: produce(tape, piece=len(BYTES)))
    assert settled(tape) < len(BYTES)
    got: list[bytes] = []
    reading = started(lambda: got.append(rest(reader, 1 << 20)))
    assert ended(reading)
    assert ended(producer)
    assert got == [BYTES]
    reader.close()
    tape.close()


def test_a_slow_reader_that_leaves_lets_the_others_go_on(folder: Path | None) -> None:
    tape = Tape(folder, 0, nothing)
    slow, fast = opened(tape), opened(tape)
    producer = started(lambda: produce(tape))
    got: list[bytes] = []
    reading = started(lambda: got.append(rest(fast)))
    settled(tape)
    slow.close()
    assert ended(reading)
    assert ended(producer)
    assert got == [BYTES]
    fast.close()
    tape.close()


@pytest.mark.parametrize("keep", [0, len(BYTES)])
def test_the_last_reader_to_leave_cancels_the_producer(
    keep: int, folder: Path | None, no_descriptor_left: None
) -> None:
    left = []
    tape = Tape(folder, keep, lambda: left.append("idle"))
    first, last = opened(tape), opened(tape)
    tape.write(b"x" * SEGMENT)
    first.close()
    first.close()
    assert left == []
    last.close()
    last.close()
    assert left == ["idle"]
    assert Reader.of(tape) is None
    with pytest.raises(ProductionCancelled):
        tape.write(b"more")
    tape.fail(ProductionCancelled("gone"))


def test_the_last_reader_to_leave_wakes_a_producer_that_waits(folder: Path | None) -> None:
    tape = Tape(folder, 0, nothing)
    reader = opened(tape)
    producer = started(lambda: produce(tape))
    settled(tape)
    reader.close()
    assert ended(producer)
    assert isinstance(tape.failure, ProductionCancelled)


def test_a_held_tape_takes_readers_until_its_producer_gives_up(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 10, nothing)
    first = opened(tape)
    tape.hold()
    first.close()
    tape.write(BYTES[:11])
    opened(tape).close()
    with pytest.raises(ProductionCancelled):
        tape.write(BYTES[11:20])
    assert Reader.of(tape) is None
    tape.fail(EngineFailed("over"))


def test_a_held_tape_is_deserted_only_while_nobody_reads_it(tmp_path: Path) -> None:
    tape = Tape(tmp_path, sys.maxsize, nothing)
    reader = opened(tape)
    tape.hold()
    assert not tape.desert()
    reader.close()
    assert tape.desert()
    assert Reader.of(tape) is None
    tape.fail(EngineFailed("over"))
    assert not tape.desert()


def test_a_reader_that_leaves_a_whole_tape_cancels_nothing(tmp_path: Path) -> None:
    left: list[str] = []
    tape = Tape(tmp_path, len(BYTES), lambda: left.append("idle"))
    reader = opened(tape)
    produce(tape)
    reader.close()
    assert left == []
    tape.close()


def test_a_failure_reaches_every_reader_and_is_no_clean_end(
    folder: Path | None, no_descriptor_left: None
) -> None:
    tape = Tape(folder, len(BYTES), nothing)
    readers = [opened(tape) for _ in range(4)]
    tape.write(b"abc")
    assert readers[0].read_blocking(10) == b"abc"

    async def both() -> list[object]:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*(rest_async(r) for r in readers[2:]), return_exceptions=True)

    with ThreadPoolExecutor(4) as pool:
        blocked = [pool.submit(rest, reader) for reader in readers[:2]]
        waiting = pool.submit(asyncio.run, both())
        settled(tape)
        failure = EngineFailed("broken")
        tape.fail(failure)
        assert [read.exception(PATIENCE) for read in blocked] == [failure, failure]
        assert waiting.result(PATIENCE) == [failure, failure]
    assert Reader.of(tape) is None
    for reader in readers:
        with pytest.raises(EngineFailed):
            reader.read_blocking(1)
        reader.close()


def test_a_failure_comes_before_the_bytes_that_were_written(folder: Path | None) -> None:
    tape = Tape(folder, 100, nothing)
    with opened(tape) as reader:
        tape.write(b"abc")
        tape.fail(EngineFailed("broken"))
        with pytest.raises(EngineFailed):
            asyncio.run(reader.ready())


def test_a_stopped_tape_fails_its_readers_and_frees_its_files_with_the_producer(tmp_path: Path) -> None:
    before = descriptors(tmp_path)
    tape = Tape(tmp_path, 0, nothing)
    reader = opened(tape)
    producer = started(lambda: produce(tape))
    settled(tape)
    tape.stop(EngineFailed("stopped"))
    assert ended(producer)
    with pytest.raises(EngineFailed, match="stopped"):
        reader.read_blocking(1)
    tape.finish()
    with pytest.raises(EngineFailed, match="stopped"):
        reader.read_blocking(1)
    reader.close()
    assert descriptors(tmp_path) == before


def test_a_tape_closes_no_file_that_its_producer_may_still_write(tmp_path: Path) -> None:
    before = descriptors(tmp_path)
    tape = Tape(tmp_path, len(BYTES), nothing)
    reader = opened(tape)
    tape.write(b"x")
    reader.close()
    tape.close()
    assert descriptors(tmp_path) == before + 1
    tape.fail(ProductionCancelled("gone"))
    assert descriptors(tmp_path) == before


def test_bytes_and_an_end_that_come_while_a_reader_looks_are_not_missed(folder: Path | None) -> None:
    class Watched(Tape):
        """Finishes, in another thread, just after a reader saw how far it is."""

        _real = 0
        armed = False

        @property
        def size(self) -> int:
            seen = self._real
            if self.armed:
                self.armed = False
                started(lambda: (self.write(b"the rest"), self.finish())).join(0.3)
            return seen

        @size.setter
        def size(self, value: int) -> None:
            self._real = value

    tape = Watched(folder, 100, nothing)
    with opened(tape) as reader:
        tape.armed = True
        assert asyncio.run(rest_async(reader)) == b"the rest"
    tape.close()


def test_a_read_that_was_cancelled_loses_no_bytes(
    folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Tape(folder, len(BYTES), nothing)
    reading, go_on = threading.Event(), threading.Event()
    kind = FileSegment if folder else MemorySegment
    real = kind.read

    def slow(self: FileSegment | MemorySegment, start: int, size: int) -> bytes:
        reading.set()
        go_on.wait(PATIENCE)
        return real(self, start, size)

    monkeypatch.setattr(kind, "read", slow)

    async def cancelled_then_read() -> bytes:
        read = asyncio.create_task(reader.read(100))
        await asyncio.to_thread(reading.wait, PATIENCE)
        read.cancel()
        await asyncio.gather(read, return_exceptions=True)
        go_on.set()
        return await rest_async(reader)

    with opened(tape) as reader:
        tape.write(b"abcdef")
        tape.finish()
        assert asyncio.run(cancelled_then_read()) == b"abcdef"
    tape.close()


def test_a_reader_that_gets_no_thread_reads_all_the_same(folder: Path | None) -> None:
    class NoThreads(ThreadPoolExecutor):
        def submit(self, *_: object, **__: object) -> Never:
            raise RuntimeError("can't start new thread")

    with NoThreads() as none:
        tape = Tape(folder, len(BYTES), nothing, threads=none)
        with opened(tape) as reader:
            tape.write(b"all of it")
            tape.finish()
            assert asyncio.run(rest_async(reader)) == b"all of it"
        tape.close()


def test_a_loop_that_is_gone_stops_nobody_else(folder: Path | None) -> None:
    tape = Tape(folder, 100, nothing)
    gone, here = opened(tape), opened(tape)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(gone.read(10))
    loop.run_until_complete(asyncio.sleep(0))
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    tape.write(b"abc")
    tape.finish()
    assert rest(here) == b"abc"
    gone.close()
    here.close()
    tape.close()


@pytest.mark.parametrize("has_nameless_files", [True, False])
def test_segments_have_no_name_on_disk(
    has_nameless_files: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_descriptor_left: None
) -> None:
    if not has_nameless_files:
        monkeypatch.delattr(os, "O_TMPFILE")
    segment = FileSegment(tmp_path)
    segment.write(0, memoryview(b"abc"))
    assert segment.read(1, 10) == b"bc"
    assert list(tmp_path.iterdir()) == []
    segment.close()


def test_a_folder_that_is_gone_fails_the_write_and_not_the_tape(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "gone", 100, nothing)
    with opened(tape) as reader:
        with pytest.raises(OSError, match="gone"):
            tape.write(b"abc")
        tape.fail(EngineFailed("no disk"))
        with pytest.raises(EngineFailed):
            reader.read_blocking(1)


def test_what_will_not_be_kept_is_not_waited_for(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 1000, nothing)
    reader = opened(tape)

    async def settle(size: float) -> int | None:
        await reader.settle(size)
        return reader.size

    tape.foresee(1000, 5000)
    assert not tape.outgrown
    assert tape.held == 5000
    tape.foresee(1001, 6000)
    assert asyncio.run(settle(2000)) is None
    with pytest.raises(AnswerTooLarge, match="1,000 bytes"):
        asyncio.run(settle(math.inf))
    reader.close()
    with pytest.raises(ProductionCancelled):
        tape.foresee(1002, 6000)
    tape.fail(EngineFailed("it was stopped"))
    assert tape.held == 0
