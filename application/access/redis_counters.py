"""Counters in Redis, for all processes that name the same one."""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limits.storage import RedisStorage


class RedisCounters:
    """The library's fixed windows; raises what the client of Redis raises."""

    def __init__(self, storage: "RedisStorage") -> None:
        self._storage = storage

    def incr(self, key: str, expiry: int, /) -> int:
        """Count once, in the window that runs or in a new one of `expiry` seconds; returns the count."""
        return self._storage.incr(key, expiry)

    def get_expiry(self, key: str, /) -> float:
        """When the key's window ends, in seconds since the epoch; now where there is none.

        The library's own is rounded to seconds: who waited until then would be refused once more.
        """
        left: Any = self._storage.storage.pttl(self._storage.prefixed_key(key))
        return time.time() + max(int(left), 0) / 1000

    def close(self) -> None:
        """Let the connections go."""
        self._storage.storage.close()
