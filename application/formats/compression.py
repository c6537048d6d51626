"""The codings, and their compressors: gzip by isal, zstd by zstandard."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from application.formats.base import release

IDENTITY = "identity"
# Blocks are compressed side by side, and both outputs depend on where their input is cut: always here.
BLOCK_BYTES = 1 << 20


class _Stream(Protocol):
    def compress(self, block: bytearray) -> tuple[bytes, bytearray]:
        """What is ready of a whole block and those before it, and a block to be filled next."""

    def finish(self, rest: memoryview) -> bytes:
        """What is not out yet, and the end."""

    def close(self) -> None:
        """Let go of what works for it."""


def _gzip(workers: int) -> _Stream:
    from application.formats.gzip import GzipStream

    return GzipStream(workers)


def _zstd(workers: int) -> _Stream:
    from application.formats.zstd import ZstdStream

    return ZstdStream(workers)


@dataclass(frozen=True, slots=True)
class Coding:
    """One way to make a body smaller; ``open`` takes the number of workers.

    ``writer`` is the distribution that does it; ``revision`` is raised when the coded bytes change
    under the same version of it.
    """

    open: Callable[[int], _Stream]
    writer: str
    revision: int

    @property
    def version(self) -> tuple[str, ...]:
        """What decides the coded bytes beside the body."""
        # isal finds other matches with each kind of processor's own instructions.
        return (f"revision {self.revision}", release(self.writer), platform.machine())


# In the order of preference, where a client likes several alike.
CODINGS = {"zstd": Coding(_zstd, "zstandard", 2), "gzip": Coding(_gzip, "isal", 2)}


class Compressor:
    """Bytes in, coded bytes out, in order: the same however the input is cut, and by however many workers.

    With one worker everything of gzip is done in the caller's thread. Close it, or its threads stay.
    """

    def __init__(self, coding: str, workers: int = 1) -> None:
        self._stream = CODINGS[coding].open(workers)
        self._block = bytearray(BLOCK_BYTES)
        self._filled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def compress(self, data: bytes | memoryview) -> bytes:
        """What is ready by now. The data is copied, so its memory may be used again."""
        out, left = [], memoryview(data).cast("B")
        while left:
            end = min(self._filled + len(left), BLOCK_BYTES)
            count = end - self._filled
            memoryview(self._block)[self._filled : end] = left[:count]
            left, self._filled = left[count:], end
            if end == BLOCK_BYTES:
                ready, self._block = self._stream.compress(self._block)
                out.append(ready)
                self._filled = 0
        return b"".join(out)

    def finish(self) -> bytes:
        """The rest and the end."""
        return self._stream.finish(memoryview(self._block)[: self._filled])

    def close(self) -> None:
        """Let go of all that works for it; nothing more can be compressed."""
        self._stream.close()
