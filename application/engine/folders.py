"""Folders for a file in the making: of a process that died, the next one removes what it left."""

import errno
import fcntl
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from application.formats.workplace import Workplace

PREFIX = "layer-"
# What the file is made of; all else in a folder is the file, or becomes it.
ROWS = "rows.arrow"
# How often it is looked how far a file is, and what is kept free while others can do without what they have.
LOOK_SECONDS = 0.1
FREE_BYTES = 16 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)


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

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of each file in it."""
        found = {}
        with suppress(OSError), os.scandir(self.path) as entries:
            for entry in entries:
                # Some go while others are looked at.
                with suppress(OSError):
                    found[entry.name] = entry.stat().st_size
        return found

    @property
    def size(self) -> int:
        """The bytes of all files in it."""
        return sum(self.sizes.values())

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


class RoomyFile(io.FileIO):
    """A new file for whose bytes others make room where the disk is full."""

    def __init__(self, path: Path, make_room: Callable[[], bool]) -> None:
        super().__init__(path, "w")
        self._make_room = make_room

    def write(self, data: Any) -> int:
        """Write all of it, or raise OSError."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            try:
                left = left[super().write(left) or 0 :]
            except OSError as error:
                if error.errno not in FULL or not self._make_room():
                    raise
        return size


@contextmanager
def watched(
    work: WorkFolder, workplace: Workplace, interrupt: Callable[[], None]
) -> Iterator[Callable[[], None]]:
    """Report how far the file is that is made in a folder; what is raised for that interrupts its making.

    Gives what looks once more, and raises what was raised.
    """
    failures: list[Exception] = []
    over = threading.Event()

    def look() -> None:
        sizes = work.sizes
        made = max((size for name, size in sizes.items() if name != ROWS), default=0)
        workplace.report(made, sum(sizes.values()))
        while shutil.disk_usage(work.path).free < FREE_BYTES and workplace.make_room():
            continue

    def check() -> None:
        if failures:
            raise failures[0]
        look()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            try:
                check()
            except Exception as error:  # noqa: BLE001 - it is raised where the file is made
                failures.append(error)
                # What has not quite begun hears nothing, so it is told again.
                interrupt()

    watcher = threading.Thread(target=watch, name="layer", daemon=True)
    watcher.start()
    try:
        yield check
    finally:
        over.set()
        watcher.join()
