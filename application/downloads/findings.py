"""What was found out of queries, kept for who asks again."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Findings(Generic[Found]):
    """What was found, by key, the ones last asked for; for many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Found] = OrderedDict()

    def get(self, key: str) -> Found | None:
        """What is known, or None."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def find(self, key: str, look: Callable[[], Found | None]) -> Found | None:
        """What is known, else what ``look`` finds now; where it finds None, it is asked again next time."""
        if (known := self.get(key)) is not None:
            return known
        found = look()
        if found is not None:
            with self._lock:
                self._known[key] = found
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
        return found
