"""Whether a service can answer now."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from application.storage.base import Storage
from application.storage.lanes import Lanes

if TYPE_CHECKING:
    from application.engine.scan import Engine

# What can be no dataset's name.
READY_LANE = "/ready"
READY_SECONDS = 1.0


class Readiness:
    """Whether storage and engine answer, found out once a second at most, for all who ask."""

    def __init__(self, storage: Storage, engine: Engine, lanes: Lanes) -> None:
        self._storage = storage
        self._engine = engine
        self._lanes = lanes
        self._lock = threading.Lock()
        self._latest: Future[None] | None = None
        self._began = 0.0

    def look(self) -> Future[None]:
        """What the latest look has found or will find; begins another when that is a second old and over."""
        with self._lock:
            now = time.monotonic()
            if self._latest is None or (self._latest.done() and now - self._began >= READY_SECONDS):
                self._latest, self._began = self._lanes.begin(READY_LANE, self._look), now
            return self._latest

    def _look(self) -> None:
        self._storage.head("ready-check.parquet")
        self._engine.check()
