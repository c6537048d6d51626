"""Reading one dataset in a process of its own, which may die of it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from application.engine.suspects import Outcome
from application.telemetry import logger

# Of the processor, the C library, or the engine itself; what others send, such as SIGKILL, says nothing.
FATAL_SIGNALS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
LOOK_SECONDS = 0.05
UNTRIED_STATUS = 3


class ChildTrial:
    """Runs a module for each trial, with ``task`` and the dataset's name and version on its input.

    It may take so many seconds and bytes; what needs more has not died of what it read.
    """

    def __init__(self, module: str, task: str, *, seconds: float, memory: int) -> None:
        self._command = [sys.executable, "-m", module]
        self._task = task
        self._seconds = seconds
        self._memory = memory

    def __call__(self, name: str, version: str) -> Outcome:
        """Read all of a dataset; FATAL where the process died of it."""
        # Found wherever this process found it.
        root = str(Path(__file__).resolve().parent.parent.parent)
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                text=True,
            )
        except OSError:
            logger.warning("No process could be started to try a dataset that is suspect")
            return Outcome.UNTRIED
        with child:
            status = self._ended(child, f"{self._task}\n{name}\n{version}\n")
        logger.info("A dataset that is suspect was tried: %s ended with status %s", name, status)
        if status is None:
            return Outcome.SURVIVED
        if -status in FATAL_SIGNALS:
            return Outcome.FATAL
        # Another end, such as a kill for want of memory, is not the dataset's doing.
        return Outcome.UNTRIED if status == UNTRIED_STATUS else Outcome.SURVIVED

    def _ended(self, child: "subprocess.Popen[str]", given: str) -> int | None:
        """How it ended, or None where it was stopped, for it took too long or too much memory."""
        if child.stdin:
            # It may be dead already.
            with suppress(BrokenPipeError), child.stdin as pipe:
                pipe.write(given)
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline and _resident(child.pid) < self._memory:
            try:
                return child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        child.kill()
        return None


def _resident(process: int) -> int:
    """Bytes of memory that a process has; 0 where that cannot be told."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
