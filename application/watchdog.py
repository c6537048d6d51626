"""Ends a production that makes nothing for too long: an interrupt does not break a stalled S3 body."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from application.errors import ProductionStalled
from application.spool import Tape


class Stoppable(Protocol):
    """What a production can be stopped by."""

    @property
    def is_set(self) -> bool:
        """True once it is stopped."""

    def set(self) -> None:
        """Stop it, now or before it starts."""


@contextmanager
def watched(tape: Tape, cancellation: Stoppable, seconds: float) -> Iterator[None]:
    """While a producer writes this tape, stop it and tell its readers if nothing comes for ``seconds``.

    A producer that waits for a slow reader is not stalled.
    """
    over = threading.Event()

    def watch() -> None:
        size, since = tape.size, time.monotonic()
        while not over.wait(min(seconds / 4, 1.0)):
            if tape.size != size or tape.blocked:
                size, since = tape.size, time.monotonic()
            elif time.monotonic() - since > seconds:
                cancellation.set()
                tape.stop(ProductionStalled("The dataset's storage gave nothing for too long."))
                return

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()
