"""What publishers write beside their datasets: `datasets.json` for all, `{dataset}.json` for one."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from application.datasets.words import NOTHING, Said, read_members
from application.errors import Busy, DownloadError, StorageUnavailable
from application.models import ObjectMeta
from application.storage.base import Storage
from application.storage.lanes import Lanes
from application.telemetry import logger

COMMON = "datasets.json"
SUFFIX = ".json"
# Of all datasets, and of one.
MOST_COMMON_BYTES, MOST_BYTES = 16 << 20, 1 << 20
# Nobody waits longer for words.
WAIT_SECONDS = 5.0
MOST_AT_ONCE, SHARE = 64, 32


@dataclass(frozen=True, slots=True)
class Sides:
    """What the two say of one dataset, and all of its own file, of which some is for others."""

    common: Said
    own: Said
    whole: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Read:
    meta: ObjectMeta
    said: Any


class Sidecars:
    """Reads the sidecars of one storage again when they change; nothing in them makes anything fail.

    The common one is looked at again after ``max_age`` seconds.
    """

    def __init__(self, storage: Storage, max_age: float) -> None:
        self._storage = storage
        self._max_age = max_age
        self._read: dict[str, _Read] = {}
        self._whole: dict[str, dict[str, Any]] = {}
        self._common_checked = float("-inf")
        self._common_lock = threading.Lock()
        self._lock = threading.Lock()
        self._lanes = Lanes(MOST_AT_ONCE, SHARE)

    def begin(self, name: str) -> Callable[[], Sides]:
        """Begin to look at what is said of a dataset; what is returned waits for it, a while at most."""
        look = partial(self._look, name)
        if self._storage.is_near:
            return look
        try:
            future = self._lanes.begin(name, look)
        except Busy:
            return look

        def found() -> Sides:
            try:
                return future.result(WAIT_SECONDS)
            except FutureTimeout:
                logger.warning("The words of dataset %r take too long to be read", name)
                return self._known(name)

        return found

    def listed(self, name: str, common: ObjectMeta | None, own: ObjectMeta | None) -> Sides:
        """What is said of a dataset by the objects that a listing has; reads what has changed."""
        with self._common_lock:
            self._take(COMMON, lambda: common, MOST_COMMON_BYTES, self._read_common)
            self._common_checked = time.monotonic()
        self._take_own(name, lambda: own)
        return self._known(name)

    def _look(self, name: str) -> Sides:
        with self._common_lock:
            if time.monotonic() - self._common_checked >= self._max_age:
                head = partial(self._storage.head, COMMON)
                self._take(COMMON, head, MOST_COMMON_BYTES, self._read_common)
                self._common_checked = time.monotonic()
        self._take_own(name, partial(self._storage.head, name + SUFFIX))
        return self._known(name)

    def _take_own(self, name: str, find: Callable[[], ObjectMeta | None]) -> None:
        path = name + SUFFIX
        if path != COMMON:
            self._take(path, find, MOST_BYTES, partial(self._read_own, name))

    def _known(self, name: str) -> Sides:
        with self._lock:
            common = self._read.get(COMMON)
            own = self._read.get(name + SUFFIX) if name + SUFFIX != COMMON else None
            return Sides(
                common.said.get(name, NOTHING) if common else NOTHING,
                own.said if own else NOTHING,
                self._whole.get(name) if own else None,
            )

    def _take(
        self,
        path: str,
        find: Callable[[], ObjectMeta | None],
        most: int,
        read: Callable[[Any, str], Any],
    ) -> None:
        """Read an object that is new, or another than before; what cannot be read now stays as it was."""
        with self._lock:
            last = self._read.get(path)
        try:
            meta = find()
            if meta is None:
                with self._lock:
                    self._read.pop(path, None)
                return
            if last and last.meta == meta:
                return
            if meta.size > most:
                logger.warning("%s is not used: it has more than %d bytes", path, most)
                said = read({}, path)
            else:
                said = self._parsed(path, self._storage.read(meta, 0, meta.size), read)
        except StorageUnavailable as error:
            logger.warning("%s cannot be read: %s", path, error)
            return
        except DownloadError:
            # It is being replaced: next time.
            return
        with self._lock:
            self._read[path] = _Read(meta, said)

    def _parsed(self, path: str, text: bytes, read: Callable[[Any, str], Any]) -> Any:
        try:
            return read(orjson.loads(text.removeprefix(b"\xef\xbb\xbf")), path)
        except ValueError as error:
            logger.warning("%s is no JSON, and is not used: %s", path, error)
            return read({}, path)

    def _read_common(self, given: Any, path: str) -> dict[str, Said]:
        if not isinstance(given, dict):
            logger.warning("%s is no JSON object of datasets, and is not used", path)
            return {}
        return {name: read_members(said, f"{path}: {name[:100]!r}") for name, said in given.items()}

    def _read_own(self, name: str, given: Any, path: str) -> Said:
        with self._lock:
            self._whole[name] = given if isinstance(given, dict) else {}
        return read_members(given, path)
