"""What one answer may carry: bytes, and the time that there is to make and send them."""

import time
from dataclasses import dataclass

from application.errors import AnswerTooLarge

# A response of Lambda's is sent at full speed up to the first, and then at the second (bytes, bytes/s).
BURST_BYTES = 6_000_000
BYTES_PER_SECOND = 2_000_000
# For what comes before and after the bytes: the answer's start, the client's end of the line.
MARGIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The most bytes of an answer, and by when (Unix time) all of them must be sent; None for no limit."""

    most_bytes: int | None = None
    deadline: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """How long making the bytes may take from now on; None for no limit."""
        return None if self.deadline is None else max(self.deadline - MARGIN_SECONDS - time.time(), 0.0)

    def check(self, size: int) -> None:
        """Raise AnswerTooLarge, with the numbers, for more bytes than can be sent from now."""
        if self.most_bytes is not None and size > self.most_bytes:
            most = f"{self.most_bytes:,}"
            raise AnswerTooLarge(f"The result is {size:,} bytes; an answer here may have {most}.")
        left = self.seconds_left
        if left is None:
            return
        capacity = int(BURST_BYTES + BYTES_PER_SECOND * left)
        if size > capacity:
            raise AnswerTooLarge(
                f"The result is {size:,} bytes; in the {left:.0f} s that are left, {capacity:,} can be sent."
            )
