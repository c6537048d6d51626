"""Tapes: a download's bytes while and after they are made; one producer, many readers.

A tape is a list of segments, each an anonymous file: nothing to clean after a crash, nothing that
another process could take for a whole file. It knows no engine and no HTTP.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable
from pathlib import Path

from application.errors import ProductionCancelled, ResultTooLarge
from application.segments import FileSegment, MemorySegment, Segment
from application.waiting import Signal

SEGMENT_BYTES = 8 << 20
WINDOW_BYTES = 4 * SEGMENT_BYTES
# Without a folder the window is held in memory, for each production that runs.
MEMORY_WINDOW_BYTES = 2 << 20
MEMORY_SEGMENT_BYTES = 1 << 20


class Tape:
    """A download's bytes, written by one thread and read by many readers, threads or tasks.

    Up to ``keep`` bytes the whole result stays readable from its start. Beyond that the producer
    runs at most a window ahead of the slowest reader, what all have read is freed, and no new
    reader is taken. ``on_idle`` is called when the last reader leaves a tape that is not done.
    """

    def __init__(self, folder: Path | None, keep: int, on_idle: Callable[[], None]) -> None:
        self._folder = folder
        self._keep = keep if folder else 0
        self._window = WINDOW_BYTES if folder else MEMORY_WINDOW_BYTES
        self._segment_bytes = SEGMENT_BYTES if folder else MEMORY_SEGMENT_BYTES
        self._on_idle = on_idle
        self._segments: list[Segment | None] = []
        self._readers: list[Reader] = []
        self._changed = Signal()
        self._closed = False
        self._ended = False  # nothing is written from then on, so the segments can be closed
        self._hash = hashlib.sha256()
        self.size = 0
        self.rows = 0  # counted by the producer
        self.done = False
        self.blocked = False  # the producer waits for a reader: what is not whole by now never fits
        self.failure: BaseException | None = None

    def open(self) -> "Reader | None":
        """A reader at the first byte, or None once that byte is gone or the tape has failed."""
        with self._changed:
            if self._closed or self.failure or (self._segments and self._segments[0] is None):
                return None
            reader = Reader(self)
            self._readers.append(reader)
            return reader

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; waits while the window is full. Raises ProductionCancelled when no reader is left."""
        view = memoryview(data).cast("B")
        while view:
            self._wait_for_window()
            offset = self.size % self._segment_bytes
            if offset == 0:
                self._segments.append(FileSegment(self._folder) if self._folder else MemorySegment())
            segment = self._segments[-1]
            if segment is None:
                raise ProductionCancelled("The download's readers are gone.")
            piece = view[: self._segment_bytes - offset]
            segment.append(piece)
            self._hash.update(piece)
            view = view[len(piece) :]
            with self._changed:
                self.size += len(piece)
                self._changed.ring()

    @property
    def digest(self) -> bytes | None:
        """The SHA-256 of all bytes, once they are whole."""
        return self._hash.digest() if self.done else None

    def finish(self) -> None:
        """Say that the bytes are whole; the producer's last call."""
        with self._changed:
            self.done = self._ended = True
            self._changed.ring()
            self._free_unused()

    def fail(self, failure: BaseException) -> None:
        """Say that the bytes will never be whole; the producer's last call. Every reader gets the failure."""
        with self._changed:
            self._ended = True
            self.stop(failure)
            self._free_unused()

    def stop(self, failure: BaseException) -> None:
        """Give the readers a failure at once, from any thread; the producer's next write is refused."""
        with self._changed:
            self.failure = self.failure or failure
            self._changed.ring()

    def close(self) -> None:
        """Take no more readers; the space is freed when the last one has left."""
        with self._changed:
            self._closed = True
            self._free_unused()

    def _wait_for_window(self) -> None:
        with self._changed:
            while True:
                if self.failure:
                    raise ProductionCancelled("The download was stopped.")
                if not self._readers and (self._closed or self.size > self._keep):
                    raise ProductionCancelled("The download's readers are gone.")
                if self.size < self._keep:
                    return
                slowest = min((reader.position for reader in self._readers), default=self.size)
                # Only a tape past what may be kept loses its start; then it takes no new readers.
                self._free(slowest // self._segment_bytes)
                self.blocked = self.size - slowest >= self._window
                if not self.blocked:
                    return
                self._changed.ring()
                self._changed.wait()

    def _free_unused(self) -> None:
        """Free all that nobody writes, reads or will read."""
        if self._ended and not self._readers and (self._closed or self.failure):
            self._free(len(self._segments))

    def _free(self, count: int) -> None:
        for index, segment in enumerate(self._segments[:count]):
            if segment is not None:
                segment.close()
                self._segments[index] = None

    def _left(self, reader: "Reader") -> None:
        with self._changed:
            if reader not in self._readers:
                return
            self._readers.remove(reader)
            idle = not self._readers and not self.done and not self.failure
            if idle:
                self._closed = True
            self._free_unused()
            self._changed.ring()
        if idle:
            self._on_idle()


class Reader:
    """One place on a tape; close it to leave."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._end: int | None = None
        self.position = 0

    @property
    def size(self) -> int | None:
        """All bytes of the result, once they are whole."""
        return self._tape.size if self._tape.done else None

    @property
    def rows(self) -> int | None:
        """All rows of the result, once they are whole."""
        return self._tape.rows if self._tape.done else None

    @property
    def digest(self) -> bytes | None:
        """The SHA-256 of the result, once it is whole."""
        return self._tape.digest

    def cut(self, start: int, end: int) -> None:
        """Read [start, end) of a whole result only."""
        self.position, self._end = start, end

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the tape; the last to leave stops its producer."""
        self._tape._left(self)

    async def ready(self) -> bool:
        """Wait for bytes past this place, True, or the clean end, False; raises the producer's failure."""
        await self._tape._changed.until(lambda: self._state() is not None)
        return bool(self._state())

    async def settle(self, size: float = math.inf, seconds: float | None = None) -> None:
        """Wait for the whole result, or until there are ``size`` bytes or ``seconds`` are over.

        Raises the producer's failure, and ResultTooLarge where the whole is wanted but has no place.
        """
        tape = self._tape

        def settled() -> bool:
            self._state()
            if tape.blocked and size == math.inf and not tape.done:
                raise ResultTooLarge(f"The result is larger than the {tape.size:,} bytes that fit here.")
            return tape.done or tape.blocked or tape.size >= size

        try:
            async with asyncio.timeout(seconds):
                await tape._changed.until(settled)
        except TimeoutError:
            return

    async def read(self, size: int) -> bytes:
        """At most ``size`` bytes, empty at the clean end; raises the producer's failure."""
        if not await self.ready():
            return b""
        return self._passed(await asyncio.to_thread(self._look, size))

    def read_blocking(self, size: int) -> bytes:
        """The same for a thread without an event loop."""
        with self._tape._changed:
            while (state := self._state()) is None:
                self._tape._changed.wait()
        return self._passed(self._look(size)) if state else b""

    def _state(self) -> bool | None:
        tape = self._tape
        # At one moment: bytes and an end that come between two looks would make a short, clean end.
        with tape._changed:
            if tape.failure:
                raise tape.failure
            if self._end is not None and self.position >= self._end:
                return False
            if tape.size > self.position:
                return True
            return False if tape.done else None

    def _look(self, size: int) -> bytes:
        tape = self._tape
        index, offset = divmod(self.position, tape._segment_bytes)
        end = tape.size if self._end is None else self._end
        wanted = min(size, end - self.position, tape._segment_bytes - offset)
        segment = tape._segments[index]
        if segment is None:
            raise ProductionCancelled("The download's bytes are gone.")
        return segment.read(offset, wanted)

    def _passed(self, data: bytes) -> bytes:
        """Move on, once the bytes have their taker: a read that was cancelled loses none."""
        tape = self._tape
        with tape._changed:
            self.position += len(data)
            if tape.size >= tape._keep:
                tape._changed.ring()
        return data
