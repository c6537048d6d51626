"""Stages side by side: each works in threads of its own on what the stage before it made, all in order."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def size_of(item: object) -> int:
    """The bytes of a batch or a chunk; at least one."""
    return max(1, len(item) if isinstance(item, bytes) else int(getattr(item, "nbytes", 0)))


@dataclass(eq=False, slots=True)
class _Slot(Generic[Made]):
    """The place of one item in the order, from when its work begins until it is taken."""

    size: int
    made: list[Made] = field(default_factory=list)  # empty until it is made
    failure: BaseException | None = None

    @property
    def is_ready(self) -> bool:
        return bool(self.made) or self.failure is not None


@contextmanager
def stage(
    items: Iterator[Given],
    work: Callable[[Given], Made],
    stop: Callable[[], None],
    *,
    workers: int,
    room: int,
) -> Iterator[Iterator[Made]]:
    """What ``work`` makes of each item, in the order of the items, made ahead by so many threads.

    No item is begun while ``room`` bytes wait or are in the making; an item counts by what it is made of
    until it is made. Without a worker, or where none can start, each item is made when it is asked for.
    At the block's end a generator of items is closed, in the thread that ran it where there is one worker.
    Where the block fails, ``stop`` is called first, which ends the making of an item that nobody waits for.
    """
    line = _Line(items, work, room)
    started = line.start(workers)
    try:
        yield line.taken() if started else map(work, items)
    except BaseException:
        stop()
        raise
    finally:
        line.close()


class _Line(Generic[Given, Made]):
    """The items of one stage, from when they are asked for until they are taken."""

    def __init__(self, items: Iterator[Given], work: Callable[[Given], Made], room: int) -> None:
        self._items = items
        self._work = work
        self._room = room
        self._turn = threading.Lock()  # of the worker that asks for the next item
        self._changed = threading.Condition()
        self._slots: deque[_Slot[Made]] = deque()
        self._size = 0
        self._over = False  # nobody takes any more
        self._ended = False  # there are no more items
        self._threads: list[threading.Thread] = []

    def start(self, workers: int) -> bool:
        """Begin with as many workers as can start; False where none can."""
        for _ in range(workers):
            # In the context of the caller, for its trace. A daemon: one that waits for storage must not keep
            # the process from ending.
            thread = threading.Thread(
                target=copy_context().run, args=(self._run,), name="production stage", daemon=True
            )
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                break
            self._threads.append(thread)
        return bool(self._threads)

    def taken(self) -> Iterator[Made]:
        """What was made, in order; raises what an item or the work on it raised, in its place."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._slots[0].is_ready if self._slots else self._ended)
                if not self._slots:
                    return
                slot = self._slots.popleft()
                self._size -= slot.size
                self._changed.notify_all()
            if slot.failure:
                raise slot.failure
            yield slot.made.pop()

    def close(self) -> None:
        """Take no more, and wait until nothing runs."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._end()

    def _run(self) -> None:
        while self._step():
            continue

    def _step(self) -> bool:
        """Make one item; False where there is none, or nobody takes it."""
        begun = self._begin()
        if begun is None:
            return False
        slot, item = begun
        try:
            made = self._work(item)
        except BaseException as error:  # noqa: BLE001 - whatever it is, who takes it must learn of it
            self._fail(slot, error)
        else:
            self._hand_on(slot, made)
        return True

    def _begin(self) -> tuple[_Slot[Made], Given] | None:
        """The next item and its place; None where there is none, or nobody takes it."""
        with self._turn:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._ended or self._size < self._room)
                if self._over or self._ended:
                    self._end()
                    return None
            try:
                item = next(self._items)
            except StopIteration:
                self._finish()
                return None
            except BaseException as error:  # noqa: BLE001 - as above
                with self._changed:
                    slot: _Slot[Made] = _Slot(0)
                    self._slots.append(slot)
                self._fail(slot, error)
                return None
            with self._changed:
                slot = _Slot(size_of(item))
                self._slots.append(slot)
                self._size += slot.size
            return slot, item

    def _hand_on(self, slot: _Slot[Made], made: Made) -> None:
        with self._changed:
            size = size_of(made)
            self._size += size - slot.size
            slot.size = size
            slot.made.append(made)
            self._changed.notify_all()

    def _fail(self, slot: _Slot[Made], error: BaseException) -> None:
        with self._changed:
            slot.failure = error
        self._finish()

    def _finish(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _end(self) -> None:
        """Close a generator of items, which does nothing where it is over."""
        if isinstance(self._items, Generator):
            self._items.close()
