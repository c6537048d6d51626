"""How many processes read for the first time what may end them: two, while others look how it ends."""

import fcntl
import os
import threading
from collections import Counter
from pathlib import Path

PLACES = 2
# Each version has its own bytes of the file to lock; two that share theirs only wait for each other.
VERSIONS = 1 << 40


class Turns:
    """Places by version, in a file that all processes of a folder lock bytes of; a dead one's are free."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._held: dict[str, int] = {}
        self._holders: Counter[str] = Counter()

    def take(self, version: str) -> bool:
        """Take a place, or share this process's; False where other processes have them all."""
        with self._lock:
            if version not in self._held:
                start = int(version[:12], 16) % VERSIONS * PLACES
                free = (place for place in range(start, start + PLACES) if self._locks(place))
                place = next(free, None)
                if place is None:
                    return False
                self._held[version] = place
            self._holders[version] += 1
            return True

    def leave(self, version: str) -> None:
        """Give the place back when nobody here has it any more."""
        with self._lock:
            self._holders[version] -= 1
            if not self._holders[version]:
                del self._holders[version]
                fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, self._held.pop(version))

    def close(self) -> None:
        """Give all back."""
        with self._lock:
            file, self._file = self._file, None
            self._held.clear()
            self._holders.clear()
        if file is not None:
            os.close(file)

    def _locks(self, place: int) -> bool:
        try:
            fcntl.lockf(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except BlockingIOError:
            return False
        return True

    def _open(self) -> int:
        if self._file is None:
            # Open as long as the process reads: closing any handle of it gives up all these locks.
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file
