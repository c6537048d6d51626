"""Tapes: what readers get while bytes are written, and how it ends."""

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Never

import pytest

from application.errors import EngineFailed, ProductionCancelled
from application.spool import Reader, Tape
from application.spool.segments import FileSegment, MemorySegment
from tests.support.descriptors import descriptors
from tests.support.tapes import (
    BYTES,
    PATIENCE,
    ended,
    nothing,
    opened,
    produce,
    rest,
    settled,
    started,
)

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("small_window")]


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
