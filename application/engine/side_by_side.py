"""Several reads side by side, their batches handed on in order: all wait for storage at the same time."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

# What a reader costs beside the rows that it reads, and what it may at least have made that nobody has taken.
READER_BYTES = 1 << 20
MADE_BYTES = 1 << 20


class Room:
    """How many bytes may be read ahead at the same time, by all downloads of the process together."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take room for so many bytes; False where there is not so much."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give(self, size: int) -> None:
        """Give room back."""
        with self._lock:
            self._left += size


@dataclass(frozen=True, slots=True)
class Ahead:
    """A read, the bytes of its rows, and the room that it takes where it is begun ahead."""

    read: Callable[[], Generator[pa.RecordBatch]]
    size: int
    room: Room

    def begin(self) -> "_Begun | None":
        """Begin it in a thread of its own; None where there is no room, or no thread to spare."""
        size = READER_BYTES + self.size
        if not self.room.take(size):
            return None
        try:
            return _Begun(self.read, max(MADE_BYTES, self.size), partial(self.room.give, size))
        except RuntimeError:
            self.room.give(size)
            return None


class _Begun:
    """A read in a thread of its own, at most so many bytes ahead of who takes its batches."""

    def __init__(
        self, read: Callable[[], Generator[pa.RecordBatch]], most: int, leave: Callable[[], None]
    ) -> None:
        self._read = read
        self._most = most
        self._leave = leave
        self._made: deque[pa.RecordBatch] = deque()
        self._size = 0
        self._over = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        # In the context of the caller, for its trace. A daemon: one that waits for storage must not keep the
        # process from ending.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name="read side by side", daemon=True
        )
        self._thread.start()

    def batches(self) -> Generator[pa.RecordBatch]:
        """Every batch in its order; raises what the read raised."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._made or self._over)
                if not self._made:
                    break
                batch = self._made.popleft()
                self._size -= batch.nbytes
                self._changed.notify_all()
            yield batch
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """Take no more, and wait for the thread."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()
        self._made.clear()
        self._leave()

    def _run(self) -> None:
        try:
            with closing(self._read()) as batches:
                for batch in batches:
                    if not self._put(batch):
                        return
        except BaseException as error:  # noqa: BLE001 - whatever it is, who takes the batches must learn of it
            self._failure = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _put(self, batch: pa.RecordBatch) -> bool:
        """Hand a batch on; False once nobody takes it."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or not self._made or self._size < self._most)
            if self._over:
                return False
            self._made.append(batch)
            self._size += batch.nbytes
            self._changed.notify_all()
            return True


def side_by_side(reads: Sequence[Ahead], stop: Callable[[], None]) -> Generator[pa.RecordBatch]:
    """The batches of all reads, one read after the other, later ones begun ahead where there is room.

    The first runs in the caller's thread, so that it goes on without any room. ``stop`` interrupts what runs;
    it is called where the caller takes no more.
    """
    ahead: deque[_Begun] = deque()
    place = 0  # of the next read that has not begun

    def begin_more() -> None:
        nonlocal place
        while place < len(reads) and (begun := reads[place].begin()):
            ahead.append(begun)
            place += 1

    try:
        while ahead or place < len(reads):
            if ahead:
                yield from _with_more(ahead[0].batches(), begin_more)
                ahead.popleft().close()
            else:
                place += 1
                yield from _with_more(reads[place - 1].read(), begin_more)
    except BaseException:
        stop()
        raise
    finally:
        for left in ahead:
            left.close()


def _with_more(
    batches: Generator[pa.RecordBatch], begin_more: Callable[[], None]
) -> Generator[pa.RecordBatch]:
    """The same batches; more reads are begun before each."""
    with closing(batches):
        begin_more()
        for batch in batches:
            yield batch
            begin_more()
