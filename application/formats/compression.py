"""The codings, and their compressors: gzip by isal, zstd by zstandard."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from application.formats.base import release

IDENTITY = "identity"
# isal's output depends on how its input is cut, so every compressor is fed blocks of one size.
BLOCK_BYTES = 1 << 20
GZIP_LEVEL = 1
GZIP_WINDOW_BITS = 31  # zlib's way to ask for a gzip header and trailer
ZSTD_LEVEL = 1


class _Stream(Protocol):
    def compress(self, data: bytes) -> bytes:
        """Bytes that are ready."""

    def flush(self) -> bytes:
        """The end."""


def _gzip() -> _Stream:
    from isal import isal_zlib

    stream: _Stream = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, GZIP_WINDOW_BITS)
    return stream


def _zstd() -> _Stream:
    import zstandard

    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compressobj()


@dataclass(frozen=True, slots=True)
class Coding:
    """One way to make a body smaller.

    ``writer`` is the distribution that does it; ``revision`` is raised when the coded bytes change
    under the same version of it.
    """

    open: Callable[[], _Stream]
    writer: str
    revision: int

    @property
    def version(self) -> tuple[str, ...]:
        """What decides the coded bytes beside the body."""
        # isal finds other matches with each kind of processor's own instructions.
        return (f"revision {self.revision}", release(self.writer), platform.machine())


# In the order of preference, where a client likes several alike.
CODINGS = {"zstd": Coding(_zstd, "zstandard", 1), "gzip": Coding(_gzip, "isal", 1)}


class Compressor:
    """Bytes in, coded bytes out, the same however the input is cut."""

    def __init__(self, coding: str) -> None:
        self._stream = CODINGS[coding].open()
        self._pending = bytearray()

    def compress(self, data: bytes | memoryview) -> bytes:
        """What is ready after these bytes."""
        self._pending += data
        out = []
        whole = len(self._pending) // BLOCK_BYTES * BLOCK_BYTES
        for start in range(0, whole, BLOCK_BYTES):
            out.append(self._stream.compress(bytes(memoryview(self._pending)[start : start + BLOCK_BYTES])))
        del self._pending[:whole]
        return b"".join(out)

    def finish(self) -> bytes:
        """The rest and the end."""
        return self._stream.compress(bytes(self._pending)) + self._stream.flush()
