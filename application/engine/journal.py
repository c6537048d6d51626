"""Which versions the engine reads now, written where the process that comes after a dead one finds it.

A malformed file can end the process, with every download in it. So each process has a journal: a file on
which it holds a lock, and in which a version stands while it is read. A journal whose lock is free is of a
process that has died. What stands in it is suspect, and is tried in a process of its own before it is read
here again. Only what ends that process too is condemned, not what was merely read at the time.
"""

import fcntl
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from application.engine.suspects import SUFFIX, Suspects, Trial
from application.engine.turns import Turns
from application.engine.verdicts import Verdicts, version_of
from application.models import ObjectMeta
from application.telemetry import logger

# For those who read a version at the same time as two others: it would have ended these by then.
TURN_SECONDS = 2.0
LOOK_SECONDS = 0.05
# What is begun and over is dropped from the file beyond so many bytes.
LONG = 64 << 10


class Entries(Protocol):
    """Where it is written down what is read."""

    def entry(self, objects: Sequence[ObjectMeta], *, has_rows: bool) -> AbstractContextManager[None]:
        """While it lasts, these objects are read; raises DatasetInvalid or Busy where they may not be.

        ``has_rows`` is False where only their footers are.
        """

    def close(self) -> None:
        """Nothing more is read."""


class NoJournal:
    """For a service without a folder of its own, and for the process of a trial."""

    def entry(self, objects: Sequence[ObjectMeta], *, has_rows: bool) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        """Nothing was opened."""


class Journal:
    """One process's journal, in a folder that several share; ``trial`` is that of its suspects."""

    def __init__(self, folder: Path, verdicts: Verdicts, trial: Trial) -> None:
        self._folder = folder
        self._verdicts = verdicts
        self._suspects = Suspects(folder, verdicts, trial)
        self._lock = threading.Lock()
        self._file: int | None = None
        self._path: Path | None = None
        self._reading: Counter[str] = Counter()
        self._turns = Turns(folder / "turns.lock")
        self._sound: set[str] = set()

    @contextmanager
    def entry(self, objects: Sequence[ObjectMeta], *, has_rows: bool) -> Iterator[None]:
        """While it lasts, the journal says that these objects are read; once they were, they need no turn.

        Raises DatasetInvalid for what is condemned, and Busy where that is not known yet.
        """
        version, name = version_of(objects), _name(objects)
        has_turn = self._admit(version, name)
        self._write(f"+{version} {name}", version, 1)
        try:
            yield
            if has_rows:
                self._sound.add(version)
        finally:
            self._write(f"-{version}", version, -1)
            if has_turn:
                self._turns.leave(version)

    def _admit(self, version: str, name: str) -> bool:
        """Wait for its trial where it is suspect, and for a turn where it is new; True where it has one."""
        deadline = time.monotonic() + TURN_SECONDS
        while True:
            self._verdicts.check(version)
            self._suspects.examine(version, name)
            # And after that look: what was condemned meanwhile is suspect no more.
            self._verdicts.check(version)
            if version in self._sound:
                return False
            try:
                if self._turns.take(version):
                    return True
            except OSError:
                return False
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Take the journal away; what is still read stays in it until the process ends."""
        self._suspects.close()
        with self._lock:
            if not self._reading:
                self._turns.close()
            if self._file is None or self._path is None or self._reading:
                return
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = self._path = None

    def _write(self, line: str, version: str, change: int) -> None:
        with self._lock:
            self._reading[version] += change
            if not self._reading[version]:
                del self._reading[version]
            try:
                file = self._open()
                # Without fsync: it is to outlive the process, not the machine.
                os.write(file, f"{line}\n".encode())
                if not self._reading and os.fstat(file).st_size > LONG:
                    os.ftruncate(file, 0)
                    os.lseek(file, 0, os.SEEK_SET)
            except OSError as error:
                # A full disk, as a rule: no reason to refuse downloads.
                logger.debug("The journal could not be written: %s", error)

    def _open(self) -> int:
        """The journal's file, named only once it is locked: without a lock it would be a dead process's."""
        if self._file is None:
            self._file, name = tempfile.mkstemp(dir=self._folder)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._path = Path(name).rename(f"{name}{SUFFIX}")
        return self._file


def _name(objects: Sequence[ObjectMeta]) -> str:
    """The dataset that these objects are."""
    return objects[0].path.partition("/")[0].removesuffix(".parquet")
