"""A stored object as it is: the whole native Parquet, by range, every piece of one version."""

import asyncio
import math
from collections.abc import Iterator

from application.models import ObjectMeta
from application.storage.base import Storage


class ObjectReader:
    """Reads a stored object from a place on; as a tape's reader, but nothing is produced."""

    digest: bytes | None = None

    def __init__(self, storage: Storage, meta: ObjectMeta) -> None:
        self._storage = storage
        self._meta = meta
        self.position = 0
        self._end = meta.size
        self._chunks: Iterator[bytes] | None = None
        self._ahead = b""

    def __enter__(self) -> "ObjectReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int | None:
        """Bytes of the object."""
        return self._meta.size

    def cut(self, start: int, end: int) -> None:
        """Read [start, end) only; before the first byte is read."""
        self.position, self._end = start, end

    def close(self) -> None:
        """Let go of the object."""
        self._chunks = None

    async def ready(self) -> bool:
        """Fetch the first piece, so that an early failure still gets a status."""
        if not self._ahead:
            self._ahead = await asyncio.to_thread(self._next)
        return bool(self._ahead)

    async def settle(self, size: float = math.inf, seconds: float | None = None) -> None:
        """Nothing to wait for: the length is known."""

    async def read(self, size: int) -> bytes:
        """The next piece, of at most 1 MiB; empty at the end. Raises DatasetChanged or StorageUnavailable."""
        await self.ready()
        return self._passed(size)

    def read_blocking(self, size: int) -> bytes:
        """The same for a thread without an event loop."""
        self._ahead = self._ahead or self._next()
        return self._passed(size)

    def _passed(self, size: int) -> bytes:
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        self.position += len(data)
        return data

    def _next(self) -> bytes:
        if self._chunks is None:
            self._chunks = self._storage.chunks(self._meta, self.position, self._end)
        return next(self._chunks, b"")
