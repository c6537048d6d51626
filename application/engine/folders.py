"""Folders for a file in the making: of a process that died, the next one removes what it left."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "layer-"


class WorkFolder:
    """A folder that is locked, and there, until it is closed."""

    def __init__(self, root: Path | None) -> None:
        parent = Path(root or tempfile.gettempdir())
        sweep(parent)
        made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=parent))
        self._lock = os.open(made, os.O_RDONLY)
        # Named only once it is locked: without a lock it would be a dead process's.
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = made.rename(parent / made.name.removeprefix("."))

    def close(self) -> None:
        """Remove it, and all that is in it; once more does nothing."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def sweep(root: Path) -> None:
    """Remove the folders of processes that are no more."""
    for folder in root.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
