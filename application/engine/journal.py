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
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from enum import Enum, auto
from pathlib import Path
from typing import IO, Protocol

from application.engine.turns import Turns
from application.engine.verdicts import Verdicts, version_of
from application.errors import Busy
from application.models import ObjectMeta
from application.telemetry import logger

SUFFIX = ".journal"
# For a trial that is still running: who asks holds a thread meanwhile, and there are not many.
WAIT_SECONDS = 20.0
MOST_WAITING = 4
# For those who read a version at the same time as two others: it would have ended these by then.
TURN_SECONDS = 2.0
LOOK_SECONDS = 0.05
# What is begun and over is dropped from the file beyond so many bytes.
LONG = 64 << 10

FATAL_REASON = (
    "A file of this dataset is damaged such that reading it ends the process; it is not read until it is "
    "replaced."
)


class Outcome(Enum):
    """What came of a trial."""

    SURVIVED = auto()
    FATAL = auto()
    UNTRIED = auto()


Trial = Callable[[str, str], Outcome]


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
    """One process's journal, in a folder that several share.

    ``trial`` is given a dataset's name and version, and reads all of it in a process of its own.
    """

    def __init__(self, folder: Path, verdicts: Verdicts, trial: Trial) -> None:
        self._folder = folder
        self._verdicts = verdicts
        self._trial = trial
        self._lock = threading.Lock()
        self._file: int | None = None
        self._path: Path | None = None
        self._reading: Counter[str] = Counter()
        self._queue: deque[tuple[str, str]] = deque()
        self._tried: dict[str, threading.Event] = {}
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._is_trying = False
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
            if version in self._suspects():
                self._await_trial(version, name)
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
        with self._lock:
            self._queue.clear()
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

    def _suspects(self) -> dict[str, str]:
        """Versions that stand in the journals of dead processes, with their datasets' names."""
        return {version: name for _, records in self._dead() for version, name in records.items()}

    def _dead(self) -> Iterator[tuple[IO[bytes], dict[str, str]]]:
        """The journals of dead processes, with what stands in them; those with nothing are removed."""
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path == self._path:
                continue
            with suppress(OSError), path.open("r+b", buffering=0) as file:
                # Shared, for several look at the same time; a living process lets nobody have it.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                records = _standing(file.read())
                if records:
                    yield file, records
                else:
                    path.unlink(missing_ok=True)

    def _await_trial(self, version: str, name: str) -> None:
        busy = Busy("This dataset is being examined after a failure; try again later.")
        if not self._waiting.acquire(blocking=False):
            raise busy
        try:
            if not self._ordered(version, name).wait(WAIT_SECONDS):
                raise busy
        finally:
            self._waiting.release()
        self._verdicts.check(version)
        if version in self._suspects():
            raise busy

    def _ordered(self, version: str, name: str) -> threading.Event:
        """An event that is set when the version's trial is over; others that are suspect follow."""
        others = self._suspects()
        with self._lock:
            over = self._tried.setdefault(version, threading.Event())
            self._queue.appendleft((version, name))
            self._queue.extend(others.items())
            if not self._is_trying:
                self._is_trying = True
                threading.Thread(target=self._try_all, name="trials", daemon=True).start()
        return over

    def _try_all(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._is_trying = False
                    return
                version, name = self._queue.popleft()
            try:
                self._try(version, name)
            finally:
                with self._lock:
                    over = self._tried.pop(version, None)
                if over:
                    over.set()

    def _try(self, version: str, name: str) -> None:
        """Try one version, one at a time on this machine, unless another process has meanwhile."""
        with (self._folder / "trials.lock").open("wb") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if version not in self._suspects():
                return
            # Another may have died of it since it was condemned.
            if self._verdicts.reason(version) is None:
                outcome = self._trial(name, version)
                if outcome is Outcome.UNTRIED:
                    return
                if outcome is Outcome.FATAL:
                    self._verdicts.condemn(version, FATAL_REASON)
            for file, records in self._dead():
                if version in records:
                    file.write(f"={version}\n".encode())


def _standing(data: bytes) -> dict[str, str]:
    """Versions that were begun and are not over, with their datasets' names."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    # The last line may have been cut by the death itself.
    for line in data.decode(errors="replace").split("\n"):
        mark, (version, _, name) = line[:1], line[1:].partition(" ")
        if mark == "+":
            names[version] = name
            counts[version] += 1
        elif mark == "-":
            counts[version] -= 1
        elif mark == "=":
            counts[version] = 0
    return {version: names[version] for version, count in counts.items() if count > 0 and version in names}


def _name(objects: Sequence[ObjectMeta]) -> str:
    """The dataset that these objects are."""
    return objects[0].path.partition("/")[0].removesuffix(".parquet")
