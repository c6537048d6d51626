"""Threads that wait for storage, shared so that no dataset takes them all."""

import asyncio
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from application.errors import Busy, Stopping

Result = TypeVar("Result")

# One that nobody needs for so long ends.
IDLE_SECONDS = 10.0
NO_THREAD = "This service runs too many threads; try again later."


@dataclass(eq=False, slots=True)
class _Task:
    lane: str
    work: Callable[[], Any]
    # In the context of the request that asks, for its trace.
    context: Context
    future: "Future[Any]" = field(default_factory=Future)

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.context.run(self.work)
        except BaseException as error:  # noqa: BLE001 - whatever it is, who waits must learn of it
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Lanes:
    """At most ``threads`` threads, of which each lane has at most ``share``; the rest of it waits in line.

    They are daemons: one that waits for storage must not keep the process from ending.
    """

    def __init__(self, threads: int, share: int) -> None:
        self._most = threads
        self._share = share
        self._lock = threading.Lock()
        self._waiting: list[_Task] = []
        self._taken: Counter[str] = Counter()
        self._handed: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._is_closed = False

    def begin(self, lane: str, work: Callable[[], Result]) -> "Future[Result]":
        """What comes of the work, in a thread of the lane; raises Stopping, or Busy without any thread."""
        task = _Task(lane, work, copy_context())
        with self._lock:
            if self._is_closed:
                raise Stopping("The service is stopping.")
            self._waiting.append(task)
            self._hand_out()
        return task.future

    @property
    def is_crowded(self) -> bool:
        """True while work waits for a thread that somebody still wants."""
        with self._lock:
            return not all(task.future.cancelled() for task in self._waiting)

    async def run(self, lane: str, work: Callable[[], Result]) -> Result:
        """The result of the work; work that has not begun when its task is cancelled never does."""
        future = self.begin(lane, work)
        try:
            return await outcome(future)
        finally:
            future.cancel()

    def close(self, seconds: float) -> None:
        """Begin nothing more, and wait so long for what runs; what waits in line raises Stopping."""
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
            threads = list(self._threads)
        for task in waiting:
            if task.future.set_running_or_notify_cancel():
                task.future.set_exception(Stopping("The service is stopping."))
        end = time.monotonic() + seconds
        for _ in threads:
            self._handed.put(None)
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0.0))

    def _hand_out(self) -> None:
        """Give threads what may run; with the lock held."""
        for task in list(self._waiting):
            if self._taken.total() >= self._most:
                return
            if self._taken[task.lane] < self._share:
                self._waiting.remove(task)
                self._taken[task.lane] += 1
                self._handed.put(task)
                if len(self._threads) < self._taken.total():
                    self._add_thread(task)

    def _add_thread(self, task: _Task) -> None:
        thread = threading.Thread(target=self._serve, name="storage", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            # Those that there are come to it; where there are none, nobody does.
            if not self._threads:
                self._handed.get_nowait()
                self._taken[task.lane] -= 1
                raise Busy(NO_THREAD) from error
            return
        self._threads.add(thread)

    def _serve(self) -> None:
        while True:
            try:
                task = self._handed.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    # With the lock held, for what was handed out meanwhile counts on this thread. One stays
                    # for when no other can be had.
                    if len(self._threads) > max(self._taken.total(), 1):
                        self._threads.discard(threading.current_thread())
                        return
                continue
            if task is None:
                return
            task.run()
            with self._lock:
                self._taken[task.lane] -= 1
                if not self._taken[task.lane]:
                    del self._taken[task.lane]
                self._hand_out()


async def outcome(future: "Future[Result]", seconds: float | None = None) -> Result:
    """The future's result, in a task, which others may wait for too; raises TimeoutError after the seconds.

    It holds no event loop: one that is gone when the result comes is passed over.
    """
    loop = asyncio.get_running_loop()
    bell = loop.create_future()

    def settle() -> None:
        if not bell.done():
            bell.set_result(None)

    def ring(_: object) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle)

    future.add_done_callback(ring)
    async with asyncio.timeout(seconds):
        await bell
    return future.result()
