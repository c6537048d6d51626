"""Counters in this process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

# About 300 bytes each. A flood of addresses pushes out the oldest, rather than growing without end.
MOST_COUNTERS = 100_000


class Counters:
    """Fixed windows in memory, each beginning with its first count; ``clock`` tells seconds."""

    def __init__(self, most: int = MOST_COUNTERS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        # Each key's count, and the end of its window by the clock.
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, key: str, seconds: int, /) -> tuple[int, float]:
        """Count once, in the window that runs or in a new one; returns its count and the seconds left."""
        now = self._clock()
        with self._lock:
            count, end = self._windows.get(key, (0, now))
            if end <= now:
                count, end = 0, now + seconds
                self._windows.pop(key, None)
                while len(self._windows) >= self._most:
                    self._windows.popitem(last=False)
            self._windows[key] = (count + 1, end)
            return count + 1, end - now
