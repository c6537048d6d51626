"""Accept-Encoding to a coding, and the compressors: gzip by isal, zstd by zstandard."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from application.errors import CodingUnacceptable
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
ALIASES = {"x-gzip": "gzip"}


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


def choose_coding(accept_encoding: str | None) -> str:
    """The coding for a request's Accept-Encoding (RFC 9110, 12.5.3); raises CodingUnacceptable.

    Without the header nothing is coded: a client that names no coding may not know any.
    """
    if accept_encoding is None:
        return IDENTITY
    weights = _weights(accept_encoding)
    anything = weights.get("*")
    best, best_weight = "", 0.0
    for coding in CODINGS:
        weight = weights.get(coding, anything or 0.0)
        if weight > best_weight:
            best, best_weight = coding, weight
    # Identity is acceptable unless it is refused by name or by `*;q=0`.
    identity = weights.get(IDENTITY, anything if anything == 0 else None)
    if best and (identity is None or best_weight >= identity):
        return best
    if identity == 0:
        raise CodingUnacceptable(f"Accept one of the codings {', '.join(CODINGS)} or identity.")
    return IDENTITY


def _weights(header: str) -> dict[str, float]:
    """Each coding named and its weight; a weight that is no number counts as none given."""
    weights = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = min(max(float(parameter[2:]), 0.0), 1.0)
                except ValueError:
                    continue
        if name:
            weights[ALIASES.get(name, name)] = weight
    return weights
