"""All datasets of a storage: listed by level, looked at side by side, and told from memory meanwhile."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from application.datasets.catalogue import NAME, Catalogue
from application.datasets.folders import SUFFIX, is_hidden, is_part, parts_of
from application.datasets.geometry import Geometry, geometry_of, region_key
from application.datasets.sidecars import COMMON
from application.datasets.sidecars import SUFFIX as SIDECAR
from application.errors import DatasetNotFound, DownloadError, lack
from application.models import NO_WORDS, Dataset, ObjectMeta, Words
from application.storage.base import Storage
from application.storage.lanes import Lanes
from application.telemetry import logger

# What can be no dataset's name.
LANE = "/datasets"
THREADS = 48
# A list that nobody asked for in so many times its age is made anew before it is told.
STALE_TIMES = 10


@dataclass(frozen=True, slots=True)
class Listed:
    """A dataset in the list; ``rows`` and ``modified`` are None as long as they are not known.

    ``problem`` says why it cannot be read, if it cannot. ``region_key`` is the column that its areas are
    known by, empty where nobody chooses an area of it.
    """

    name: str
    size: int | None = None
    modified: datetime | None = None
    rows: int | None = None
    words: Words = NO_WORDS
    geometry: Geometry | None = None
    problem: str = ""
    region_key: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """The list as far as it is known; ``is_whole`` is False while some is looked at for the first time."""

    datasets: tuple[Listed, ...]
    is_whole: bool


class Listing:
    """Keeps the list of a storage's datasets; for many threads.

    What is older than ``max_age`` seconds is made anew in the background, and told meanwhile.
    """

    def __init__(self, storage: Storage, catalogue: Catalogue, lanes: Lanes, max_age: float) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._listing_lanes = lanes
        self._max_age = max_age
        self._lanes = Lanes(THREADS, 1)
        self._lock = threading.Lock()
        self._known: dict[str, Listed] = {}
        self._refreshed = float("-inf")
        self._latest: Future[None] | None = None
        self._began = float("-inf")
        self._seen: Seen | None = None

    def refresh(self) -> Future[None] | None:
        """Have the list made anew where it is old.

        Returns what is to be waited for, or None where what is known may be told at once.
        """
        with self._lock:
            now = time.monotonic()
            if self._latest is None or (self._latest.done() and now - self._began >= self._max_age):
                failed = self._latest is not None and self._latest.exception() is not None
                self._latest, self._began = self._listing_lanes.begin(LANE, self._make), now
                if failed:
                    return self._latest
            is_stale = now - self._refreshed > STALE_TIMES * self._max_age
            return self._latest if is_stale else None

    def close(self, seconds: float) -> None:
        """Look at nothing more, and wait so long for what runs: it may be inside the engine."""
        self._lanes.close(seconds)

    @property
    def age(self) -> float:
        """The seconds since the list was begun to be made anew."""
        return time.monotonic() - self._began

    @property
    def seen(self) -> Seen:
        """The list as it is known now."""
        with self._lock:
            if self._seen is None:
                datasets = tuple(self._known[name] for name in sorted(self._known))
                is_whole = all(item.rows is not None or item.problem for item in datasets)
                self._seen = Seen(datasets, is_whole)
            return self._seen

    def _make(self) -> None:
        level = self._storage.level()
        objects = {meta.path: meta for meta in level.objects}
        common = objects.get(COMMON)
        looks: dict[str, Callable[[], None]] = {}
        for folder in level.folders:
            name = folder.rstrip("/")
            if NAME.fullmatch(name):
                own = objects.get(name + SIDECAR)
                looks[name] = partial(self._look_into, name, folder, common, own)
        for meta in level.objects:
            name = meta.path.removesuffix(SUFFIX)
            if is_part(meta) and NAME.fullmatch(name):
                self._first(Listed(name, meta.size, meta.last_modified))
                looks[name] = partial(self._look, name, (meta,), common, objects.get(name + SIDECAR))
        with self._lock:
            for name in self._known.keys() - looks.keys():
                del self._known[name]
            self._seen = None
        begun = [self._lanes.begin(name, look) for name, look in looks.items()]
        for each in begun:
            each.result()
        with self._lock:
            self._refreshed = time.monotonic()

    def _first(self, item: Listed) -> None:
        with self._lock:
            if item.name not in self._known:
                self._known[item.name] = item
                self._seen = None

    def _look_into(self, name: str, folder: str, common: ObjectMeta | None, own: ObjectMeta | None) -> None:
        """Look at a folder, which is a dataset if a part lies in it, or deeper."""
        try:
            # Other folders may hold very much.
            parts = parts_of(tuple(self._storage.list(folder))) if self._has_part(folder) else ()
        except DownloadError as error:
            self._keep(Listed(name, problem=str(error)))
            return
        if parts:
            self._look(name, parts, common, own)
        else:
            self._drop(name)

    def _look(
        self,
        name: str,
        objects: tuple[ObjectMeta, ...],
        common: ObjectMeta | None,
        own: ObjectMeta | None,
    ) -> None:
        try:
            self._keep(listed(self._catalogue.listed(name, objects, common, own)))
            return
        except DatasetNotFound:
            self._drop(name)
            return
        except DownloadError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - one dataset spoils no list
            busy = lack(error)
            problem = str(busy) if busy else "It cannot be read."
            if not busy:
                logger.exception("Dataset %r could not be listed", name)
        size = sum(meta.size for meta in objects)
        modified = max(meta.last_modified for meta in objects)
        words = self._catalogue.words(name, common, own)
        self._keep(Listed(name, size, modified, words=words, problem=problem))

    def _has_part(self, folder: str) -> bool:
        """True where a part lies in a folder, or deeper; looks no further than it must."""
        if is_hidden(folder[:-1]):
            return False
        level = self._storage.level(folder)
        return any(map(is_part, level.objects)) or any(map(self._has_part, level.folders))

    def _keep(self, item: Listed) -> None:
        with self._lock:
            if self._known.get(item.name) != item:
                self._known[item.name] = item
                self._seen = None

    def _drop(self, name: str) -> None:
        with self._lock:
            if self._known.pop(name, None):
                self._seen = None


def listed(dataset: Dataset) -> Listed:
    """A dataset as it is in the list."""
    return Listed(
        dataset.name,
        dataset.size,
        dataset.last_modified,
        None if dataset.fault else dataset.rows,
        dataset.words,
        geometry_of(dataset),
        dataset.fault,
        region_key(dataset),
    )
