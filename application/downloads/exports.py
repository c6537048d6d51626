"""Results that no answer can carry: made once into a bucket, under their ETag, for every machine.

An export is a whole object or none. While it is made, a note beside it says since when, renewed every
few seconds, so that one whose machine is gone is begun again. A failure is told to who asks meanwhile; one
that fails again and again is begun ever more rarely.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from application.downloads.content import Content
from application.downloads.events import event_of, request_of
from application.downloads.limits import MARGIN_SECONDS
from application.downloads.notes import Note
from application.downloads.plan import Plan, Request
from application.errors import (
    Busy,
    DatasetChanged,
    DeadlineExceeded,
    DownloadError,
    ExportFailed,
    ExportPending,
    ProductionCancelled,
    Refused,
    SpoolFull,
    Stopping,
    StorageStalled,
    StorageUnavailable,
)
from application.formats.compression import IDENTITY
from application.storage.base import Method, Storage
from application.storage.export import S3ExportStorage
from application.telemetry import logger

READ_BYTES = 1 << 20
BEAT_SECONDS = 10.0
# These pass by themselves, and are told to nobody.
PASSING = (Busy, DatasetChanged, ProductionCancelled, SpoolFull, Stopping, StorageStalled, StorageUnavailable)
PENDING = "The result is too large for an answer, and is being made; try again in a few seconds."

Begin = Callable[[Mapping[str, Any]], None]


class Opener(Protocol):
    """What plans a download and opens its bytes."""

    def plan(self, request: Request, *, fresh: bool = False) -> Plan:
        """Fit a request to its dataset."""

    def wait(self, plan: Plan) -> None:
        """Wait until the plan may be opened."""

    def open(self, plan: Plan) -> Content:
        """The plan's bytes."""


