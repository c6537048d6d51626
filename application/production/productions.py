"""Who makes a download's bytes: join one that runs, wait for a place, make, stop when all readers left."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from application.errors import (
    Busy,
    DownloadError,
    EngineFailed,
    ProductionCancelled,
    Stopping,
)
from application.production.slots import Slots
from application.production.watchdog import Stoppable, watched
from application.spool import Reader, Tape
from application.telemetry import logger
from application.telemetry.tracing import span

STOP_SECONDS = 5.0


class Job(Protocol):
    """What makes a tape's bytes, and how much memory it may need while it runs."""

    @property
    def cancellation(self) -> Stoppable:
        """What stops it."""

    @property
    def memory(self) -> int:
        """Bytes it may need while it runs."""

    def run(self, tape: Tape) -> None:
        """Write everything; raise when that cannot be done."""


class Productions:
    """Every download that is being made or kept, by its ETag; one production serves all who ask for one."""

    def __init__(
        self,
        places: Slots,
        folder: Path | None,
        keep_result: int,
        quota: int,
        *,
        most_files: int,
        stall_seconds: float,
        most_seconds: float,
    ) -> None:
        self._places = places
        self._folder = folder
        # Without a folder a tape holds its window only, and memory is no place to keep results.
        self._keep_result = keep_result if folder else 0
        self._quota = quota
        self._most_files = most_files
        self._tapes: OrderedDict[str, Tape] = OrderedDict()
        self._running: dict[Tape, tuple[Stoppable, threading.Thread]] = {}
        self._lock = threading.Lock()
        self._stall_seconds = stall_seconds
        self._most_seconds = most_seconds
        # Also those that are no longer kept but still read.
        self._alive: WeakSet[Tape] = WeakSet()
        # The spool's own: stalled storage would hold all threads of an event loop.
        self._threads = ThreadPoolExecutor(thread_name_prefix="spool")
        self._stopping = False

    def join(self, key: str, make: Callable[[], Job]) -> Reader:
        """A reader of the download of that key: of a kept tape, of one that runs, or of a new one.

        Raises Stopping. Every other failure comes out of the reader.
        """
        with self._lock:
            self.check()
            tape = self._tapes.get(key)
            if tape and (reader := tape.open()):
                self._tapes.move_to_end(key)
                return reader
            job = make()

            def stop() -> None:
                job.cancellation.set()
                self._places.nudge()

            tape = Tape(self._folder, self._keep_result, stop, self.make_room, self._threads)
            first = tape.open()
            if first is None:  # pragma: no cover - a new tape always has its first byte ahead
                raise EngineFailed("A new tape took no reader.")
            # In the context of the request that began it, for its trace.
            arguments = (self._produce, key, tape, job)
            thread = threading.Thread(
                target=copy_context().run, args=arguments, name="production", daemon=True
            )
            self._tapes[key] = tape
            self._alive.add(tape)
            self._running[tape] = (job.cancellation, thread)
        try:
            thread.start()
        except RuntimeError as error:
            busy = Busy("This service runs too many threads; try again later.")
            busy.__cause__ = error
            self._fail(key, tape, busy)
        return first

    def finished(self, key: str) -> Reader | None:
        """A reader of the whole result of that key, if it is kept."""
        with self._lock:
            tape = self._tapes.get(key)
            return tape.open() if tape and tape.done else None

    def readings(self) -> dict[str, float]:
        """What is being made, waits and is kept, for the metrics."""
        tapes = list(self._alive)
        return {
            "productions_running": self._places.taken,
            "productions_queued": self._places.waiting,
            "tapes": len(tapes),
            "tape_bytes": sum(tape.held for tape in tapes),
        }

    def drain(self) -> None:
        """Take no more requests; what runs goes on."""
        self._stopping = True

    def abort(self) -> None:
        """Break every reader off, those of whole results too, and close."""
        for tape in list(self._alive):
            tape.stop(Stopping("The service is stopping."))
        self.close()

    def check(self) -> None:
        """Raise Stopping where nothing new is begun any more."""
        if self._stopping:
            raise Stopping("The service is stopping.")

    def close(self) -> None:
        """Stop every production; its readers see a failure, never a clean end. Free what nobody reads."""
        with self._lock:
            self._stopping = True
            running = list(self._running.items())
            tapes = list(self._alive)
            self._tapes.clear()
        for _, (cancellation, _) in running:
            cancellation.set()
        self._places.nudge(stop=True)
        for tape in tapes:
            if not tape.done:
                # A producer that waits for a slow reader sees no cancellation.
                tape.stop(Stopping("The service is stopping."))
            tape.close()
        for _, (_, thread) in running:
            # A thread that is inside the engine when the interpreter ends aborts the process.
            if thread.ident is not None:
                thread.join(STOP_SECONDS)

    def _produce(self, key: str, tape: Tape, job: Job) -> None:
        try:
            self._places.enter(job.memory, lambda: job.cancellation.is_set)
            try:
                with (
                    span("produce"),
                    watched(tape, job.cancellation, self._stall_seconds, self._most_seconds),
                ):
                    job.run(tape)
            finally:
                self._places.leave(job.memory)
            if job.cancellation.is_set:
                raise ProductionCancelled("The download was cancelled.")
        except BaseException as error:  # noqa: BLE001 - whatever it is, the readers must learn of it
            self._fail(key, tape, error)
        else:
            self._trim(key, tape)
            tape.finish()
            self._over(tape)

    def _fail(self, key: str, tape: Tape, error: BaseException) -> None:
        """Give every reader the failure and forget the tape, so that the next to ask starts anew."""
        with self._lock:
            self._drop(key, tape)
        tape.fail(error if isinstance(error, DownloadError) else _unexpected(error))
        self._over(tape)
        _log_failure(key, error)

    def _over(self, tape: Tape) -> None:
        with self._lock:
            self._running.pop(tape, None)

    def _drop(self, key: str, tape: Tape) -> None:
        # Another tape has the key when this one lost its start and somebody asked again.
        if self._tapes.get(key) is tape:
            del self._tapes[key]

    def _trim(self, key: str, tape: Tape) -> None:
        """Keep a whole tape and what else there is place for, oldest unused first out.

        Files count as bytes do: each small result has one open.
        """
        with self._lock:
            dropped = []
            fits = tape.has_start and tape.size <= min(self._keep_result, self._quota)
            fits = fits and tape.files <= self._most_files
            if self._tapes.get(key) is not tape or not fits:
                self._drop(key, tape)
                dropped.append(tape)
            done = [(name, kept) for name, kept in self._tapes.items() if kept.done or kept is tape]
            size = sum(kept.size for _, kept in done)
            files = sum(kept.files for _, kept in done)
            for name, kept in done:
                if size <= self._quota and files <= self._most_files:
                    break
                size, files = size - kept.size, files - kept.files
                dropped.append(self._tapes.pop(name))
        for kept in dropped:
            kept.close()

    def make_room(self) -> bool:
        """Drop the kept tape that is unused for longest: the folder is full. False where there is none."""
        with self._lock:
            oldest = next((key for key, tape in self._tapes.items() if tape.done), None)
            tape = None if oldest is None else self._tapes.pop(oldest)
        if tape is not None:
            tape.close()
        return tape is not None


def _unexpected(error: BaseException) -> DownloadError:
    failure = EngineFailed("The download failed.")
    failure.__cause__ = error
    return failure


def _log_failure(key: str, error: BaseException) -> None:
    if isinstance(error, ProductionCancelled | Stopping):
        logger.info("production ended: %s", error, extra={"e_tag": key})
    else:
        logger.error("production failed", exc_info=error, extra={"e_tag": key})
