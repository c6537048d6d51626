"""Versions that stand in the journals of dead processes: each is tried before it is read here again."""

import fcntl
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import IO

from application.engine.verdicts import Verdicts
from application.errors import Busy
from application.telemetry import logger

SUFFIX = ".journal"
# For a trial that is still running: who asks holds a thread meanwhile, and there are not many.
WAIT_SECONDS = 20.0
MOST_WAITING = 4

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


class Suspects:
    """The suspects in a folder of journals, tried one after another on this machine.

    ``trial`` is given a dataset's name and version, and reads all of it in a process of its own.
    """

    def __init__(self, folder: Path, verdicts: Verdicts, trial: Trial) -> None:
        self._folder = folder
        self._verdicts = verdicts
        self._trial = trial
        self._lock = threading.Lock()
        self._queue: deque[tuple[str, str]] = deque()
        self._tried: dict[str, threading.Event] = {}
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._is_trying = False

    def examine(self, version: str, name: str) -> None:
        """Wait for the trial of a suspect version; raises DatasetInvalid, and Busy until it is over."""
        if version not in self._names():
            return
        busy = Busy("This dataset is being examined after a failure; try again later.")
        if not self._waiting.acquire(blocking=False):
            raise busy
        try:
            if not self._ordered(version, name).wait(WAIT_SECONDS):
                raise busy
        finally:
            self._waiting.release()
        self._verdicts.check(version)
        if version in self._names():
            raise busy

    def close(self) -> None:
        """Try no more of those that wait."""
        with self._lock:
            self._queue.clear()

    def _names(self) -> dict[str, str]:
        """The versions that are suspect, with their datasets' names."""
        return {version: name for _, records in self._dead() for version, name in records.items()}

    def _dead(self) -> Iterator[tuple[IO[bytes], dict[str, str]]]:
        """The journals of dead processes, with what stands in them; those with nothing are removed."""
        for path in self._folder.glob(f"*{SUFFIX}"):
            with suppress(OSError), path.open("r+b", buffering=0) as file:
                # Shared, for several look at the same time; a living process lets nobody have it, itself
                # included.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                records = _standing(file.read())
                if records:
                    yield file, records
                else:
                    path.unlink(missing_ok=True)

    def _ordered(self, version: str, name: str) -> threading.Event:
        """An event that is set when the version's trial is over; others that are suspect follow.

        Raises Busy where no thread can start to try it.
        """
        others = self._names()
        with self._lock:
            over = self._tried.setdefault(version, threading.Event())
            self._queue.appendleft((version, name))
            self._queue.extend(others.items())
            if not self._is_trying:
                try:
                    threading.Thread(target=self._try_all, name="trials", daemon=True).start()
                except (RuntimeError, MemoryError) as error:
                    # Whoever asks next begins anew.
                    self._queue.clear()
                    self._tried.clear()
                    raise Busy("This service runs too many threads; try again later.") from error
                self._is_trying = True
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
            except BaseException:  # noqa: BLE001 - it stays suspect, and others are to be tried
                logger.exception("Dataset %r, which is suspect, could not be tried", name)
            finally:
                with self._lock:
                    over = self._tried.pop(version, None)
                if over:
                    over.set()

    def _try(self, version: str, name: str) -> None:
        """Try one version, one at a time on this machine, unless another process has meanwhile."""
        with (self._folder / "trials.lock").open("wb") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if version not in self._names():
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