class Exports:
    """Finds and makes exports, whose addresses are good for ``url_seconds``.

    ``begin`` starts ``make`` with an event, elsewhere or in a thread here. ``with_charset``: they say so
    where they are text.
    """

    def __init__(
        self,
        store: S3ExportStorage,
        storage: Storage,
        downloads: Opener,
        url_seconds: int,
        begin: Begin | None = None,
        *,
        with_charset: bool = False,
    ) -> None:
        self._store = store
        self._storage = storage
        self._downloads = downloads
        self._url_seconds = url_seconds
        self._with_charset = with_charset
        self._begin = begin or self._in_a_thread
        self._making: set[str] = set()
        self._begun = self._failed = 0
        self._lock = threading.Lock()

    def find(self, plan: Plan, method: Method) -> str | None:
        """A URL of the result, signed for that method, where it is there; None where nobody has begun it.

        Raises ExportPending while it is made, and ExportFailed for a while after that failed.
        """
        return self._look(plan, method)[0]

    def url(self, request: Request, plan: Plan, method: Method) -> str:
        """A URL of the result, signed for that method.

        Begins to make it where it is not there, and raises as ``find``.
        """
        found, old = self._look(plan, method)
        if found is not None:
            return found
        note = Note(time.time(), old.failures if old else 0)
        if self._store.note(_note_path(plan), note.written(), only_if_new=old is None):
            try:
                self._begin(event_of(request))
            except BaseException:
                self._store.remove(_note_path(plan))
                raise
        raise ExportPending(PENDING)

    def make(self, event: Mapping[str, Any], deadline: float | None = None) -> None:
        """Make the export that an event of ours asks for; what fails is noted and logged.

        ``deadline`` is the Unix time at which this machine is stopped.

        Makes nothing that is there or is being made here: an event may come twice, and two who ask at
        once may both begin. Raises ValueError for another event.
        """
        request = request_of(event)
        plan = self._downloads.plan(request, fresh=True)
        with self._lock:
            if plan.e_tag in self._making:
                return
            self._making.add(plan.e_tag)
            self._begun += 1
        failure: DownloadError | None = None
        failures = 0
        try:
            failures = self._failures(plan)
            with self._noted(plan, failures):
                self._make(plan, deadline)
        except DownloadError as error:
            if isinstance(error, Refused):
                logger.warning("export %s of %s refused: %s", plan.e_tag[:12], plan.filename, error)
            else:
                logger.error("export %s of %s failed", plan.e_tag[:12], plan.filename, exc_info=error)
            failure = error
        finally:
            # Before the note goes: who notes it anew from now on also comes here, and removes it again.
            with self._lock:
                self._making.discard(plan.e_tag)
        if failure is None:
            self._store.remove(_note_path(plan))
            return
        self._failed += 1
        told = None if isinstance(failure, PASSING) else str(failure)
        note = Note(time.time(), failures + 1, told, is_making=False)
        self._store.note(_note_path(plan), note.written())

    def readings(self) -> dict[str, float]:
        """How many exports were begun here, and how many of them failed, for the metrics."""
        return {"exports": self._begun, "export_failures": self._failed}

    def _failures(self, plan: Plan) -> int:
        text = self._store.noted(_note_path(plan))
        return Note.read(text).failures if text else 0

    def _look(self, plan: Plan, method: Method) -> tuple[str | None, Note | None]:
        """A signed URL if the result is there, or an old note that a new one is to replace."""
        if plan.is_native:
            path, seconds = plan.dataset.objects[0].path, self._url_seconds
            if url := self._storage.presign(path, seconds, method):
                # The stored object is its own export.
                return url, None
        if self._store.head(_path(plan)):
            return self._store.presign(_path(plan), self._url_seconds, method), None
        text = self._store.noted(_note_path(plan))
        if text is None:
            return None, None
        note, now = Note.read(text), time.time()
        if now >= note.until:
            return None, note
        if note.failure is not None:
            left = math.ceil(note.until - now)
            raise ExportFailed(f"{note.failure} Who asks in {left} s begins it anew.")
        raise ExportPending(PENDING)

    def _make(self, plan: Plan, deadline: float | None) -> None:
        attributes = {
            "Content-Type": plan.format.content_type(with_charset=self._with_charset),
            "Content-Disposition": f'attachment; filename="{plan.filename}"',
        }
        if plan.coding != IDENTITY:
            attributes["Content-Encoding"] = plan.coding
        path = _path(plan)
        if self._store.head(path):
            return
        self._downloads.wait(plan)
        with self._downloads.open(plan) as content:
            # So much earlier that there is time to complete the upload, or to note the failure.
            end = None if deadline is None else deadline - MARGIN_SECONDS
            self._store.write(path, _pieces(content, end), attributes)
            written = self._store.head(path)
            if written is None or written.size != content.position:
                self._store.remove(path)
                raise ExportFailed("The export bucket holds other bytes than were written.")
        logger.info("export %s of %s: %d bytes", plan.e_tag[:12], plan.filename, written.size)

    @contextmanager
    def _noted(self, plan: Plan, failures: int) -> Iterator[None]:
        """Renew the note while the export is made."""
        over = threading.Event()

        def beat() -> None:
            while True:
                try:
                    self._store.note(_note_path(plan), Note(time.time(), failures).written())
                except StorageUnavailable as error:
                    logger.warning("export %s: its note was not renewed: %s", plan.e_tag[:12], error)
                if over.wait(BEAT_SECONDS):
                    return

        thread = threading.Thread(target=beat, name="export note", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # Joined, lest a late renewal outlive what is noted next.
            over.set()
            thread.join()

    def _in_a_thread(self, event: Mapping[str, Any]) -> None:
        def work() -> None:
            try:
                self.make(event)
            except DownloadError as error:
                logger.error("an export failed", exc_info=error)

        threading.Thread(target=work, name="export", daemon=True).start()


def _pieces(content: Content, deadline: float | None) -> Iterator[bytes]:
    while data := content.read_blocking(READ_BYTES, deadline):
        yield data
        if deadline is not None and time.time() > deadline:
            raise DeadlineExceeded("The download takes longer to make than there is time.")


def _path(plan: Plan) -> str:
    return f"{plan.e_tag}/{plan.filename}"


def _note_path(plan: Plan) -> str:
    return f"{plan.e_tag}.json"
