"""Slots for productions: how many run at the same time, and who is next."""

import threading
import time
from collections import deque
from collections.abc import Callable

from application.errors import Busy, ProductionCancelled, ResultTooLarge


class Slots:
    """Slots for productions, by count and by memory, given in the order of asking."""

    def __init__(self, count: int, memory: int, most_waiting: int, seconds: float) -> None:
        self._count = count
        self._memory = memory
        self._budget = memory
        self._most_waiting = most_waiting
        self._seconds = seconds
        self._queue: deque[object] = deque()
        self.taken = 0
        self._changed = threading.Condition()

    def enter(self, memory: int, is_cancelled: Callable[[], bool]) -> None:
        """Wait for a slot.

        Raises Busy, ProductionCancelled, or ResultTooLarge for what can never fit.
        """
        if memory > self._budget:
            needs, has = -(-memory >> 20), self._budget >> 20
            raise ResultTooLarge(f"This dataset's rows need {needs} MiB to read; this service has {has} MiB.")
        ticket = object()
        deadline = time.monotonic() + self._seconds
        with self._changed:
            if len(self._queue) >= self._most_waiting + self._count:
                raise Busy("Too many downloads are waiting; try again later.")
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or self._count < 1 or self._memory < memory:
                    self._raise_if_hopeless(deadline, is_cancelled)
                    self._changed.wait(deadline - time.monotonic())
                self._raise_if_hopeless(float("inf"), is_cancelled)
                self._count -= 1
                self.taken += 1
                self._memory -= memory
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._queue)

    def leave(self, memory: int) -> None:
        """Give a slot back."""
        with self._changed:
            self._count += 1
            self.taken -= 1
            self._memory += memory
            self._changed.notify_all()

    def nudge(self) -> None:
        """Make those who wait look again at whether they still want to."""
        with self._changed:
            self._changed.notify_all()

    def _raise_if_hopeless(self, deadline: float, is_cancelled: Callable[[], bool]) -> None:
        if is_cancelled():
            raise ProductionCancelled("The download was cancelled.")
        if time.monotonic() >= deadline:
            raise Busy("No place for this download became free in time; try again later.")
