"""How far results are, and why some failed a while ago."""

from dataclasses import dataclass
from typing import Literal

from application.errors import Busy, DownloadError, ProductionCancelled, Stopping
from application.spool import Tape

MOST_FAILED = 1000
# What says nothing of the result.
NO_FAILURES = (Busy, ProductionCancelled, Stopping)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a result is, by bytes as they are sent, and by rows; ``failure`` says why it failed."""

    state: Literal["making", "ready", "failed"]
    size: int
    rows: int
    failure: str = ""


def progress_of(tape: Tape) -> Progress:
    """How far a tape is that has not failed."""
    return Progress("ready" if tape.done else "making", tape.size, tape.rows)


class Failures:
    """The latest failures by key, for who asks how far a result is; for who holds the registry's lock."""

    def __init__(self) -> None:
        self._failed: dict[str, Progress] = {}

    def get(self, key: str) -> Progress | None:
        """How the result of that key failed, if it did a while ago."""
        return self._failed.get(key)

    def add(self, key: str, tape: Tape, failure: DownloadError) -> None:
        """Remember how far a tape came, and why no further."""
        if isinstance(failure, NO_FAILURES):
            return
        self._failed[key] = Progress("failed", tape.size, tape.rows, str(failure))
        while len(self._failed) > MOST_FAILED:
            del self._failed[next(iter(self._failed))]

    def forget(self, key: str) -> None:
        """It is made anew."""
        self._failed.pop(key, None)
