"""Names to datasets: schema, rows and identity, without reading data; refreshed by age and by ETag."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from application.datasets.description import Description, describe
from application.datasets.figures import figures_of
from application.datasets.folders import SUFFIX, parts_of
from application.datasets.footers import Footers
from application.datasets.parts import Assembler
from application.datasets.sidecars import Sidecars, Sides
from application.datasets.statistics import Extent, Statistics
from application.datasets.words import Said, merged, read_key_values, with_words
from application.engine.scan import Engine
from application.engine.verdicts import Verdicts, version_of
from application.errors import DatasetNotFound
from application.models import Dataset, ObjectMeta, Part, Query, Words
from application.storage.base import Storage

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Bare:
    """A dataset without words, and what its own key-values say."""

    dataset: Dataset
    said: Said


@dataclass(frozen=True, slots=True)
class _Entry:
    """A dataset with its words, which are of these ``sides``."""

    bare: _Bare
    sides: Sides
    dataset: Dataset
    version: str
    checked: float


class Catalogue:
    """The datasets of one storage, looked at again after ``max_age`` seconds; for many threads."""

    def __init__(
        self, storage: Storage, engine: Engine, max_age: float, verdicts: Verdicts | None = None
    ) -> None:
        self._storage = storage
        self.max_age = max_age
        self._verdicts = verdicts or Verdicts(None)
        self._entries: dict[str, _Entry] = {}
        self._described: dict[str, _Bare] = {}
        self._descriptions: dict[str, Description] = {}
        self._lock = threading.Lock()
        self._describing: dict[str, threading.Lock] = {}
        self._footers = Footers(storage)
        self._assembler = Assembler(engine, self._footers)
        self._statistics = Statistics(self._footers)
        self._sidecars = Sidecars(storage, max_age)

    def known(self, name: str) -> Dataset | None:
        """The dataset of that name, if it was looked at within the last ``max_age`` seconds; asks nobody.

        Raises DatasetNotFound for what is no dataset's name, and DatasetInvalid for what was convicted.
        """
        if not NAME.fullmatch(name):
            raise DatasetNotFound("A dataset's name has 1 to 100 letters, digits, '_' and '-'.")
        with self._lock:
            entry = self._entries.get(name)
        if entry is None or time.monotonic() - entry.checked >= self.max_age:
            return None
        self._verdicts.check(entry.version)
        return entry.dataset

    def get(self, name: str, *, fresh: bool = False) -> Dataset:
        """The dataset of that name, looked at within the last ``max_age`` seconds, or just now if ``fresh``.

        Raises DatasetNotFound, DatasetInvalid and StorageUnavailable.
        """
        if (known := self.known(name)) and not fresh:
            return known
        sides = self._sidecars.begin(name)
        try:
            objects = self._find(name)
        except DatasetNotFound:
            with self._lock:
                self._entries.pop(name, None)
                self._described.pop(name, None)
                self._descriptions.pop(name, None)
            raise
        return self._seen(name, objects, sides)

    def _seen(self, name: str, objects: tuple[ObjectMeta, ...], sides: Callable[[], Sides]) -> Dataset:
        """The dataset of the objects that there are now, with the words that there are now."""
        version = version_of(objects)
        self._verdicts.check(version)
        bare = self._describe(name, objects)
        now = sides()
        with self._lock:
            entry = self._entries.get(name)
            is_same = entry is not None and entry.bare is bare and entry.sides == now
            dataset = entry.dataset if entry and is_same else None
        if dataset is None:
            dataset = with_words(bare.dataset, merged(now.common, bare.said, now.own))
        with self._lock:
            self._entries[name] = _Entry(bare, now, dataset, version, time.monotonic())
        return dataset

    def listed(
        self, name: str, objects: tuple[ObjectMeta, ...], common: ObjectMeta | None, own: ObjectMeta | None
    ) -> Dataset:
        """The dataset of objects that a listing has just shown, with sidecars that it has, or has not.

        Raises as ``get``.
        """
        return self._seen(name, objects, partial(self._sidecars.listed, name, common, own))

    def words(self, name: str, common: ObjectMeta | None, own: ObjectMeta | None) -> Words:
        """What such sidecars say of a dataset, whatever it is itself."""
        sides = self._sidecars.listed(name, common, own)
        return merged(sides.common, sides.own)

    def sidecar(self, name: str) -> object:
        """All that the sidecar of a dataset says, as JSON has it; None where none is known."""
        with self._lock:
            entry = self._entries.get(name)
        return entry.sides.whole if entry else None

    def describe(self, dataset: Dataset) -> Description:
        """What is told of a dataset; reads the footers that are not kept. Raises as ``get``."""
        with self._lock:
            last = self._descriptions.get(dataset.name)
        if last is None or last.dataset is not dataset:
            footers = self._footers.read(dataset.objects, lambda _: "") if dataset.parts else ()
            last = describe(dataset, figures_of(dataset, [footer.raw for footer in footers]))
            with self._lock:
                self._descriptions[dataset.name] = last
        return last

    def is_current(self, dataset: Dataset) -> bool:
        """True while storage still holds exactly the objects that the dataset was described from."""
        try:
            return self._find(dataset.name) == dataset.objects
        except DatasetNotFound:
            return False

    def matching(self, dataset: Dataset, query: Query) -> tuple[Part, ...]:
        """The dataset's parts that may have rows of a query; reads nothing."""
        return self._statistics.matching(dataset, query)

    def extent(self, dataset: Dataset, query: Query) -> Extent:
        """The row groups that may have rows of a query; reads nothing."""
        return self._statistics.extent(dataset, query)

    def rows_at_most(self, dataset: Dataset, query: Query) -> int:
        """How many rows a query looks at, as far as row groups tell by their statistics; reads nothing."""
        return self._statistics.rows_at_most(dataset, query)

    def _describe(self, name: str, objects: tuple[ObjectMeta, ...]) -> _Bare:
        """The dataset of these objects; who asks while another finds out waits for what it finds."""
        with self._lock:
            describing = self._describing.setdefault(name, threading.Lock())
        with describing:
            with self._lock:
                last = self._described.get(name)
            if last is None or last.dataset.objects != objects:
                dataset = self._assembler.dataset(name, objects, last.dataset if last else None)
                last = _Bare(dataset, read_key_values(dataset.metadata, f"Dataset {name!r}"))
                with self._lock:
                    self._described[name] = last
            return last

    def _find(self, name: str) -> tuple[ObjectMeta, ...]:
        single = self._storage.head(name + SUFFIX)
        if single:
            return (single,)
        parts = parts_of(tuple(self._storage.list(f"{name}/")))
        if not parts:
            raise DatasetNotFound(f"There is no dataset {name!r}.")
        return parts
