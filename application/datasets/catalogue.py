"""Names to datasets: schema, rows and identity, without reading data; refreshed by age and by ETag."""

import hashlib
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass

from application.datasets.extents import joined
from application.datasets.footer import read_footer
from application.engine.scan import Engine
from application.errors import DatasetInvalid, DatasetNotFound
from application.models import Dataset, ObjectMeta
from application.storage.base import Storage

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
SUFFIX = ".parquet"


@dataclass(slots=True)
class _Entry:
    dataset: Dataset
    checked: float


class Catalogue:
    """The datasets of one storage, looked at again after ``max_age`` seconds; for many threads."""

    def __init__(self, storage: Storage, engine: Engine, max_age: float) -> None:
        self._storage = storage
        self._engine = engine
        self._max_age = max_age
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def get(self, name: str, *, fresh: bool = False) -> Dataset:
        """The dataset of that name, looked at within the last ``max_age`` seconds, or just now if ``fresh``.

        Raises DatasetNotFound, DatasetInvalid and StorageUnavailable.
        """
        if not NAME.fullmatch(name):
            raise DatasetNotFound("A dataset's name has 1 to 100 letters, digits, '_' and '-'.")
        with self._lock:
            entry = self._entries.get(name)
        if entry and not fresh and time.monotonic() - entry.checked < self._max_age:
            return entry.dataset
        try:
            objects = self._find(name)
            if entry and entry.dataset.objects == objects:
                dataset = entry.dataset
            else:
                dataset = self._describe(name, objects)
        except DatasetNotFound:
            with self._lock:
                self._entries.pop(name, None)
            raise
        with self._lock:
            self._entries[name] = _Entry(dataset, time.monotonic())
        return dataset

    def names(self) -> list[str]:
        """Every dataset's name, sorted."""
        level = self._storage.level()
        single = {meta.path.removesuffix(SUFFIX) for meta in level.objects if _is_part(meta)}
        folders = {folder.rstrip("/") for folder in level.folders if self._has_part(folder)}
        return sorted(name for name in single | folders if NAME.fullmatch(name))

    def is_current(self, dataset: Dataset) -> bool:
        """True while storage still holds exactly the objects that the dataset was described from."""
        try:
            return self._find(dataset.name) == dataset.objects
        except DatasetNotFound:
            return False

    def _has_part(self, folder: str) -> bool:
        """True where a part lies in a folder, or deeper; looks no further than it must."""
        if folder.rpartition("/")[0].rpartition("/")[2].startswith(("_", ".")) and "/" in folder[:-1]:
            return False
        level = self._storage.level(folder)
        return any(map(_is_part, level.objects)) or any(map(self._has_part, level.folders))

    def _find(self, name: str) -> tuple[ObjectMeta, ...]:
        single = self._storage.head(name + SUFFIX)
        if single:
            return (single,)
        parts = tuple(meta for meta in self._storage.list(f"{name}/") if _is_part(meta))
        if not parts:
            raise DatasetNotFound(f"There is no dataset {name!r}.")
        return parts

    def _describe(self, name: str, objects: tuple[ObjectMeta, ...]) -> Dataset:
        footers = [read_footer(self._storage, meta) for meta in objects]
        schema = footers[0].schema
        for meta, footer in zip(objects, footers, strict=True):
            if not footer.schema.equals(schema):
                part = meta.path.rpartition("/")[2]
                raise DatasetInvalid(
                    f"Part {part!r} of dataset {name!r} has another schema than the first part."
                )
        if twice := [field for field, count in Counter(schema.names).items() if count > 1]:
            # Formats and filters know columns by name: one of the two would be lost.
            raise DatasetInvalid(f"Dataset {name!r} has more than one column named {twice[0]!r}.")
        is_folder = "/" in objects[0].path
        identity = hashlib.sha256()
        for meta, footer in zip(objects, footers, strict=True):
            identity.update(repr((meta.path, meta.size, meta.version, footer.digest)).encode())
        rows = sum(footer.rows for footer in footers)
        columns = self._engine.describe(objects, schema)
        return Dataset(
            name=name,
            objects=objects,
            columns=columns,
            metadata=dict(schema.metadata or {}),
            rows=rows,
            row_bytes=sum(footer.data_bytes for footer in footers) // max(rows, 1),
            e_tag=identity.hexdigest(),
            last_modified=max(meta.last_modified for meta in objects),
            is_folder=is_folder,
            extents=joined(footer.extents for footer in footers),
        )


def _is_part(meta: ObjectMeta) -> bool:
    """False for what writers keep beside their data: `_temporary/…`, `_delta_log/…`, `.name.parquet`."""
    _, *within = meta.path.split("/")
    return meta.path.endswith(SUFFIX) and not any(part.startswith(("_", ".")) for part in within)
