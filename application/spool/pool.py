"""Segments that are used again: pages that are touched for the first time cost more than what is written."""

import threading
from pathlib import Path

from application.spool.segments import FileSegment, MemorySegment, Segment


class SegmentPool:
    """Gives empty segments in a folder, or in memory, and takes back at most so many; for many threads."""

    def __init__(self, folder: Path | None, most: int = 0) -> None:
        self._folder = folder
        # Memory that is given back is there for all else at once.
        self._most = most if folder else 0
        self._free: list[Segment] = []
        self._lock = threading.Lock()

    @property
    def in_memory(self) -> bool:
        """True where there is no folder."""
        return self._folder is None

    def take(self) -> Segment:
        """A segment to be written from its start; what it held before is overwritten. Raises OSError."""
        with self._lock:
            if self._free:
                return self._free.pop()
        return FileSegment(self._folder) if self._folder else MemorySegment()

    def give(self, segment: Segment) -> None:
        """Take a segment back that nobody reads or writes any more."""
        with self._lock:
            if len(self._free) < self._most:
                self._free.append(segment)
                return
        segment.close()

    def clear(self) -> bool:
        """Free what it has; False where that is nothing."""
        with self._lock:
            free, self._free = self._free, []
        for segment in free:
            segment.close()
        return bool(free)

    def close(self) -> None:
        """Free what it has, and keep nothing any more."""
        self._most = 0
        self.clear()
