"""One reader of a tape: in a task or in a thread, at its own place."""

import asyncio
import math
import time
from typing import TYPE_CHECKING

from application.errors import AnswerTooLarge, DeadlineExceeded

if TYPE_CHECKING:
    from application.spool.tape import Tape


class Reader:
    """One place on a tape; close it to leave."""

    def __init__(self, tape: "Tape", source: str) -> None:
        self._tape = tape
        self.source = source  # made for this reader, joined while it is made, or kept in the spool
        self._end: int | None = None
        self.position = 0

    @property
    def size(self) -> int | None:
        """All bytes of the result, once they are whole."""
        return self._tape.size if self._tape.done else None

    @property
    def left(self) -> int | None:
        """Bytes that are still to be read, once the result is whole."""
        if not self._tape.done:
            return None
        return (self._tape.size if self._end is None else self._end) - self.position

    @property
    def rows(self) -> int | None:
        """All rows of the result, once they are whole."""
        return self._tape.rows if self._tape.done else None

    @property
    def digest(self) -> bytes | None:
        """The SHA-256 of the result, once it is whole."""
        return self._tape.digest

    def cut(self, start: int, end: int) -> None:
        """Read [start, end) of a whole result only."""
        self.position, self._end = start, end

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the tape; the last to leave stops its producer."""
        self._tape._left(self)

    async def ready(self) -> bool:
        """Wait for bytes past this place, True, or the clean end, False; raises the producer's failure."""
        await self._tape._changed.until(lambda: self._state() is not None)
        return bool(self._state())

    async def settle(self, size: float = math.inf, seconds: float | None = None) -> None:
        """Wait for the whole result, or until there are ``size`` bytes or ``seconds`` are over.

        Raises the producer's failure, and AnswerTooLarge where the whole is wanted but has no place.
        """
        tape = self._tape

        def settled() -> bool:
            self._state()
            if tape.blocked and size == math.inf and not tape.done:
                raise AnswerTooLarge(f"The result is larger than the {tape.size:,} bytes that fit here.")
            return tape.done or tape.blocked or tape.size >= size

        try:
            async with asyncio.timeout(seconds):
                await tape._changed.until(settled)
        except TimeoutError:
            return

    async def read(self, size: int) -> bytes:
        """At most ``size`` bytes, empty at the clean end; raises the producer's failure."""
        if not await self.ready():
            return b""
        look = asyncio.get_running_loop().run_in_executor(self._tape._threads, self._look, size)
        return self._passed(await look)

    def read_blocking(self, size: int, deadline: float | None = None) -> bytes:
        """The same for a thread without an event loop; DeadlineExceeded if nothing came by a Unix time."""
        with self._tape._changed:
            while (state := self._state()) is None:
                left = None if deadline is None else deadline - time.time()
                if left is not None and left <= 0:
                    raise DeadlineExceeded("The download takes longer to make than there is time.")
                self._tape._changed.wait(left)
        return self._passed(self._look(size)) if state else b""

    def _state(self) -> bool | None:
        tape = self._tape
        # At one moment: bytes and an end that come between two looks would make a short, clean end.
        with tape._changed:
            if tape.failure:
                raise tape.failure
            if self._end is not None and self.position >= self._end:
                return False
            if tape.size > self.position:
                return True
            return False if tape.done else None

    def _look(self, size: int) -> bytes:
        tape = self._tape
        end = tape.size if self._end is None else self._end
        return tape._segments.read(self.position, min(size, end - self.position))

    def _passed(self, data: bytes) -> bytes:
        """Move on, once the bytes have their taker: a read that was cancelled loses none."""
        tape = self._tape
        with tape._changed:
            self.position += len(data)
            if tape.size >= tape._keep:
                tape._changed.ring()
        return data
