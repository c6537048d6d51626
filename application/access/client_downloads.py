"""How many downloads each client has at the same time."""

import threading
from collections import Counter


class ClientDownloads:
    """So many places for each client of this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, client: str) -> bool:
        """Take a place, to be given back; False where the client has all of its own already."""
        with self._lock:
            if self._taken[client] >= self._most:
                return False
            self._taken[client] += 1
            return True

    @property
    def taken(self) -> int:
        """How many places all clients have taken."""
        with self._lock:
            return self._taken.total()

    def give_back(self, client: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]
