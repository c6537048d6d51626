"""Stopping a query from another thread, before it runs or while it does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from application.errors import ProductionCancelled

# A query that has not quite begun hears no interrupt, so it is told again.
INSIST_SECONDS = 0.05


class Interruptible(Protocol):
    """What runs a query."""

    def interrupt(self) -> None:
        """Stop what runs."""


class Cancellation:
    """Set once, from any thread; the queries that are attached, or will be, stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cursors: list[Interruptible] = []
        self._detached = threading.Event()
        self.is_set = False

    def interrupt(self) -> None:
        """As ``set``, so that one can be attached to another."""
        self.set()

    def set(self) -> None:
        """Stop the queries, however far they have come."""
        with self._lock:
            is_first, self.is_set = not self.is_set, True
        if is_first and self._interrupt():
            # Without a thread to spare, once has to do.
            with suppress(RuntimeError):
                threading.Thread(target=self._insist, name="cancellation", daemon=True).start()

    def _insist(self) -> None:
        while not self._detached.wait(INSIST_SECONDS) and self._interrupt():
            continue

    def _interrupt(self) -> bool:
        """Interrupt the cursors that are attached; False where there are none."""
        with self._lock:
            for cursor in self._cursors:
                cursor.interrupt()
            return bool(self._cursors)

    @contextmanager
    def attached(self, cursor: Interruptible) -> Iterator[None]:
        """Interrupt this cursor when set; raises ProductionCancelled when that has happened already."""
        with self._lock:
            if self.is_set:
                raise ProductionCancelled("The download was cancelled.")
            self._cursors.append(cursor)
            self._detached.clear()
        try:
            yield
        finally:
            with self._lock:
                self._cursors = [other for other in self._cursors if other is not cursor]
                if not self._cursors:
                    self._detached.set()
