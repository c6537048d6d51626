"""A download's bytes while and after they are made; one producer, many readers."""

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from application.errors import ProductionCancelled
from application.spool.audience import Audience, Place
from application.spool.condition import SharedCondition
from application.spool.latest import PIECE_BYTES, Latest
from application.spool.pool import SegmentPool
from application.spool.segments import NoSpace, Segments
from application.spool.window import Window

# Of one write. A larger one has the system look for large pages that nothing has touched, at twice the cost;
# and what is written is still in the cache of the processor when it is hashed.
WRITE_BYTES = PIECE_BYTES
# How often a producer looks whether a full folder has space again.
FULL_SECONDS = 0.5


class Tape:
    """A download's bytes, written by one thread and read by many readers, threads or tasks.

    Up to ``keep`` bytes the whole result stays readable from its start. Beyond that the producer
    runs at most a window ahead of the slowest reader, what all have read is freed, and no new
    reader is taken. So it is where the folder is full. ``on_idle`` is called when the last reader
    leaves a tape that is not done, which then takes no more, unless it is held; ``make_room`` when the
    folder is full, and says whether it helped.
    Tasks read in ``threads``, or in those of their event loop. Segments come from the ``pool``, which is of
    the same folder.
    """

    def __init__(
        self,
        folder: Path | None,
        keep: int,
        on_idle: Callable[[], None],
        make_room: Callable[[], bool] = lambda: False,
        *,
        threads: Executor | None = None,
        pool: SegmentPool | None = None,
    ) -> None:
        self._on_idle = on_idle
        self._make_room = make_room
        self.threads = threads
        self._segments = Segments(pool or SegmentPool(folder))
        self._audience = Audience()
        # Without a folder all of it is in memory.
        self.latest = Latest(is_kept=folder is not None)
        self.window = Window(folder, keep, self._segments, self._audience)
        self.changed = SharedCondition()
        self._ended = False  # nothing is written from then on, so the segments can be closed
        self._hash = hashlib.sha256()
        self.size = 0
        self.rows = 0  # counted by the producer
        self.done = False
        self.beside = 0  # bytes of the folder that the producer has in files of its own
        self.failure: BaseException | None = None

    @property
    def has_start(self) -> bool:
        """False once its first byte was freed: then nobody can begin to read it."""
        return self._segments.has_start

    @property
    def files(self) -> int:
        """How many files it holds open."""
        return self._segments.count

    @property
    def blocked(self) -> bool:
        """True while the producer waits for a slow reader."""
        return self.window.blocked

    def enter(self, place: Place) -> str | None:
        """Take a reader in at the first byte; returns where its bytes come from.

        None once that byte is gone or the tape has failed: then it is not taken.
        """
        with self.changed:
            if self._audience.is_closed or not self.has_start:
                return None
            is_first = self._audience.enter(place)
            return "spool" if self.done else "made" if is_first else "joined"

    def has_more(self, position: int, end: int | None) -> bool | None:
        """True for bytes past a place, False at the clean end, None while neither is known.

        Raises the producer's failure.
        """
        # At one moment: bytes and an end that come between two looks would make a short, clean end.
        with self.changed:
            if self.failure:
                raise self.failure
            if end is not None and position >= end:
                return False
            if self.size > position:
                return True
            return False if self.done else None

    def look(self, position: int, size: int) -> bytes:
        """At most ``size`` bytes from a place that has them."""
        return self._segments.read(position, size)

    def moved(self) -> None:
        """A reader has moved on: a producer that waits for it may go on. With ``changed`` held."""
        if self.size >= self.window.keep:
            self.changed.ring()

    def leave(self, place: Place) -> None:
        """Let a reader go; the last to go stops the producer, unless the tape is held."""
        with self.changed:
            if not self._audience.leave(place):
                return
            idle = not self.is_read and not self.done and not self.failure
            self._free_unused()
            self.changed.ring()
        if idle:
            self._on_idle()

    def hold(self) -> None:
        """Stay open to readers when the last one leaves, until it is deserted."""
        with self.changed:
            self._audience.is_held = True

    def desert(self) -> bool:
        """Take no more readers, if nobody reads a tape that is still written; False otherwise."""
        with self.changed:
            if self.is_read or self.done or self.failure:
                return False
            self._audience.is_closed = True
            return True

    @property
    def is_read(self) -> bool:
        """True while it has a reader."""
        return not self._audience.is_empty

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes, which are not to be changed any more; waits while the window is full.

        Raises ProductionCancelled when no reader is left, and SpoolFull when there is no place to go on.
        """
        view = memoryview(data).cast("B")
        while view:
            self._wait_for_window()
            try:
                count = self._segments.append(self.size, view[:WRITE_BYTES])
            except NoSpace as error:
                if not self._make_room():
                    self._wait_for_space(error)
                continue
            self._hash.update(view[:count])
            self.latest.add(self.size, view[:count], memoryview(data).nbytes)
            view = view[count:]
            with self.changed:
                self.size += count
                self.changed.ring()

    def foresee(self, size: int, beside: int) -> None:
        """Say how many bytes the result has at least, and how many lie beside it in files of the producer's.

        Raises ProductionCancelled where it is stopped, or nobody reads what cannot be kept.
        """
        with self.changed:
            self.beside = beside
            self._check_wanted(size)
            if size > self.window.keep and not self.window.outgrown:
                self.window.outgrown = True
                self.changed.ring()

    @property
    def held(self) -> int:
        """Bytes that lie in its segments, and beside them."""
        return max(0, self.size - self._segments.freed) + self.beside

    @property
    def digest(self) -> bytes | None:
        """The SHA-256 of all bytes, once they are whole."""
        return self._hash.digest() if self.done else None

    def finish(self) -> None:
        """Say that the bytes are whole; the producer's last call."""
        with self.changed:
            self._segments.trim(self.size)
            self.done = self._audience.is_held = True
            self._end()

    def fail(self, failure: BaseException) -> None:
        """Say that the bytes will never be whole; the producer's last call. Every reader gets the failure."""
        with self.changed:
            self.stop(failure)
            self._end()

    def stop(self, failure: BaseException) -> None:
        """Give the readers a failure at once, from any thread; the producer's next write is refused."""
        with self.changed:
            self.failure = self.failure or failure
            self._audience.is_closed = True
            self.changed.ring()

    def close(self) -> None:
        """Take no more readers; the space is freed when the last one has left."""
        with self.changed:
            self._audience.is_closed = True
            self._free_unused()

    def _end(self) -> None:
        self._ended = True
        self.latest.drop()
        self.beside = 0
        # It may lead back to this tape, which is to go as soon as nobody holds it.
        self._on_idle = lambda: None
        self._free_unused()
        self.changed.ring()

    def _check_wanted(self, size: int) -> None:
        """Raise ProductionCancelled where it is stopped, or nobody reads or will read so many bytes."""
        if self.failure:
            raise ProductionCancelled("The download was stopped.")
        if not self.is_read and (self._audience.is_closed or size > self.window.keep):
            # Who comes from now on would be given this end.
            self._audience.is_closed = True
            raise ProductionCancelled("The download's readers are gone.")

    def _wait_for_window(self) -> None:
        with self.changed:
            while True:
                self._check_wanted(self.size)
                if self.window.admits(self.size):
                    return
                # It is far from here that its reader is.
                self.latest.drop()
                self.changed.ring()
                self.changed.wait()

    def _wait_for_space(self, error: NoSpace) -> None:
        """The folder is full: from now on keep only what a reader has still to read."""
        with self.changed:
            if not self.window.shrink(self.size, error):
                self.changed.ring()
                # Others may free space without a ring here.
                self.changed.wait(FULL_SECONDS)

    def _free_unused(self) -> None:
        """Free all that nobody writes, reads or will read."""
        if self._ended and self._audience.is_closed and not self.is_read:
            self._segments.close()
