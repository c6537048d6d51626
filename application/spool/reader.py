"""One reader of a tape: in a task or in a thread, at its own place."""

import asyncio
import math
import time
from typing import Self

from application.errors import DeadlineExceeded, lack
from application.spool.tape import Tape


class Reader:
    """One place on a tape; close it to leave."""

    is_hashed = True

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._end: int | None = None
        self.position = 0
        self.source = ""  # made for this reader, joined while it is made, or kept in the spool

    @classmethod
    def of(cls, tape: Tape) -> "Reader | None":
        """A reader at the first byte, or None once that byte is gone or the tape has failed."""
        reader = cls(tape)
        source = tape.enter(reader)
        if source is None:
            return None
        reader.source = source
        return reader

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the tape; the last to leave stops its producer."""
        self._tape.leave(self)

    async def settle(self, size: float = math.inf, seconds: float | None = None) -> None:
        """Wait for the first byte, then for the whole, ``size`` bytes, or ``seconds``, whichever is first.

        Raises the producer's failure, and, where the whole is wanted but has no place, AnswerTooLarge, or
        SpoolFull if it may have one later.
        """
        tape = self._tape

        def settled() -> bool:
            self._has_more()
            if tape.done or tape.size >= size:
                return True
            refusal = tape.window.refusal(tape.size)
            if refusal and size == math.inf:
                raise refusal
            return refusal is not None

        await tape.changed.until(lambda: tape.window.outgrown or self._has_more() is not None)
        try:
            async with asyncio.timeout(seconds):
                await tape.changed.until(settled)
        except TimeoutError:
            return

    async def hold(self) -> None:
        """Nothing is to be fetched: what is settled lies on the tape."""

    async def ready(self) -> bool:
        """Wait for bytes past this place, True, or the clean end, False; raises the producer's failure."""
        await self._tape.changed.until(lambda: self._has_more() is not None)
        return bool(self._has_more())

    async def read(self, size: int) -> bytes:
        """At most ``size`` bytes, empty at the clean end; raises the producer's failure."""
        data = bytes(await self.look(size))
        # Only once they have their taker: a read that was cancelled loses none.
        self.move(len(data))
        return data

    async def look(self, size: int) -> bytes | memoryview:
        """The same, and stay at this place."""
        if not await self.ready():
            return b""
        if (recent := self._tape.latest.find(self.position, self._within(size))) is not None:
            return recent
        try:
            look = asyncio.get_running_loop().run_in_executor(self._tape.threads, self._look, size)
        except RuntimeError as error:
            if not lack(error):
                raise
            # One piece that the loop waits for is better than a download that breaks off.
            return self._look(size)
        return await look

    def read_blocking(self, size: int, deadline: float | None = None) -> bytes:
        """The same for a thread without an event loop; DeadlineExceeded if nothing came by a Unix time."""
        with self._tape.changed:
            while (more := self._has_more()) is None:
                left = None if deadline is None else deadline - time.time()
                if left is not None and left <= 0:
                    raise DeadlineExceeded("The download takes longer to make than there is time.")
                self._tape.changed.wait(left)
        data = self._look(size) if more else b""
        self.move(len(data))
        return data

    def move(self, count: int) -> None:
        """Go on by so many bytes, which the producer may then free."""
        with self._tape.changed:
            self.position += count
            self._tape.moved()

    def _has_more(self) -> bool | None:
        return self._tape.has_more(self.position, self._end)

    def _look(self, size: int) -> bytes:
        return self._tape.look(self.position, self._within(size))

    def _within(self, size: int) -> int:
        """So many bytes, or those that are left of what is there."""
        end = self._tape.size if self._end is None else self._end
        return min(size, end - self.position)
