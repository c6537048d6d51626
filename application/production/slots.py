"""Slots for productions: how many run at the same time, and who is next."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from application.errors import Busy, ProductionCancelled, ResultTooLarge


@dataclass(eq=False, frozen=True, slots=True)
class _Ticket:
    """Somebody who waits."""

    owner: str
    memory: int


class Slots:
    """Slots for productions, by count and by memory, given in the order of asking.

    One owner, a dataset, never has all of three or more: its storage may stall, and the others would wait.
    """

    def __init__(self, count: int, memory: int, most_waiting: int, seconds: float) -> None:
        self._most = count
        self._count = count
        self._share = count - 1 if count > 2 else count
        self._owned: Counter[str] = Counter()
        self._memory = memory
        self._budget = memory
        self._most_waiting = most_waiting
        self._seconds = seconds
        self._queue: deque[_Ticket] = deque()
        self.taken = 0
        self._changed = threading.Condition()

    def enter(self, owner: str, memory: int, is_cancelled: Callable[[], bool]) -> None:
        """Wait for a slot of the owner's.

        Raises Busy, ProductionCancelled, or ResultTooLarge for what can never fit.
        """
        if memory > self._budget:
            needs, has = -(-memory >> 20), self._budget >> 20
            raise ResultTooLarge(f"This dataset's rows need {needs} MiB to read; this service has {has} MiB.")
        ticket = _Ticket(owner, memory)
        deadline = time.monotonic() + self._seconds
        with self._changed:
            if len(self._queue) >= self._most_waiting + self._count:
                raise Busy("Too many downloads are waiting; try again later.")
            self._queue.append(ticket)
            try:
                while self._next() is not ticket:
                    self._raise_if_hopeless(deadline, is_cancelled)
                    self._changed.wait(deadline - time.monotonic())
                self._raise_if_hopeless(float("inf"), is_cancelled)
                self._count -= 1
                self._owned[owner] += 1
                self.taken += 1
                self._memory -= memory
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def would_start(self, owner: str, memory: int, others: Iterable[tuple[str, int]]) -> bool:
        """True where one more has its slot at once, beside others that run or wait (owner, memory)."""
        others = list(others)
        owned = Counter(other for other, _ in others)
        taken = sum(min(count, self._share) for count in owned.values())
        needed = memory + sum(other for _, other in others)
        return taken < self._most and owned[owner] < self._share and needed <= self._budget

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._queue)

    def leave(self, owner: str, memory: int) -> None:
        """Give a slot back."""
        with self._changed:
            self._owned[owner] -= 1
            if not self._owned[owner]:
                del self._owned[owner]
            self._count += 1
            self.taken -= 1
            self._memory += memory
            self._changed.notify_all()

    def nudge(self) -> None:
        """Make those who wait look again at whether they still want to."""
        with self._changed:
            self._changed.notify_all()

    def _next(self) -> _Ticket | None:
        """Who gets the next slot, if there is one for them now: the first whose owner may have another."""
        first = next((ticket for ticket in self._queue if self._owned[ticket.owner] < self._share), None)
        return first if first and self._count > 0 and self._memory >= first.memory else None

    def _raise_if_hopeless(self, deadline: float, is_cancelled: Callable[[], bool]) -> None:
        if is_cancelled():
            raise ProductionCancelled("The download was cancelled.")
        if time.monotonic() >= deadline:
            raise Busy("No place for this download became free in time; try again later.")
