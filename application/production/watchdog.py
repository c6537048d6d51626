"""Ends a production that makes nothing for too long, or takes too long: an interrupt alone does not.

A query that waits for a stalled S3 body hears no interrupt, so the tape's readers are told at once.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from application.errors import DeadlineExceeded, DownloadError, ProductionStalled
from application.spool import Tape


class Stoppable(Protocol):
    """What a production can be stopped by."""

    @property
    def is_set(self) -> bool:
        """True once it is stopped."""

    def set(self) -> None:
        """Stop it, now or before it starts."""


@contextmanager
def watched(tape: Tape, cancellation: Stoppable, stall_seconds: float, most_seconds: float) -> Iterator[None]:
    """While a producer writes this tape, stop it and tell its readers if it stalls or takes too long.

    What a producer waits for a slow reader counts for neither.
    """
    over = threading.Event()
    pause = min(stall_seconds / 4, most_seconds / 4, 1.0)

    def watch() -> None:
        size = -1
        silent = worked = 0.0
        last = time.monotonic()
        while not over.wait(pause):
            passed, last = time.monotonic() - last, time.monotonic()
            if tape.blocked:
                silent = 0.0
                continue
            worked += passed
            silent = silent + passed if tape.size == size else 0.0
            size = tape.size
            failure: DownloadError | None = None
            if silent > stall_seconds:
                failure = ProductionStalled("The dataset's storage gave nothing for too long.")
            elif worked > most_seconds:
                failure = DeadlineExceeded(
                    f"This download takes more than the {most_seconds:g} s that making one may take; "
                    "ask for less of it."
                )
            if failure:
                cancellation.set()
                tape.stop(failure)
                return

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()
