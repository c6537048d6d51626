"""zstd by workers of its own."""

import zstandard

LEVEL = 1


class ZstdStream:
    """One frame, from blocks of one size and a rest; the bytes are the same for any number of workers.

    Without workers the library would cut elsewhere, so there is one at least. What is less than a block is
    compressed at once, without any.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._stream: zstandard.ZstdCompressionObj | None = None

    def compress(self, block: bytearray) -> tuple[bytes, bytearray]:
        """What is ready, and a block of the same size to be filled next."""
        if self._stream is None:
            self._stream = _compressor(self._workers).compressobj()
        return self._stream.compress(block), block

    def finish(self, rest: memoryview) -> bytes:
        """What is not out yet, and the end."""
        if self._stream is None:
            return _compressor(0).compress(rest)
        return self._stream.compress(rest) + self._stream.flush()

    def close(self) -> None:
        """End the workers, which end with what holds them."""
        self._stream = None


def _compressor(workers: int) -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, threads=workers)
