"""gzip in blocks that are compressed side by side and joined into one member, as pigz does."""

import struct
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from isal import isal_zlib

LEVEL = 1
RAW_WINDOW_BITS = -15  # zlib's way to ask for deflate without header and trailer
# Deflate, no name, no time, made as quickly as can be, on no system in particular (RFC 1952).
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
# An empty block that says that it is the last one: each block before is flushed to a whole byte.
LAST_BLOCK = b"\x03\x00"
BLOCKS_PER_WORKER = 2


class GzipStream:
    """One member, from blocks of one size and a rest; the bytes are the same for any number of workers.

    With more than one, blocks are compressed in threads, at most so many at once that memory stays bounded.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ThreadPoolExecutor | None = None
        self._coding: deque[tuple[bytearray, Future[tuple[bytes, int]]]] = deque()
        self._begun = False
        self._crc = self._size = 0

    def compress(self, block: bytearray) -> tuple[bytes, bytearray]:
        """What is ready, in order, and a block of the same size to be filled next."""
        if self._workers == 1:
            return self._joined(len(block), *coded(block)), block
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, "gzip")
        self._coding.append((block, self._pool.submit(coded, block)))
        ready, spare = b"", None
        while self._coding and (self._coding[0][1].done() or len(self._coding) > self._most):
            spare, made = self._coding.popleft()
            ready += self._joined(len(spare), *made.result())
        # A used one, for memory that is touched for the first time costs more than compressing what is in it.
        return ready, bytearray(len(block)) if spare is None else spare

    def finish(self, rest: memoryview) -> bytes:
        """What is not out yet, and the end."""
        ready = b""
        while self._coding:
            block, made = self._coding.popleft()
            ready += self._joined(len(block), *made.result())
        if rest or not self._begun:
            ready += self._joined(len(rest), *coded(rest))
        return ready + LAST_BLOCK + struct.pack("<II", self._crc, self._size & 0xFFFFFFFF)

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    @property
    def _most(self) -> int:
        return BLOCKS_PER_WORKER * self._workers

    def _joined(self, size: int, data: bytes, crc: int) -> bytes:
        self._crc = isal_zlib.crc32_combine(self._crc, crc, size)
        self._size += size
        header, self._begun = b"" if self._begun else HEADER, True
        return header + data


def coded(block: bytes | bytearray | memoryview) -> tuple[bytes, int]:
    """Return a block as deflate that ends at a whole byte and refers to nothing before it, and its CRC-32."""
    stream = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, RAW_WINDOW_BITS)
    return stream.compress(block) + stream.flush(isal_zlib.Z_SYNC_FLUSH), isal_zlib.crc32(block)
