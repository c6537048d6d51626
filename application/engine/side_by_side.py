"""Several reads side by side, their batches handed on in order: all wait for storage at the same time."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from contextvars import copy_context

import pyarrow as pa

# What a reader costs beside the rows that it reads, and what it may have made that nobody has taken.
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


class _Ahead:
    """One read in a thread of its own, at most ``MADE_BYTES`` ahead of who takes its batches."""

    def __init__(self, read: Callable[[], Generator[pa.RecordBatch]]) -> None:
        self._read = read
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
            self._changed.wait_for(lambda: self._over or not self._made or self._size < MADE_BYTES)
            if self._over:
                return False
            self._made.append(batch)
            self._size += batch.nbytes
            self._changed.notify_all()
            return True


def side_by_side(
    reads: Sequence[tuple[int, Callable[[], Generator[pa.RecordBatch]]]], room: Room, stop: Callable[[], None]
) -> Generator[pa.RecordBatch]:
    """The batches of all reads, one read after the other, later ones begun ahead where there is room.

    Each read comes with the bytes that it reads. The first runs in the caller's thread, so that it goes on
    without any room. ``stop`` interrupts what runs; it is called where the caller takes no more.
    """
    ahead: deque[tuple[int, _Ahead]] = deque()
    place = 0  # of the next read that has not begun

    def begin_more() -> None:
        nonlocal place
        while place < len(reads):
            size = READER_BYTES + reads[place][0]
            if not room.take(size):
                return
            try:
                ahead.append((size, _Ahead(reads[place][1])))
            except RuntimeError:  # no thread to spare
                room.give(size)
                return
            place += 1

    try:
        while ahead or place < len(reads):
            if ahead:
                size, current = ahead[0]
                yield from _with_more(current.batches(), begin_more)
                ahead.popleft()
                current.close()
                room.give(size)
            else:
                place += 1
                yield from _with_more(reads[place - 1][1](), begin_more)
    except BaseException:
        stop()
        raise
    finally:
        for size, left in ahead:
            left.close()
            room.give(size)


def _with_more(
    batches: Generator[pa.RecordBatch], begin_more: Callable[[], None]
) -> Generator[pa.RecordBatch]:
    """The same batches; more reads are begun before each."""
    with closing(batches):
        begin_more()
        for batch in batches:
            yield batch
            begin_more()
