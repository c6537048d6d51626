"""Hearing SIGTERM first: uvicorn tells the application of it last, when every response has ended."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def before_terminating(call: Callable[[], None]) -> Iterator[None]:
    """Call this at SIGTERM, and then whoever listened before; nothing where signals are not ours to hear."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        call()
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, handle)
    if parent := multiprocessing.parent_process():
        # A worker whose supervisor was killed would hold the address, and nobody could start anew.
        threading.Thread(target=_end_after, args=(parent.join,), name="parent", daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _end_after(wait: Callable[[], None]) -> None:
    wait()
    os.kill(os.getpid(), signal.SIGTERM)
