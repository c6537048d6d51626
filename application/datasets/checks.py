"""Checks of pages beside serving: one at a time, in one thread that gives way, each version once."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Literal

from application.datasets.footer import read_metadata
from application.datasets.pages import PageWalk
from application.engine.verdicts import Verdicts, version_of
from application.errors import DatasetInvalid, DownloadError, Stopping
from application.models import Dataset, ObjectMeta
from application.storage.base import Storage
from application.telemetry import logger

Mode = Literal["auto", "always", "off"]
# Of a bucket's dataset, which is read a second time for it.
MOST_BYTES = 256_000_000
LEAST_PRIORITY = 19
STOP_SECONDS = 1.0


class PageChecks:
    """Walks over the pages of each new version of a dataset, and has it refused where they are damaged.

    ``fail`` is given the ETag of the dataset and the failure, for what is on its way. ``is_brief`` says that
    this process does nothing beside its answers.
    """

    def __init__(
        self,
        storage: Storage,
        verdicts: Verdicts,
        mode: Mode,
        *,
        is_brief: bool,
        fail: Callable[[str, DatasetInvalid], None],
    ) -> None:
        self._storage = storage
        self._verdicts = verdicts
        self._mode = mode
        self._is_brief = is_brief
        self._fail = fail
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._current: dict[str, tuple[str, Future[None]]] = {}
        self._queue: deque[tuple[Context, Dataset, Future[None]]] = deque()
        self._thread: threading.Thread | None = None

    def begin(self, dataset: Dataset) -> Future[None] | None:
        """Have a version checked; what is to be waited for before it is answered, if anything is."""
        if not self._is_wanted(dataset):
            return None
        with self._lock:
            found = self._current.get(dataset.name)
            if found is None or found[0] != dataset.e_tag:
                found = dataset.e_tag, Future[None]()
                self._current[dataset.name] = found
                # In the context of the request that began it, for its trace.
                self._queue.append((copy_context(), dataset, found[1]))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="page checks", daemon=True)
                    self._thread.start()
        return found[1] if self._mode == "always" else None

    def check(self, dataset: Dataset) -> None:
        """Raise DatasetInvalid where the version is known to be damaged."""
        self._verdicts.check(version_of(dataset.objects))

    def close(self) -> None:
        """Check nothing more."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread:
            # Not for what storage has still to answer.
            thread.join(STOP_SECONDS)

    def _is_wanted(self, dataset: Dataset) -> bool:
        if dataset.fault:
            return False
        if self._mode == "auto":
            return not self._is_brief and (self._storage.is_near or dataset.size <= MOST_BYTES)
        return self._mode == "always"

    def _run(self) -> None:
        # Elsewhere a thread has no priority of its own.
        if self._mode == "auto" and sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY)
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    return
                context, dataset, over = self._queue.popleft()
            try:
                context.run(self._check, dataset)
            except DatasetInvalid as error:
                self._verdicts.condemn(version_of(dataset.objects), str(error))
                self._fail(dataset.e_tag, error)
                over.set_exception(error)
            except BaseException as error:  # noqa: BLE001 - who waits must learn of it
                # Who comes next tries again.
                with self._lock:
                    self._current.pop(dataset.name, None)
                if not isinstance(error, DownloadError):
                    logger.error("Pages could not be checked", exc_info=error)
                over.set_exception(error)
            else:
                over.set_result(None)

    def _check(self, dataset: Dataset) -> None:
        for meta in dataset.objects:
            part = meta.path.rpartition("/")[2]
            walk = PageWalk(part, meta.size, self._reader(meta), is_dear=not self._storage.is_near)
            metadata = read_metadata(self._storage, meta)
            if metadata is None:
                continue
            walk.check(metadata)
            if walk.is_given_up:
                # Whoever wrote one part without checksums wrote the others.
                return

    def _reader(self, meta: ObjectMeta) -> Callable[[int, int], bytes]:
        def read(start: int, end: int) -> bytes:
            if self._stopping.is_set():
                raise Stopping("The service is stopping.")
            return self._storage.read(meta, start, end)

        return read
