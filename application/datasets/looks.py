"""Looks at storage that several wait for: who asks joins one that is late enough for them."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from application.storage.lanes import Lanes

Seen = TypeVar("Seen")


@dataclass(eq=False, slots=True)
class _Look(Generic[Seen]):
    future: "Future[Seen]"
    began: float | None = None  # by the monotonic clock; None while it waits for a thread


class Looks(Generic[Seen]):
    """At most one look at each name waits for a thread of its lane; what it finds is for all who wait."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._latest: dict[str, _Look[Seen]] = {}
        self._lock = threading.Lock()

    def join(self, name: str, look: Callable[[], Seen], since: float) -> "Future[Seen]":
        """What a look finds that begins at ``since`` or later, by the monotonic clock.

        Raises as ``Lanes.begin``.
        """
        with self._lock:
            latest = self._latest.get(name)
            if latest and (latest.began is None or latest.began >= since):
                return latest.future

            # It waits for the lock, and so until `mine` is there.
            def run() -> Seen:
                with self._lock:
                    mine.began = time.monotonic()
                try:
                    return look()
                finally:
                    with self._lock:
                        if self._latest.get(name) is mine:
                            del self._latest[name]

            mine = self._latest[name] = _Look(self._lanes.begin(name, run))
            return mine.future
