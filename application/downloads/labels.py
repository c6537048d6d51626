"""Names of values: `organisation-entity` 90 is "Camden" where another dataset says so. Addresses keep 90."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from application.datasets.catalogue import Catalogue
from application.downloads.downloads import read_lane
from application.downloads.within import within
from application.engine.scan import Engine
from application.errors import DownloadError
from application.formats.columns import normalise
from application.formats.scalars import NoText
from application.models import Dataset, Label, Query
from application.storage.lanes import Lanes, outcome
from application.telemetry import logger

# Of more rows nobody keeps the names.
MOST_ROWS = 100_000
MOST_KEPT = 16
SECONDS = 3.0
# What could not be read, and may be later, is not tried again before.
RETRY_SECONDS = 10.0
NONE: Mapping[str, str] = {}
Names = Mapping[str, str]
# A version of a dataset, and what is read of it.
Key = tuple[str, Label]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What came of a read, and until when that holds by the clock."""

    names: Names
    until: float = math.inf


class Labels:
    """Knows the names that other datasets have for values, by version.

    ``clock`` tells seconds that never go back.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        engine: Engine,
        lanes: Lanes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._engine = engine
        self._lanes = lanes
        self._clock = clock
        self._known: OrderedDict[Key, _Kept] = OrderedDict()
        self._looks: dict[Key, Future[Names]] = {}
        self._lock = threading.Lock()

    def of(self, dataset: Dataset) -> dict[str, Names]:
        """For each column whose values have names these names, by value as text; raises nothing.

        For a thread that may wait.
        """
        found = {column: self.names(label) for column, label in dataset.words.labels.items()}
        return {column: names for column, names in found.items() if names}

    def names(self, label: Label) -> Names:
        """The names that a label leads to, by value as text; none where they cannot be had.

        For a thread that may wait.
        """
        try:
            dataset = self._catalogue.get(label.dataset)
        except DownloadError as error:
            logger.debug("The labels of %r cannot be had: %s", label.dataset, error)
            return NONE
        with self._lock:
            known = self._kept((dataset.e_tag, label))
        return self._find(dataset, label) if known is None else known

    async def soon(self, dataset: Dataset, label: Label, seconds: float) -> Names:
        """The names that a label leads to, in that dataset, in a task.

        Raises TimeoutError after the seconds, and as ``Lanes.begin``. A look is for all who ask meanwhile,
        and goes on for who asks again.
        """
        key = (dataset.e_tag, label)
        with self._lock:
            if (known := self._kept(key)) is not None:
                return known
            look = self._looks.get(key)
            if look is None:
                look = self._lanes.begin(read_lane(dataset), partial(self._look, dataset, label))
                self._looks[key] = look
        return await outcome(look, seconds)

    def _look(self, dataset: Dataset, label: Label) -> Names:
        try:
            return self._find(dataset, label)
        finally:
            with self._lock:
                del self._looks[dataset.e_tag, label]

    def _kept(self, key: Key) -> Names | None:
        """With the lock held."""
        kept = self._known.get(key)
        if kept is None or self._clock() >= kept.until:
            return None
        self._known.move_to_end(key)
        return kept.names

    def _find(self, dataset: Dataset, label: Label) -> Names:
        try:
            found = _Kept(self._read(dataset, label))
        except (DownloadError, pa.ArrowException, NoText) as error:
            logger.warning("The labels of dataset %r cannot be read: %s", dataset.name, error)
            # What the rows themselves are stays so for this version; all else may pass.
            is_lasting = isinstance(error, NoText)
            found = _Kept(NONE) if is_lasting else _Kept(NONE, self._clock() + RETRY_SECONDS)
        with self._lock:
            self._known[dataset.e_tag, label] = found
            self._known.move_to_end((dataset.e_tag, label))
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        return found.names

    def _read(self, dataset: Dataset, label: Label) -> Names:
        columns = {column.name: column for column in dataset.columns}
        if label.key not in columns or label.name not in columns or dataset.rows > MOST_ROWS:
            logger.warning(
                "Dataset %r has no columns %r and %r to take labels from, or more than %d rows",
                *(dataset.name, label.key, label.name, MOST_ROWS),
            )
            return NONE
        query = Query((columns[label.key], columns[label.name]))
        names: dict[str, str] = {}
        with (
            within(SECONDS) as cancellation,
            closing(self._engine.batches(dataset, query, cancellation)) as batches,
        ):
            for batch in batches:
                keys, values = (normalise(column).to_pylist() for column in batch.columns)
                for key, value in zip(keys, values, strict=True):
                    # Of several rows of a key the first that has a name.
                    if key is not None and value not in (None, ""):
                        names.setdefault(str(key), str(value))
        return names
