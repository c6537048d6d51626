"""How much of a result may lie on its tape, and how far its producer may be ahead of who reads it."""

import shutil
from pathlib import Path

from application.errors import AnswerTooLarge, DownloadError, SpoolFull
from application.spool.audience import Audience
from application.spool.segments import NoSpace, Segments

WINDOW_BYTES = 32 << 20
# Without a folder the window is held in memory, for each production that runs.
MEMORY_WINDOW_BYTES = 2 << 20
NO_SPACE_LEFT = "There is no space left for this download; try again later."


class Window:
    """What of one result may lie in its segments; for who holds its tape's lock.

    In a folder that is all of it, up to ``keep`` bytes. Beyond that it is what the slowest reader has still
    to read, and no more than a window.
    """

    def __init__(self, folder: Path | None, keep: int, segments: Segments, audience: Audience) -> None:
        self._folder = folder
        self._most_ahead = WINDOW_BYTES if folder else MEMORY_WINDOW_BYTES
        self._segments = segments
        self._audience = audience
        self._may_grow = False  # once the folder has space again
        self.keep = keep if folder else 0
        self.outgrown = False  # the result is known to become larger than what may be kept
        self.blocked = False  # the producer waits for a reader: what is not whole by now never fits

    def admits(self, size: int) -> bool:
        """True where more may follow so many bytes; False while a window lies ahead of the slowest reader.

        Frees what all have read of a result that cannot be kept.
        """
        if size < self.keep:
            return True
        slowest = self._audience.slowest(size)
        self._segments.free(slowest)
        self.blocked = size - slowest >= self._most_ahead
        return not self.blocked

    def shrink(self, size: int, error: NoSpace) -> bool:
        """Keep only what a reader has still to read of so many bytes; True where that frees space.

        Raises SpoolFull where there is nothing that a reader could free.
        """
        self.keep = min(self.keep, size)
        self._may_grow = not error.is_lasting
        slowest = self._audience.slowest(size)
        if self._segments.free(slowest):
            return True
        if slowest == size:
            raise SpoolFull(NO_SPACE_LEFT) from error
        self.blocked = True
        return False

    def refusal(self, size: int) -> DownloadError | None:
        """Why a result that has so many bytes so far will never lie here whole; None where it may."""
        if not self.blocked and not self.outgrown:
            return None
        # Where it is this result that fills most of the folder, other space is no help.
        if self._may_grow and self._folder and size < shutil.disk_usage(self._folder).total // 2:
            return SpoolFull(NO_SPACE_LEFT)
        most = max(self.keep, size if self.blocked else 0)
        return AnswerTooLarge(f"The result is larger than the {most:,} bytes that fit here.")
