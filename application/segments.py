"""What a tape is made of: runs of bytes that are freed one by one, in nameless files or in memory."""

import os
import tempfile
from pathlib import Path
from typing import Protocol


class Segment(Protocol):
    """A run of a tape's bytes."""

    def append(self, data: memoryview) -> None:
        """Add bytes to the end."""

    def read(self, start: int, size: int) -> bytes:
        """At most ``size`` bytes from ``start``."""

    def close(self) -> None:
        """Free the bytes."""


class FileSegment:
    """A segment in a file that has no name."""

    def __init__(self, folder: Path) -> None:
        try:
            self._fd = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        except (AttributeError, OSError):
            # No O_TMPFILE here (another system, or a file system without it): unlink at once instead.
            self._fd, name = tempfile.mkstemp(dir=folder)
            Path(name).unlink()

    def append(self, data: memoryview) -> None:
        """Write all of it, or raise OSError."""
        while data:
            data = data[os.write(self._fd, data) :]

    def read(self, start: int, size: int) -> bytes:
        """At most ``size`` bytes from ``start``."""
        return os.pread(self._fd, size, start)

    def close(self) -> None:
        """Free the file's space."""
        os.close(self._fd)


class MemorySegment:
    """A segment in memory, for a service without a spool folder."""

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, data: memoryview) -> None:
        """Copy the bytes."""
        self._data += data

    def read(self, start: int, size: int) -> bytes:
        """At most ``size`` bytes from ``start``."""
        # Not through a memoryview: while one is open, another thread's append raises BufferError.
        return bytes(self._data[start : start + size])

    def close(self) -> None:
        """Drop the bytes."""
        self._data = bytearray()
