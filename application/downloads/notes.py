"""The note beside an export: that it is being made, or that it failed, and how often in a row."""

import json
from dataclasses import dataclass

# A note of one that is being made is renewed; older than this, nobody works on it.
STALE_SECONDS = 60.0
# What fails again and again is begun ever more rarely, up to once in so long.
MOST_SECONDS = 3600.0
# What failed but passes by itself is begun again sooner.
PASSING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of an export that is not there: since when (Unix time), and how it failed, if it did.

    ``failures`` is how often in a row. ``failure`` is for whoever asks meanwhile, where it does not pass.
    """

    time: float
    failures: int = 0
    failure: str | None = None
    is_making: bool = True

    @classmethod
    def read(cls, text: bytes) -> "Note":
        """A note as it was written, also by earlier versions."""
        found = json.loads(text)
        failure = found.get("failure")
        failures = int(found.get("failures", 0 if failure is None else 1))
        return cls(found["time"], failures, failure, found.get("making", failure is None))

    def written(self) -> bytes:
        """The note as it is kept."""
        told = {} if self.failure is None else {"failure": self.failure}
        found = {"time": self.time, "failures": self.failures, "making": self.is_making, **told}
        return json.dumps(found).encode()

    @property
    def until(self) -> float:
        """The Unix time from which on the export may be begun again."""
        if self.is_making:
            return self.time + STALE_SECONDS
        first = PASSING_SECONDS if self.failure is None else STALE_SECONDS
        # Bounded before it is a number that no float holds.
        return self.time + min(first * 2 ** min(self.failures - 1, 20), MOST_SECONDS)
