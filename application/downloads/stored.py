"""A stored object as it is: the whole native Parquet, by range, every piece of one version."""

import asyncio
import errno
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Protocol, Self, TypeVar

from application.errors import AnswerTooLarge, SpoolFull
from application.models import ObjectMeta
from application.spool import NO_SPACE
from application.storage.base import CHUNK, Storage

HELD_IN_MEMORY = 8 << 20

Result = TypeVar("Result")


class InThread(Protocol):
    """What has work that waits for storage done in a thread."""

    async def __call__(self, work: Callable[[], Result], /) -> Result:
        """The work's result."""


class StoredObject:
    """A content of so many rows that lies in storage: nothing is made, and its size is known at once.

    What is held lies in ``folder``, beyond 8 MiB; ``make_room`` is called when that is full, and says
    whether it helped. A task waits for storage by ``in_thread``. ``check`` is called before each piece, and
    raises where the object may not be sent.
    """

    source = "object"
    digest: bytes | None = None
    is_hashed = False

    def __init__(
        self,
        storage: Storage,
        meta: ObjectMeta,
        rows: int,
        folder: Path | None = None,
        *,
        make_room: Callable[[], bool] = lambda: False,
        in_thread: InThread = asyncio.to_thread,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._storage = storage
        self._meta = meta
        self.rows: int | None = rows
        self._folder = folder
        self._make_room = make_room
        self._in_thread = in_thread
        self._check = check
        self.position = 0
        self._end = meta.size
        self._chunks: Iterator[bytes] | None = None
        self._ahead, self._used = b"", 0
        self._held: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int | None:
        """Bytes of the object."""
        return self._meta.size

    @property
    def left(self) -> int | None:
        """Bytes that are still to be read."""
        return self._end - self.position

    async def settle(self, size: float = math.inf, seconds: float | None = None) -> None:
        """Nothing is to be waited for."""

    def cut(self, start: int, end: int) -> None:
        """Read [start, end) only; before the first byte is read."""
        self.position, self._end = start, end

    def close(self) -> None:
        """Let go of the object."""
        self._chunks = None
        if self._held:
            # A full disk fails once more where what is not yet written is to be.
            with suppress(OSError):
                self._held.close()

    async def ready(self) -> bool:
        """Fetch the first piece, so that an early failure still gets a status."""
        if not self._ahead:
            self._ahead = await self._in_thread(self._next)
        return bool(self._ahead)

    async def hold(self) -> None:
        """Fetch all that is to be read, so that every failure comes out here; before the first byte is read.

        Raises as ``read``, and AnswerTooLarge where it has no place, SpoolFull if it may have one later.
        """
        await self._in_thread(self._hold)

    def _hold(self) -> None:
        size, folder = self._end - self.position, self._folder
        if size > HELD_IN_MEMORY:
            if folder is None:
                raise _no_place(size)
            while shutil.disk_usage(folder).free < size and self._make_room():
                continue
        held = self._held = SpooledTemporaryFile(  # noqa: SIM115 - close() closes it
            HELD_IN_MEMORY, dir=None if folder is None else str(folder)
        )
        try:
            for piece in self._storage.chunks(self._meta, self.position, self._end):
                held.write(piece)
            held.seek(0)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            if folder and error.errno != errno.EFBIG and size <= shutil.disk_usage(folder).total:
                raise SpoolFull("There is no space left for this download; try again later.") from error
            raise _no_place(size) from error
        self._chunks = iter(lambda: held.read(CHUNK), b"")

    async def read(self, size: int) -> bytes:
        """The next piece, of at most 1 MiB; empty at the end. Raises DatasetChanged or StorageUnavailable."""
        data = await self.look(size)
        self.move(len(data))
        return data

    async def look(self, size: int) -> bytes:
        """The same, and stay at this place."""
        await self.ready()
        return self._ahead[self._used : self._used + size]

    def read_blocking(self, size: int, deadline: float | None = None) -> bytes:
        """The same for a thread without an event loop; storage has limits of its own for its time."""
        self._ahead = self._ahead or self._next()
        data = self._ahead[self._used : self._used + size]
        self.move(len(data))
        return data

    def move(self, count: int) -> None:
        """Go on by so many bytes of the piece that was looked at."""
        self.position += count
        self._used += count
        if self._used == len(self._ahead):
            self._ahead, self._used = b"", 0

    def _next(self) -> bytes:
        self._check()
        if self._chunks is None:
            self._chunks = self._storage.chunks(self._meta, self.position, self._end)
        return next(self._chunks, b"")


def _no_place(size: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"There is no place here for the {size:,} bytes.")
