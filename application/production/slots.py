"""Slots for productions: who waits for one, and who is given one when something changes."""

import threading
import time
from collections.abc import Callable

from application.errors import Busy, ProductionCancelled
from application.production.admission import Admission, Cores, Work

# How often somebody looks whether the cores have room, while there are some who wait.
LOOK_SECONDS = 0.1


class Slots:
    """Slots as an admission gives them.

    Where ``most_waiting`` wait, who asks is turned away; so is who has waited for ``seconds``.
    """

    def __init__(self, admission: Admission, cores: Cores, most_waiting: int, seconds: float) -> None:
        self.admission = admission
        self._cores = cores
        self._most_waiting = most_waiting
        self._seconds = seconds
        self._running: list[Work] = []
        # Each has a bell of its own: one place wakes one, not all.
        self._waiting: dict[Work, threading.Condition] = {}
        self._lock = threading.Lock()

    def enter(self, work: Work, is_cancelled: Callable[[], bool]) -> None:
        """Wait for a slot; raises Busy, ProductionCancelled, or ResultTooLarge for what can never fit."""
        self.admission.check(work)
        deadline = time.monotonic() + self._seconds
        with self._lock:
            bell = self._waiting[work] = threading.Condition(self._lock)
            try:
                self._give()
                if len(self._waiting) > self._most_waiting and work in self._waiting:
                    raise Busy("Too many downloads are waiting; try again later.")
                while work in self._waiting:
                    _raise_if_hopeless(deadline, is_cancelled)
                    is_first = next(iter(self._waiting)) is work
                    left = deadline - time.monotonic()
                    if not bell.wait(min(LOOK_SECONDS, left) if is_first else left) and is_first:
                        self._give(has_room=self._cores.take_room())
                if is_cancelled():
                    self._running.remove(work)
                    raise ProductionCancelled("The download was cancelled.")
            finally:
                self._waiting.pop(work, None)
                self._give()

    def leave(self, work: Work) -> None:
        """Give a slot back."""
        with self._lock:
            self._running.remove(work)
            self._give()

    def nudge(self) -> None:
        """Make those who wait look again at whether they still want to."""
        with self._lock:
            for bell in self._waiting.values():
                bell.notify()

    @property
    def taken(self) -> int:
        """How many run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    def _give(self, *, has_room: bool = False) -> None:
        """Let begin all who may."""
        while work := self.admission.next(self._waiting, self._running, has_room=has_room):
            has_room = False
            self._running.append(work)
            self._waiting.pop(work).notify()
        if self._waiting:
            # Whoever has waited longest looks at the cores for all.
            next(iter(self._waiting.values())).notify()


def _raise_if_hopeless(deadline: float, is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise ProductionCancelled("The download was cancelled.")
    if time.monotonic() >= deadline:
        raise Busy("No place for this download became free in time; try again later.")
