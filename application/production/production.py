"""One result in the making: its job and its tape, in a thread of its own."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from typing import Protocol

from application.errors import DownloadError, EngineFailed, ProductionCancelled, Refused, Stopping, lack
from application.niceness import LARGE, SHORT, stand_back
from application.production.admission import Work
from application.production.claim import Alarm, Claim, Later
from application.production.slots import Slots
from application.production.watchdog import Patience, watched
from application.spool import Tape
from application.telemetry import logger
from application.telemetry.tracing import span


class Cancellation(Protocol):
    """What a job is told by that nobody wants its bytes any more."""

    @property
    def is_set(self) -> bool:
        """True once it is told."""

    def set(self) -> None:
        """Tell it, now or before it starts, from any thread."""


class Job(Protocol):
    """What makes a tape's bytes, and how much memory it may need while it runs."""

    @property
    def cancellation(self) -> Cancellation:
        """What stops it."""

    @property
    def owner(self) -> str:
        """Whose slots it takes: its dataset."""

    @property
    def memory(self) -> int:
        """Bytes it may need while it runs."""

    def size(self) -> int:
        """Bytes of rows that it reads at most, as far as is known without reading; may take a moment."""

    def effort(self) -> float:
        """Seconds of work so far that no bytes show, where there is much before the first; else 0."""

    def run(self, tape: Tape) -> None:
        """Write everything; raise when that cannot be done."""


class Registry(Protocol):
    """Who is told how a production ends: keep or forget, then ended."""

    def keep(self, production: "Production") -> None:
        """Its tape is about to be whole."""

    def forget(self, production: "Production", failure: DownloadError) -> None:
        """Its tape is about to fail: who asks next is to begin anew."""

    def ended(self, production: "Production") -> None:
        """Its thread does nothing more."""


class Production:
    """Runs one job onto one tape, for a claim; the last reader's leaving stops it, at once or after a while.

    ``new_tape`` is given what to call when the tape's last reader leaves.
    """

    def __init__(
        self,
        key: str,
        job: Job,
        new_tape: Callable[[Callable[[], None]], Tape],
        *,
        claim: Claim,
        later: Later,
        slots: Slots,
        patience: Patience,
        registry: Registry,
    ) -> None:
        self.key = key
        self.tape = new_tape(self._left)
        self.claim = Claim()
        self.work = Work(job.owner, claim.client, job.memory)
        self._job = job
        self._later = later
        self._alarm: Alarm | None = None
        self._alarm_lock = threading.Lock()
        self._slots = slots
        self._patience = patience
        self._registry = registry
        # In the context of the request that began it, for its trace.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self.run,), name="production", daemon=True
        )
        self.hold(claim)

    def hold(self, claim: Claim) -> None:
        """Go on for the claim's seconds after the last reader left, if that is longer; while read."""
        if claim.hold_seconds > self.claim.hold_seconds:
            self.claim = claim
            self.tape.hold()

    def start(self) -> None:
        """Run in a thread; where none can start, the readers are told so."""
        try:
            self._thread.start()
        except (RuntimeError, MemoryError) as error:
            self._fail(error)

    def run(self) -> None:
        """Wait for a slot, make everything, and tell the readers how it ended."""
        try:
            self._make()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the readers must learn of it
            self._fail(error)
        else:
            self._registry.keep(self)
            self.tape.finish()
            self._end()

    def stop(self, failure: DownloadError) -> None:
        """Stop it, now or before it starts, from any thread; its readers get the failure at once.

        An interrupt alone does not: a query that waits for a stalled S3 body hears none, and a producer that
        waits for a slow reader sees no cancellation.
        """
        # First, for the first failure is the one that is told: what is cancelled soon fails by that.
        self.tape.stop(failure)
        self._job.cancellation.set()
        self._slots.nudge()

    def join(self, seconds: float) -> None:
        """Wait for the thread: one that is inside the engine when the interpreter ends aborts the process."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _make(self) -> None:
        job, tape = self._job, self.tape
        work = self.work = replace(self.work, size=job.size())
        self._slots.enter(work, lambda: job.cancellation.is_set)
        # Alone it has the cores; the niceness of a thread cannot be taken back.
        if self._slots.taken > 1:
            stand_back(SHORT if work.is_short else LARGE)
        try:
            with span("produce"), watched(tape, self.stop, self._patience, job.effort):
                job.run(tape)
        finally:
            self._slots.leave(work)
        if job.cancellation.is_set:
            raise ProductionCancelled("The download was cancelled.")

    def _left(self) -> None:
        """The last reader is gone; another may come until nobody is waited for any more."""
        if not self.claim.hold_seconds:
            self._give_up()
            return
        with self._alarm_lock:
            self._disarm()
            try:
                self._alarm = self._later(self.claim.hold_seconds, self._give_up)
                return
            except RuntimeError:
                logger.warning("no thread to wait with for another reader", extra={"e_tag": self.key})
        self._give_up()

    def _give_up(self) -> None:
        if self.tape.desert():
            self.stop(ProductionCancelled("The download's readers are gone."))

    def _end(self) -> None:
        with self._alarm_lock:
            self._disarm()
        self._registry.ended(self)

    def _disarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    def _fail(self, error: BaseException) -> None:
        failure = lack(error) or (error if isinstance(error, DownloadError) else _unexpected(error))
        self._registry.forget(self, failure)
        self.tape.fail(failure)
        self._end()
        if isinstance(error, ProductionCancelled | Stopping):
            logger.info("production ended: %s", error, extra={"e_tag": self.key})
        elif isinstance(failure, Refused):
            logger.warning("production refused: %s", failure, extra={"e_tag": self.key})
        else:
            logger.error("production failed", exc_info=error, extra={"e_tag": self.key})


def _unexpected(error: BaseException) -> DownloadError:
    failure = EngineFailed("The download failed.")
    failure.__cause__ = error
    return failure
