"""Compressors whose output depends neither on how their input is cut, nor on how many work on it."""

import gzip
import itertools
import subprocess
import threading
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip, isal_zlib

from application.formats import compression
from application.formats import gzip as gzip_stream
from application.formats.compression import BLOCK_BYTES, CODINGS, Compressor

GZIP_WINDOW_BITS = 31


def by_zlib(data: bytes) -> bytes:
    """By one stream and no more: whoever reads as browsers do stops at the first member's end."""
    reader = zlib.decompressobj(GZIP_WINDOW_BITS)
    out = reader.decompress(data) + reader.flush()
    assert reader.eof
    assert not reader.unused_data
    return out


def by_gunzip(data: bytes) -> bytes:
    return subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True).stdout


def by_zstandard(data: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().decompressobj()
    out = reader.decompress(data)
    assert reader.eof
    assert not reader.unused_data
    return out


READERS: dict[str, tuple[Callable[[bytes], bytes], ...]] = {
    "gzip": (
        by_zlib,
        by_gunzip,
        gzip.decompress,
        igzip.decompress,
        lambda data: isal_zlib.decompress(data, GZIP_WINDOW_BITS),
    ),
    "zstd": (by_zstandard,),
}
SIZES = (0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, 9 * BLOCK_BYTES + 7)


def rows(size: int) -> bytes:
    text = "".join(f"{row},Mill Lane {row * 7919 % 1009}\n" for row in range(size // 12 + 1))
    return text.encode()[:size]


TEXT = rows(max(SIZES))


def coded(coding: str, data: bytes, workers: int = 1, cuts: tuple[int, ...] = ()) -> bytes:
    edges = [0, *sorted(cuts), len(data)]
    with Compressor(coding, workers) as compressor:
        ready = [compressor.compress(data[start:end]) for start, end in itertools.pairwise(edges)]
        return b"".join([*ready, compressor.finish()])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("coding", CODINGS)
def test_every_reader_has_the_bytes_back(coding: str, size: int) -> None:
    out = coded(coding, TEXT[:size], workers=3)
    for read in READERS[coding]:
        assert read(out) == TEXT[:size]


@pytest.mark.parametrize("coding", CODINGS)
@settings(max_examples=25)
@given(
    size=st.integers(0, max(SIZES)) | st.sampled_from(SIZES),
    cuts=st.lists(st.integers(0, max(SIZES)), max_size=6),
    workers=st.integers(1, 4),
)
def test_the_bytes_depend_on_neither_cuts_nor_workers(
    coding: str, size: int, cuts: list[int], workers: int
) -> None:
    data = TEXT[:size]
    inside = tuple(cut for cut in cuts if cut < size)
    assert coded(coding, data, workers, inside) == coded(coding, data)


@pytest.mark.parametrize("coding", CODINGS)
def test_memory_of_the_caller_may_be_used_again_at_once(coding: str) -> None:
    data, out = bytearray(TEXT), b""
    with Compressor(coding, 3) as compressor:
        for start in range(0, len(TEXT), BLOCK_BYTES):
            place = memoryview(data)[start : start + BLOCK_BYTES]
            out += compressor.compress(place)
            place[:] = bytes(len(place))
        out += compressor.finish()
    assert out == coded(coding, TEXT)


def test_blocks_cost_hardly_any_bytes() -> None:
    whole = isal_zlib.compress(TEXT, gzip_stream.LEVEL, GZIP_WINDOW_BITS)
    assert len(coded("gzip", TEXT, 2)) < 1.02 * len(whole)


class Slow:
    """A raw stream that makes nothing until it may go on."""

    def __init__(self, may_go_on: threading.Event) -> None:
        self.compress = lambda _: may_go_on.wait() and b""
        self.flush = lambda _: b""


def test_what_is_being_compressed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on, taken = threading.Event(), []
    monkeypatch.setattr(isal_zlib, "compressobj", lambda *_: Slow(may_go_on))
    with Compressor("gzip", 2) as compressor:

        def feed() -> None:
            for number in range(20):
                compressor.compress(bytes(BLOCK_BYTES))
                taken.append(number)

        feeder = threading.Thread(target=feed)
        feeder.start()
        feeder.join(0.2)
        assert len(taken) <= 2 * gzip_stream.BLOCKS_PER_WORKER
        may_go_on.set()
        feeder.join()
    assert len(taken) == 20


def threads_of_gzip() -> int:
    return sum(thread.name.startswith("gzip") for thread in threading.enumerate())


@pytest.mark.parametrize("workers", [1, 3])
def test_a_failure_comes_out_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    left, real = iter(range(4)), isal_zlib.crc32

    def failing(block: bytes) -> int:
        if next(left, None) is None:
            raise MemoryError
        return real(block)

    monkeypatch.setattr(isal_zlib, "crc32", failing)
    with pytest.raises(MemoryError):
        coded("gzip", TEXT, workers)
    assert threads_of_gzip() == 0


def test_a_compressor_that_is_closed_early_leaves_no_thread() -> None:
    with Compressor("gzip", 3) as compressor:
        compressor.compress(TEXT)
        assert threads_of_gzip()
    assert threads_of_gzip() == 0


def test_one_worker_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread"))
    assert by_zlib(coded("gzip", TEXT)) == TEXT


def test_a_small_body_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread"))
    assert by_zlib(coded("gzip", TEXT[: BLOCK_BYTES - 1], 4)) == TEXT[: BLOCK_BYTES - 1]


def test_every_coding_has_a_stream_of_its_own() -> None:
    assert set(READERS) == set(compression.CODINGS)
