"""Versions of datasets that are not read again until they change, and why."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from application.errors import DatasetInvalid
from application.models import ObjectMeta
from application.telemetry import logger

SUFFIX = ".verdict"


def version_of(objects: Sequence[ObjectMeta]) -> str:
    """What one version of a dataset is known by, on every process that sees the same objects."""
    told = repr([(meta.path, meta.size, meta.version) for meta in objects])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


class Verdicts:
    """Known to this process, and in a folder, where there is one, to others and to those that come after."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def condemn(self, version: str, reason: str) -> None:
        """Have a version refused from now on, in these words."""
        with self._lock:
            self._known[version] = reason
        logger.error("A dataset is not read until it changes: %s", reason)
        if self._folder is None:
            return
        # Whole or not at all. Without a place for it, this process still knows.
        with suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(handle, "w") as file:
                file.write(reason)
            Path(name).replace(self._folder / f"{version}{SUFFIX}")

    def check(self, version: str) -> None:
        """Raise DatasetInvalid where the version is condemned."""
        if (reason := self.reason(version)) is not None:
            raise DatasetInvalid(reason)

    def reason(self, version: str) -> str | None:
        """Why the version is condemned, where it is."""
        reason = self._known.get(version)
        if reason is None and self._folder is not None:
            with suppress(OSError):
                reason = self._known[version] = (self._folder / f"{version}{SUFFIX}").read_text()
        return reason


def private_folder(spool: Path | None, storage: str) -> Path | None:
    """A folder of one user's processes over one storage; None where there can be none."""
    if spool is None:
        return None
    digest = hashlib.sha256(storage.encode()).hexdigest()[:16]
    own = spool / f"download-lambda-{os.getuid()}"
    folder = own / digest
    try:
        own.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        # Others may write into a folder for temporary files, and would decide what is read here.
        is_own = own.lstat().st_uid == os.getuid() and not own.is_symlink()
    except OSError:
        is_own = False
    if not is_own:
        logger.warning("SPOOL_DIR has no place for a journal: a file that ends the process may do so again")
    return folder if is_own else None
