"""Stops a production that makes nothing for too long, or takes too long."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from application.errors import DeadlineExceeded, DownloadError, StorageStalled


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a production may make nothing, and seconds that it may take."""

    stall_seconds: float
    most_seconds: float


class Written(Protocol):
    """What a watch looks at."""

    @property
    def size(self) -> int:
        """Bytes that were made so far."""

    @property
    def blocked(self) -> bool:
        """True while the producer waits for a slow reader."""


# So much of a moment has to be spent at work for it to count as work.
BUSY_SHARE = 0.1


class Watch:
    """Says when patience is over, from looks at what is written; ``now`` is the first moment, in seconds.

    What a producer waits for a slow reader counts for neither limit. Who has much to do before the first
    byte shows its ``effort``, in seconds spent so far, and is not taken for one that waits for storage.
    """

    def __init__(self, patience: Patience, now: float) -> None:
        self._patience = patience
        self._last = now
        self._size = -1
        self._silent = self._worked = self._effort = 0.0

    def look(self, now: float, tape: Written, effort: float = 0.0) -> DownloadError | None:
        """The failure to stop the production with, or None while there is patience."""
        passed, self._last = now - self._last, now
        if tape.blocked:
            self._silent = 0.0
            return None
        self._worked += passed
        is_busy = tape.size != self._size or effort - self._effort > BUSY_SHARE * passed
        self._silent = 0.0 if is_busy else self._silent + passed
        self._size, self._effort = tape.size, effort
        if self._silent > self._patience.stall_seconds:
            return StorageStalled("The dataset's storage gave nothing for too long.")
        if self._worked > self._patience.most_seconds:
            return DeadlineExceeded(
                f"This download takes more than the {self._patience.most_seconds:g} s that making one may "
                "take; ask for less of it."
            )
        return None


@contextmanager
def watched(
    tape: Written,
    stop: Callable[[DownloadError], None],
    patience: Patience,
    effort: Callable[[], float] = lambda: 0.0,
) -> Iterator[None]:
    """While a producer writes this tape, stop it with a failure if it stalls or takes too long."""
    over = threading.Event()
    pause = min(patience.stall_seconds / 4, patience.most_seconds / 4, 1.0)
    watch = Watch(patience, time.monotonic())

    def run() -> None:
        while not over.wait(pause):
            if failure := watch.look(time.monotonic(), tape, effort()):
                stop(failure)
                return

    threading.Thread(target=run, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()
