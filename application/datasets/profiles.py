"""Profiles beside serving: of each version once, and kept."""

import json
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pyarrow as pa

from application.datasets.background import Background
from application.datasets.description import Description
from application.datasets.figures import UNKNOWN
from application.datasets.profile import Profile, read_profile
from application.datasets.survey import ColumnSurvey
from application.engine.journal import Entries, NoJournal
from application.engine.ranges import SecondReader
from application.errors import DownloadError, Stopping
from application.models import Dataset, Part
from application.storage.base import Storage
from application.telemetry import logger

SUFFIX = ".profile"
BATCH_ROWS = 16_384
# Of stored bytes that are read for one, of a folder and of a bucket; beyond it is a sample.
NEAR_BYTES, FAR_BYTES = 256 << 20, 32 << 20
# More columns would take more memory than they are worth.
MOST_COLUMNS = 1000
MOST_KEPT, MOST_FILES, MOST_QUEUED = 300, 2000, 100
# A pass waits while downloads are made, looking again so often, and goes on after so long.
WAIT_SECONDS, MOST_WAIT_SECONDS = 0.2, 60.0


class Profiles:
    """Makes the profile of each version that is asked for, and keeps it, also in a folder.

    ``is_busy`` says that downloads are being made. Off where ``is_brief``: where the process does nothing
    beside its answers.
    """

    def __init__(
        self,
        storage: Storage,
        folder: Path | None,
        *,
        is_brief: bool,
        is_busy: Callable[[], bool],
        journal: Entries | None = None,
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._is_brief = is_brief
        self._is_busy = is_busy
        self._journal = journal or NoJournal()
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Profile | None] = OrderedDict()
        # The versions whose profile is being made or waits for it, so that nobody begins it again.
        self._begun: set[str] = set()
        self._work = Background("profiles", self._make)

    def find(self, description: Description, brought: object = None) -> Profile | None:
        """The profile of a dataset if it is there; else it is begun, for who asks again.

        ``brought`` is what its publisher wrote beside it, which may have one.
        """
        dataset = description.dataset
        with self._lock:
            if dataset.e_tag in self._known:
                self._known.move_to_end(dataset.e_tag)
                return self._known[dataset.e_tag]
        if found := read_profile(brought, dataset.e_tag) or self._read(dataset.e_tag):
            self._keep(dataset.e_tag, found)
            return found
        self._begin(description)
        return None

    def close(self) -> None:
        """Make no more."""
        self._work.close()

    def _begin(self, description: Description) -> None:
        dataset = description.dataset
        if self._is_brief or dataset.fault or not dataset.parts or len(dataset.columns) > MOST_COLUMNS:
            return
        with self._lock:
            if dataset.e_tag in self._begun or len(self._begun) >= MOST_QUEUED:
                return
            self._begun.add(dataset.e_tag)
        if not self._work.begin(description):
            # Whoever asks next may find a thread.
            with self._lock:
                self._begun.discard(dataset.e_tag)

    def _make(self, description: Description) -> None:
        dataset = description.dataset
        found = None
        try:
            found = self._profile(description)
            self._write(found)
        except Stopping:
            pass
        except (DownloadError, pa.ArrowException, OSError, ValueError) as error:
            logger.warning("Dataset %r has no profile: %s", dataset.name, error)
        except BaseException:  # noqa: BLE001 - nobody waits for it, and others are to come
            logger.exception("Dataset %r has no profile", dataset.name)
        self._keep(dataset.e_tag, found)
        with self._lock:
            self._begun.discard(dataset.e_tag)

    def _profile(self, description: Description) -> Profile:
        dataset = description.dataset
        figures = {column.name: column.figures for column in description.columns}
        places = {dataset.geometry.column: dataset.geometry} if dataset.geometry else {}
        surveys = {
            column.name: ColumnSurvey(column, figures.get(column.name, UNKNOWN), places.get(column.name))
            for column in dataset.columns
        }
        rows, left = 0, NEAR_BYTES if self._storage.is_near else FAR_BYTES
        for part, group in _spread(dataset):
            size = part.meta.size // max(1, len(part.groups))
            if rows and size > left:
                break
            left -= size
            self._give_way()
            with self._journal.entry(dataset.objects, has_rows=False):
                self._add_group(surveys, part, group)
            rows += part.groups[group]
        columns = {name: survey.profile() for name, survey in surveys.items()}
        return Profile(dataset.e_tag, rows, rows < dataset.rows, columns)

    def _add_group(self, surveys: dict[str, ColumnSurvey], part: Part, group: int) -> None:
        own = [column for column in part.columns if column.name in surveys and not column.traits.refusal]
        folder = dict(part.folder)
        for name in surveys.keys() - {column.name for column in part.columns}:
            surveys[name].add_constant(folder.get(name), part.groups[group])
        with closing(SecondReader(self._storage, part.meta)) as reader:
            for column in own:
                # Column by column, for a row may be large.
                for (array,) in reader.batches(group, [column.name], BATCH_ROWS):
                    if self._work.stopping.is_set():
                        raise Stopping("The service is stopping.")
                    surveys[column.name].add(array)

    def _give_way(self) -> None:
        waited = 0.0
        while self._is_busy() and waited < MOST_WAIT_SECONDS and not self._work.stopping.wait(WAIT_SECONDS):
            waited += WAIT_SECONDS
        if self._work.stopping.is_set():
            raise Stopping("The service is stopping.")

    def _keep(self, e_tag: str, found: Profile | None) -> None:
        with self._lock:
            self._known[e_tag] = found
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)

    def _read(self, e_tag: str) -> Profile | None:
        if self._folder is None:
            return None
        try:
            return read_profile(json.loads((self._folder / f"{e_tag}{SUFFIX}").read_text()), e_tag)
        except (OSError, ValueError):
            return None

    def _write(self, profile: Profile) -> None:
        if self._folder is None:
            return
        # Whole or not at all; without a place for it, this process still has it.
        with suppress(OSError):
            kept = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
            for path in kept[: max(0, len(kept) - MOST_FILES)]:
                path.unlink(missing_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(handle, "w") as file:
                json.dump(profile.to_json(), file)
            Path(name).replace(self._folder / f"{profile.e_tag}{SUFFIX}")


def _spread(dataset: Dataset) -> list[tuple[Part, int]]:
    """The row groups of a dataset, each next one far from those before it."""
    groups = [(part, group) for part in dataset.parts for group in range(len(part.groups))]
    bits = max(len(groups) - 1, 1).bit_length()
    order = sorted(range(len(groups)), key=lambda place: int(f"{place:0{bits}b}"[::-1], 2))
    return [groups[place] for place in order]
