"""Counters in this process, for the methods that are needed of a storage of `limits`."""

import threading
import time
from collections import OrderedDict

# About 300 bytes each. A flood of addresses pushes out the oldest, rather than growing without end.
MOST_COUNTERS = 100_000


class Counters:
    """Fixed windows in memory, each beginning with its first count.

    The library's own storage starts a thread, and looks at every counter, every hundredth of a second.
    """

    def __init__(self, most: int = MOST_COUNTERS) -> None:
        self._most = most
        # Each key's count, and the end of its window in seconds since the epoch.
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def incr(self, key: str, expiry: int, /) -> int:
        """Count once, in the window that runs or in a new one of `expiry` seconds; returns the count."""
        now = time.time()
        with self._lock:
            count, end = self._windows.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + expiry
                self._windows.pop(key, None)
                while len(self._windows) >= self._most:
                    self._windows.popitem(last=False)
            self._windows[key] = (count + 1, end)
            return count + 1

    def get_expiry(self, key: str, /) -> float:
        """When the key's window ends, in seconds since the epoch; now where there is none."""
        with self._lock:
            return self._windows.get(key, (0, time.time()))[1]
