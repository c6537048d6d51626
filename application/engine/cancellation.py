"""Stopping a query from another thread, before it runs or while it does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from application.errors import ProductionCancelled


class Interruptible(Protocol):
    """What runs a query."""

    def interrupt(self) -> None:
        """Stop what runs."""


class Cancellation:
    """Set once, from any thread; the query that is attached, or will be, stops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cursor: Interruptible | None = None
        self.is_set = False

    def set(self) -> None:
        """Stop the query."""
        with self._lock:
            self.is_set = True
            if self._cursor is not None:
                self._cursor.interrupt()

    @contextmanager
    def attached(self, cursor: Interruptible) -> Iterator[None]:
        """Interrupt this cursor when set; raises ProductionCancelled when that has happened already."""
        with self._lock:
            if self.is_set:
                raise ProductionCancelled("The download was cancelled.")
            self._cursor = cursor
        try:
            yield
        finally:
            with self._lock:
                self._cursor = None
