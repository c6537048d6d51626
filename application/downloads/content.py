"""What a download is read from: a tape's reader, or a stored object."""

import math
from types import TracebackType
from typing import Protocol, Self


class Content(Protocol):
    """The bytes of a result, in this order: ``settle``, ``cut``, ``hold``, ``ready``, ``read`` or ``look``
    and ``move``, ``close``.

    Nothing is read before ``cut``. All raise what making or reading the bytes raises.
    """

    @property
    def source(self) -> str:
        """Where the bytes come from, for the log."""

    @property
    def position(self) -> int:
        """The place of the next byte."""

    @property
    def size(self) -> int | None:
        """All bytes of the result, once that is known."""

    @property
    def left(self) -> int | None:
        """Bytes that are still to be read, once the size is known."""

    @property
    def rows(self) -> int | None:
        """All rows of the result, once they are known."""

    @property
    def digest(self) -> bytes | None:
        """The SHA-256 of the result, once it is known."""

    @property
    def is_hashed(self) -> bool:
        """True where ``digest`` is there once the result is whole."""

    async def settle(self, size: float = math.inf, seconds: float | None = None) -> None:
        """Wait for the first byte, then for the whole, ``size`` bytes, or ``seconds``, whichever is first.

        Raises AnswerTooLarge where the whole is wanted but has no place, SpoolFull if it may have one later.
        """

    def cut(self, start: int, end: int) -> None:
        """Read [start, end) only, once the size is known."""

    async def hold(self) -> None:
        """Have here all that is to be read, so that every failure comes out now; raises as ``settle``."""

    async def ready(self) -> bool:
        """Wait for bytes past this place, True, or the clean end, False."""

    async def look(self, size: int) -> bytes | memoryview:
        """At most ``size`` bytes at this place, which stays; empty at the clean end."""

    def move(self, count: int) -> None:
        """Go on by so many bytes, which were looked at and are not needed again."""

    async def read(self, size: int) -> bytes:
        """At most ``size`` bytes, and go on by them; empty at the clean end."""

    def read_blocking(self, size: int, deadline: float | None = None) -> bytes:
        """The same for a thread without an event loop; DeadlineExceeded if nothing came by a Unix time."""

    def close(self) -> None:
        """Leave."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
