"""Work beside serving: one piece at a time, in one thread that gives way and ends when there is none left."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Generic, TypeVar

from application.telemetry import logger

LEAST_PRIORITY = 19
STOP_SECONDS = 1.0

Item = TypeVar("Item")


class Background(Generic[Item]):
    """Does the work for each item, in their order; ``stopping`` is set once it should be given up.

    ``gives_way``: in a thread of the least priority. ``work`` fails for nobody: what it raises is logged.
    """

    def __init__(self, name: str, work: Callable[[Item], None], *, gives_way: bool = True) -> None:
        self._name = name
        self._work = work
        self._gives_way = gives_way
        self._lock = threading.Lock()
        self._queue: deque[tuple[Context, Item]] = deque()
        self._thread: threading.Thread | None = None
        self.stopping = threading.Event()

    def begin(self, item: Item) -> bool:
        """Have the work done for an item; False where no thread can start now, and it will not be."""
        with self._lock:
            # In the context of the request that began it, for its trace.
            self._queue.append((copy_context(), item))
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except (RuntimeError, MemoryError):
                    self._queue.pop()
                    return False
                self._thread = thread
        return True

    def close(self) -> None:
        """Have what is left given up; waits a moment for it."""
        self.stopping.set()
        with self._lock:
            thread = self._thread
        if thread:
            # Not for what storage has still to answer.
            thread.join(STOP_SECONDS)

    def _run(self) -> None:
        # Elsewhere a thread has no priority of its own.
        if self._gives_way and sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY)
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    return
                context, item = self._queue.popleft()
            try:
                context.run(self._work, item)
            except BaseException:  # noqa: BLE001 - nobody waits for it, and others are to come
                logger.exception("Work beside serving failed (%s)", self._name)
