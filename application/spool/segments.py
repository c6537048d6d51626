"""Where a tape's bytes lie: in runs that are freed one by one, in nameless files or in memory."""

import errno
import os
import tempfile
from pathlib import Path
from typing import Protocol

SEGMENT_BYTES = 8 << 20
MEMORY_SEGMENT_BYTES = 1 << 20
# A full disk, a used-up quota, a file as large as the system lets it be, and as many as may be open.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE)
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")


class NoSpace(Exception):
    """The folder takes no more bytes; those of this write count as not written.

    ``is_lasting``: no file there may ever be as large.
    """

    def __init__(self, *, is_lasting: bool) -> None:
        super().__init__()
        self.is_lasting = is_lasting


class Segment(Protocol):
    """A run of bytes."""

    def write(self, start: int, data: memoryview) -> None:
        """Put bytes at the end, which is ``start``; raises NoSpace."""

    def read(self, start: int, size: int) -> bytes:
        """At most ``size`` bytes from ``start``."""

    def cut(self, size: int) -> None:
        """Free what lies beyond so many bytes."""

    def close(self) -> None:
        """Free the bytes."""


class FileSegment:
    """A segment in a file without a name: a crash leaves none, and nobody takes it for a whole file."""

    def __init__(self, folder: Path) -> None:
        try:
            self._fd = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        except (AttributeError, OSError):
            # No O_TMPFILE here (another system, or a file system without it): unlink at once instead.
            self._fd, name = tempfile.mkstemp(dir=folder)
            Path(name).unlink()

    def write(self, start: int, data: memoryview) -> None:
        """Write all of it, or raise OSError."""
        while data:
            written = os.pwrite(self._fd, data, start)
            data, start = data[written:], start + written

    def read(self, start: int, size: int) -> bytes:
        """At most ``size`` bytes from ``start``."""
        return os.pread(self._fd, size, start)

    def cut(self, size: int) -> None:
        """Free what lies beyond so many bytes: a file that is used again may be longer."""
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        """Free the file's space."""
        os.close(self._fd)


class MemorySegment:
    """A segment in memory, for a service without a spool folder."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, start: int, data: memoryview) -> None:
        """Copy the bytes."""
        self._data[start:] = data

    def read(self, start: int, size: int) -> bytes:
        """At most ``size`` bytes from ``start``."""
        # Not through a memoryview: while one is open, another thread's write raises BufferError.
        return bytes(self._data[start : start + size])

    def cut(self, size: int) -> None:
        """Free what lies beyond so many bytes."""
        del self._data[size:]

    def close(self) -> None:
        """Drop the bytes."""
        self._data = bytearray()


class Source(Protocol):
    """Where segments come from, and go back to."""

    @property
    def in_memory(self) -> bool:
        """True where they lie in memory."""

    def take(self) -> Segment:
        """A segment to be written from its start; raises OSError."""

    def give(self, segment: Segment) -> None:
        """Take one back that nobody reads or writes any more."""


class Segments:
    """Bytes that one thread appends, any thread reads, and that are freed from the start."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._length = MEMORY_SEGMENT_BYTES if source.in_memory else SEGMENT_BYTES
        self._segments: list[Segment | None] = []

    @property
    def has_start(self) -> bool:
        """False once the first byte was freed."""
        return not self._segments or self._segments[0] is not None

    @property
    def freed(self) -> int:
        """Bytes that were freed, if all segments but the last are full."""
        return sum(segment is None for segment in list(self._segments)) * self._length

    @property
    def count(self) -> int:
        """Segments that are not freed; each in a folder is an open file."""
        return sum(segment is not None for segment in self._segments)

    def append(self, position: int, data: memoryview) -> int:
        """Put bytes at the end, which is ``position``, as many as one segment takes; returns how many.

        Raises NoSpace, after which the same may be tried again, and ValueError where that place was freed.
        """
        index, offset = divmod(position, self._length)
        try:
            if index == len(self._segments):
                self._segments.append(self._source.take())
            piece = data[: self._length - offset]
            self._at(index).write(offset, piece)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise NoSpace(is_lasting=error.errno == errno.EFBIG) from error
            raise
        return len(piece)

    def read(self, position: int, size: int) -> bytes:
        """At most ``size`` bytes, of one segment; raises ValueError where they were freed."""
        index, offset = divmod(position, self._length)
        return self._at(index).read(offset, min(size, self._length - offset))

    def trim(self, end: int) -> None:
        """Free what an earlier use has left beyond the end."""
        index, offset = divmod(end, self._length)
        last = self._segments[index] if index < len(self._segments) else None
        if offset and last:
            last.cut(offset)

    def free(self, end: int) -> bool:
        """Free the segments that lie before a place; True where there were any."""
        freed = False
        for index in range(min(end // self._length, len(self._segments))):
            segment = self._segments[index]
            if segment is not None:
                self._segments[index] = None
                self._source.give(segment)
                freed = True
        return freed

    def close(self) -> None:
        """Free all."""
        self.free(len(self._segments) * self._length)

    def _at(self, index: int) -> Segment:
        segment = self._segments[index]
        if segment is None:
            raise ValueError("these bytes were freed")
        return segment


def is_in_memory(folder: Path) -> bool:
    """True where a folder's files are held in memory; False where that cannot be found out."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return False
    real, kind, longest = f"{folder.resolve()}/", "", 0
    for _, place, type_, *_ in (line.split(" ") for line in lines):
        # The last of those mounted on one place is the one that is seen.
        if real.startswith(place.rstrip("/") + "/") and len(place) >= longest:
            kind, longest = type_, len(place)
    return kind in MEMORY_FILE_SYSTEMS
