"""A download's bytes while and after they are made; one producer, many readers.

A tape's bytes lie in anonymous files: nothing to clean after a crash, nothing that another process
could take for a whole file. It knows no engine and no HTTP.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from application.errors import ProductionCancelled, SpoolFull
from application.spool.condition import Signal
from application.spool.reader import Reader
from application.spool.segments import NoSpace, Segments

WINDOW_BYTES = 32 << 20
# Without a folder the window is held in memory, for each production that runs.
MEMORY_WINDOW_BYTES = 2 << 20
# How often a producer looks whether a full folder has space again.
FULL_SECONDS = 0.5


class Tape:
    """A download's bytes, written by one thread and read by many readers, threads or tasks.

    Up to ``keep`` bytes the whole result stays readable from its start. Beyond that the producer
    runs at most a window ahead of the slowest reader, what all have read is freed, and no new
    reader is taken. So it is where the folder is full. ``on_idle`` is called when the last reader
    leaves a tape that is not done; ``make_room`` when the folder is full, and says whether it helped.
    Tasks read in ``threads``, or in those of their event loop.
    """

    def __init__(
        self,
        folder: Path | None,
        keep: int,
        on_idle: Callable[[], None],
        make_room: Callable[[], bool] = lambda: False,
        threads: Executor | None = None,
    ) -> None:
        self._keep = keep if folder else 0
        self._window = WINDOW_BYTES if folder else MEMORY_WINDOW_BYTES
        self._on_idle = on_idle
        self._make_room = make_room
        self._threads = threads
        self._segments = Segments(folder)
        self._readers: list[Reader] = []
        self._changed = Signal()
        self._closed = False
        self._taken = False  # by its first reader
        self._ended = False  # nothing is written from then on, so the segments can be closed
        self._hash = hashlib.sha256()
        self.size = 0
        self.rows = 0  # counted by the producer
        self.done = False
        self.blocked = False  # the producer waits for a reader: what is not whole by now never fits
        self.failure: BaseException | None = None

    @property
    def has_start(self) -> bool:
        """False once its first byte was freed: then nobody can begin to read it."""
        return self._segments.has_start

    @property
    def files(self) -> int:
        """How many files it holds open."""
        return self._segments.count

    def open(self) -> Reader | None:
        """A reader at the first byte, or None once that byte is gone or the tape has failed."""
        with self._changed:
            if self._closed or self.failure or not self.has_start:
                return None
            source = "spool" if self.done else "joined" if self._taken else "made"
            self._taken = True
            reader = Reader(self, source)
            self._readers.append(reader)
            return reader

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; waits while the window is full.

        Raises ProductionCancelled when no reader is left, and SpoolFull when there is no place to go on.
        """
        view = memoryview(data).cast("B")
        while view:
            self._wait_for_window()
            try:
                count = self._segments.append(self.size, view)
            except NoSpace as error:
                if not self._make_room():
                    self._wait_for_space(error)
                continue
            self._hash.update(view[:count])
            view = view[count:]
            with self._changed:
                self.size += count
                self._changed.ring()

    @property
    def held(self) -> int:
        """Bytes that lie in its segments."""
        return max(0, self.size - self._segments.freed)

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
                slowest = self._slowest()
                # Only a tape past what may be kept loses its start; then it takes no new readers.
                self._segments.free(slowest)
                self.blocked = self.size - slowest >= self._window
                if not self.blocked:
                    return
                self._changed.ring()
                self._changed.wait()

    def _wait_for_space(self, error: NoSpace) -> None:
        """The folder is full: from now on keep only what a reader has still to read."""
        with self._changed:
            self._keep = min(self._keep, self.size)
            slowest = self._slowest()
            if self._segments.free(slowest):
                return
            if slowest == self.size:
                raise SpoolFull("There is no space left for this download; try again later.") from error
            self.blocked = True
            self._changed.ring()
            # Others may free space without a ring here.
            self._changed.wait(FULL_SECONDS)

    def _slowest(self) -> int:
        return min((reader.position for reader in self._readers), default=self.size)

    def _free_unused(self) -> None:
        """Free all that nobody writes, reads or will read."""
        if self._ended and not self._readers and (self._closed or self.failure):
            self._segments.close()

    def _left(self, reader: Reader) -> None:
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
