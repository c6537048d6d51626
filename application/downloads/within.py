"""Work beside downloads that is given so much time, and no more."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from application.engine.cancellation import Cancellation


@contextmanager
def within(seconds: float) -> Iterator[Cancellation]:
    """A cancellation that is set after the seconds."""
    cancellation = Cancellation()
    timer = threading.Timer(seconds, cancellation.set)
    timer.daemon = True
    timer.start()
    try:
        yield cancellation
    finally:
        timer.cancel()
