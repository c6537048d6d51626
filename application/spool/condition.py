"""A condition that threads and event loops wait for alike."""

import asyncio
import threading
from collections.abc import Callable


class SharedCondition:
    """A lock with a bell: whoever changes what it guards rings, whoever waits looks again.

    It holds no event loop: one that is gone by the time of the ring is passed over.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._bells: set[Callable[[], None]] = set()

    def __enter__(self) -> None:
        self._condition.acquire()

    def __exit__(self, *_: object) -> None:
        self._condition.release()

    def ring(self) -> None:
        """Wake all who wait; with the lock held."""
        self._condition.notify_all()
        bells, self._bells = self._bells, set()
        for bell in bells:
            bell()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the next ring in a thread, or for some seconds; with the lock held."""
        self._condition.wait(seconds)

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait in a task until there is enough, which is asked with the lock held."""
        loop = asyncio.get_running_loop()
        while True:
            future = loop.create_future()

            def settle(future: asyncio.Future[None] = future) -> None:
                if not future.done():
                    future.set_result(None)

            def bell(settle: Callable[[], None] = settle) -> None:
                try:
                    loop.call_soon_threadsafe(settle)
                except RuntimeError:
                    # The loop is closed; nobody waits there any more.
                    return

            with self:
                if enough():
                    return
                self._bells.add(bell)
            try:
                await future
            finally:
                with self:
                    self._bells.discard(bell)
