"""Checks of pages beside serving: of each version once."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

from application.datasets.background import Background
from application.datasets.footer import read_metadata
from application.datasets.pages import PageWalk
from application.engine.verdicts import Verdicts, version_of
from application.errors import Busy, DatasetInvalid, DownloadError, Stopping
from application.models import Dataset, ObjectMeta
from application.storage.base import Storage
from application.telemetry import logger

Mode = Literal["auto", "always", "off"]
# Of a bucket's dataset, which is read a second time for it.
MOST_BYTES = 256_000_000


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
        self._current: dict[str, tuple[str, Future[None]]] = {}
        # Where answers wait for it, it gives way to nobody.
        self._work = Background("page checks", self._check, gives_way=mode == "auto")

    def begin(self, dataset: Dataset) -> Future[None] | None:
        """Have a version checked; what is to be waited for before it is answered, if anything is."""
        if not self._is_wanted(dataset):
            return None
        with self._lock:
            found = self._current.get(dataset.name)
            is_new = found is None or found[0] != dataset.e_tag
            if found is None or is_new:
                found = self._current[dataset.name] = dataset.e_tag, Future[None]()
        over = found[1]
        if is_new and not self._work.begin((dataset, over)):
            self._fail_for_now(dataset, over, Busy("No thread is free to check the dataset's pages."))
        return over if self._mode == "always" else None

    def check(self, dataset: Dataset) -> None:
        """Raise DatasetInvalid where the version is known to be damaged."""
        self._verdicts.check(version_of(dataset.objects))

    def close(self) -> None:
        """Check nothing more."""
        self._work.close()

    def _is_wanted(self, dataset: Dataset) -> bool:
        if dataset.fault:
            return False
        if self._mode == "auto":
            return not self._is_brief and (self._storage.is_near or dataset.size <= MOST_BYTES)
        return self._mode == "always"

    def _check(self, begun: tuple[Dataset, Future[None]]) -> None:
        dataset, over = begun
        try:
            self._walk(dataset)
        except DatasetInvalid as error:
            self._verdicts.condemn(version_of(dataset.objects), str(error))
            self._fail(dataset.e_tag, error)
            over.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - who waits must learn of it
            if not isinstance(error, DownloadError):
                logger.error("Pages could not be checked", exc_info=error)
            self._fail_for_now(dataset, over, error)
        else:
            over.set_result(None)

    def _fail_for_now(self, dataset: Dataset, over: Future[None], error: BaseException) -> None:
        """Tell who waits; who comes next tries again."""
        with self._lock:
            if self._current.get(dataset.name) == (dataset.e_tag, over):
                del self._current[dataset.name]
        over.set_exception(error)

    def _walk(self, dataset: Dataset) -> None:
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
            if self._work.stopping.is_set():
                raise Stopping("The service is stopping.")
            return self._storage.read(meta, start, end)

        return read
