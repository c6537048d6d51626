"""The registry of results: join one that is made or kept, begin one, keep what has a place, stop all."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from weakref import WeakKeyDictionary

from application.errors import Busy, DownloadError, EngineFailed, Stopping
from application.production.admission import Work
from application.production.claim import Claim, Later, call_later, check_held
from application.production.production import Job, Production
from application.production.progress import Failures, Progress, progress_of
from application.production.shelf import Shelf
from application.production.slots import Slots
from application.production.watchdog import Patience
from application.spool import Reader, SegmentPool, Tape

STOP_SECONDS = 5.0
READ = Claim()


class Productions:
    """Every result that is being made or kept, by its ETag; one production serves all who ask for one.

    A result of up to ``keep_result`` bytes is kept in the folder while all kept ones are within ``quota``
    bytes and ``most_files`` files. ``stopping`` is set once the process begins nothing more; ``later`` calls
    after some seconds.
    """

    def __init__(
        self,
        slots: Slots,
        folder: Path | None,
        keep_result: int,
        quota: int,
        *,
        most_files: int,
        patience: Patience,
        stopping: threading.Event,
        pooled: int = 0,
        later: Later = call_later,
    ) -> None:
        self._slots = slots
        self._folder = folder
        # Without a folder a tape holds its window only, and memory is no place to keep results.
        self._keep_result = keep_result if folder else 0
        self._shelf = Shelf(self._keep_result, quota, most_files)
        self._patience = patience
        self._stopping = stopping
        self._failures = Failures()
        self._later = later
        self._running: dict[Tape, Production] = {}
        self._lock = threading.Lock()
        # Also those that are no longer kept but still read, with the version of the data that they are of.
        self._alive: WeakKeyDictionary[Tape, str] = WeakKeyDictionary()
        # The spool's own: stalled storage would hold all threads of an event loop.
        self._threads = ThreadPoolExecutor(thread_name_prefix="spool")
        self._pool = SegmentPool(folder, pooled)

    @property
    def most_kept(self) -> int:
        """Bytes up to which a result stays readable from its start; 0 where none does."""
        return self._shelf.most_kept

    def join(self, key: str, make: Callable[[], Job], source: str = "", claim: Claim = READ) -> Reader:
        """A reader of the result of that key: of a kept tape, of one that is made, or of a new one.

        ``source`` is the version of the data that it is made of. Raises Stopping, and Busy where the claim
        does not allow a new one. Every other failure comes out of the reader.
        """
        with self._lock:
            self.check()
            tape = self._shelf.get(key)
            if tape and (reader := Reader.of(tape)):
                self._shelf.put(key, tape)
                if running := self._running.get(tape):
                    running.hold(claim)
                return reader
            job = make()
            self._check_claim(claim, job)
            production = Production(
                key,
                job,
                self._new_tape,
                claim=claim,
                later=self._later,
                slots=self._slots,
                patience=self._patience,
                registry=self,
            )
            first = Reader.of(production.tape)
            if first is None:  # pragma: no cover - a new tape always has its first byte ahead
                raise EngineFailed("A new tape took no reader.")
            self._failures.forget(key)
            self._shelf.put(key, production.tape)
            self._alive[production.tape] = source
            self._running[production.tape] = production
        production.start()
        return first

    def progress(self, key: str) -> Progress | None:
        """How far the result of that key is, or how it failed a while ago; None where nothing is known."""
        with self._lock:
            tape = self._shelf.get(key)
            return progress_of(tape) if tape else self._failures.get(key)

    def hold(self, key: str, claim: Claim) -> None:
        """Let the production of that key go on after its last reader as the claim says; nothing if none runs.

        Raises Busy where too many would.
        """
        with self._lock:
            tape = self._shelf.get(key)
            running = self._running.get(tape) if tape else None
            if running and not running.claim.hold_seconds:
                self._check_held(claim)
                running.hold(claim)

    def has(self, key: str) -> bool:
        """True where the result of that key is made or kept."""
        with self._lock:
            return key in self._shelf

    def kept(self, key: str) -> Reader | None:
        """A reader of the whole result of that key, if it is kept."""
        with self._lock:
            tape = self._shelf.get(key)
            return Reader.of(tape) if tape and tape.done else None

    @property
    def kept_keys(self) -> tuple[str, ...]:
        """The keys of the results that are whole and kept, unused for longest first."""
        with self._lock:
            return self._shelf.whole_keys

    @property
    def running(self) -> int:
        """How many are being made or wait for their slot."""
        return len(self._running)

    def readings(self) -> dict[str, float]:
        """What is being made, waits and is kept, for the metrics."""
        tapes = list(self._alive)
        return {
            "productions_running": self._slots.taken,
            "productions_queued": self._slots.waiting,
            "tapes": len(tapes),
            "tape_bytes": sum(tape.held for tape in tapes),
        }

    def make_room(self) -> bool:
        """Free what nobody uses, then the kept tape that is unused for longest; False where there is none.

        For the folder is full.
        """
        if self._pool.clear():
            return True
        with self._lock:
            tape = self._shelf.drop_oldest()
        if tape is not None:
            tape.close()
        return tape is not None

    def break_off(self, source: str, failure: DownloadError) -> None:
        """Stop all that is made of a version of the data, and break off who reads it; keep nothing of it."""
        with self._lock:
            tapes = {tape for tape, version in self._alive.items() if version == source}
            running = [production for tape, production in self._running.items() if tape in tapes]
            self._shelf.drop_all(tapes)
        for production in running:
            production.stop(failure)
        for tape in tapes:
            tape.stop(failure)
            tape.close()

    def check(self) -> None:
        """Raise Stopping where nothing new is begun any more."""
        if self._stopping.is_set():
            raise Stopping("The service is stopping.")

    def drain(self) -> None:
        """Take no more requests; what runs goes on."""
        self._stopping.set()

    def abort(self) -> None:
        """Break every reader off, those of whole results too, and close."""
        for tape in list(self._alive):
            tape.stop(Stopping("The service is stopping."))
        self.close()

    def close(self) -> None:
        """Stop every production; its readers see a failure, never a clean end. Free what nobody reads."""
        with self._lock:
            self._stopping.set()
            running, tapes = list(self._running.values()), list(self._alive)
            self._shelf.clear()
        for production in running:
            production.stop(Stopping("The service is stopping."))
        for tape in tapes:
            tape.close()
        for production in running:
            production.join(STOP_SECONDS)
        self._pool.close()

    def keep(self, production: Production) -> None:
        """Keep a whole tape and what else there is place for, oldest unused first out."""
        with self._lock:
            dropped = self._shelf.keep(production.key, production.tape)
        for tape in dropped:
            tape.close()

    def forget(self, production: Production, failure: DownloadError) -> None:
        """Let who asks next begin anew, and who asks how far it is know why it failed."""
        with self._lock:
            self._shelf.drop(production.key, production.tape)
            self._failures.add(production.key, production.tape, failure)

    def ended(self, production: Production) -> None:
        """A production is no longer to be stopped."""
        with self._lock:
            self._running.pop(production.tape, None)

    def _check_claim(self, claim: Claim, job: Job) -> None:
        """Raise Busy for one that has no slot at once, or is one too many that would outlive its readers."""
        running = self._running.values()
        if not claim.queues and not self._slots.admission.would_admit(
            Work(job.owner, claim.client, job.memory), [other.work for other in running]
        ):
            raise Busy("No place for this download is free; try again later.")
        if claim.hold_seconds:
            self._check_held(claim)

    def _check_held(self, claim: Claim) -> None:
        """Raise Busy for one too many that would outlive its readers.

        What waits in the queue counts with what runs. What need not wait counts only once it is left alone.
        """
        running = self._running.values()
        held = [
            other.claim.client
            for other in running
            if other.claim.hold_seconds and (not other.tape.is_read or (claim.queues and other.claim.queues))
        ]
        check_held(claim.client, held)

    def _new_tape(self, on_idle: Callable[[], None]) -> Tape:
        return Tape(
            self._folder, self._keep_result, on_idle, self.make_room, threads=self._threads, pool=self._pool
        )
