"""Productions that wait until a test lets them go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from application.downloads.job import DownloadJob
from application.errors import ProductionCancelled
from application.spool import Tape


class Gate:
    """Counts the jobs that came to it, and holds them back while it is shut."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.came: list[str] = []

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def pass_through(self, job: DownloadJob) -> None:
        self.came.append(job.plan.e_tag)
        while not self._open.wait(0.005):
            if job.cancellation.is_set:
                raise ProductionCancelled("cancelled at the gate")


@contextmanager
def gated(patch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate before every job of this process, for the length of the block."""
    gate, run = Gate(), DownloadJob.run

    def gated_run(self: DownloadJob, tape: Tape) -> None:
        gate.pass_through(self)
        run(self, tape)

    patch.setattr(DownloadJob, "run", gated_run)
    try:
        yield gate
    finally:
        gate.open()
