"""Codings by Accept-Encoding, and compressors whose output does not depend on how their input is cut."""

import gzip
import itertools

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from application.errors import CodingUnacceptable
from application.formats.compression import BLOCK_BYTES, Compressor, choose_coding

READERS = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZip , deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("*", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0, *", "zstd"),
        ("gzip;q=0", "identity"),
        ("br, deflate", "identity"),
        ("identity", "identity"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip", "gzip"),
        ("*;q=0, gzip", "gzip"),
        ("gzip;q=nonsense", "gzip"),
    ],
)
def test_the_client_chooses_the_coding(header: str | None, coding: str) -> None:
    assert choose_coding(header) == coding


@pytest.mark.parametrize("header", ["identity;q=0", "*;q=0", "br, *;q=0", "identity;q=0, br"])
def test_a_client_that_refuses_every_coding_is_told(header: str) -> None:
    with pytest.raises(CodingUnacceptable, match="gzip"):
        choose_coding(header)


@pytest.mark.parametrize("coding", READERS)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 3 * BLOCK_BYTES), max_size=6))
def test_the_bytes_do_not_depend_on_the_cuts_and_come_back_whole(coding: str, cuts: list[int]) -> None:
    data = bytes(range(251)) * (3 * BLOCK_BYTES // 251)
    whole = Compressor(coding)
    expected = whole.compress(data) + whole.finish()
    compressor, out = Compressor(coding), b""
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        out += compressor.compress(data[start:end])
    out += compressor.finish()
    assert out == expected
    assert READERS[coding](out) == data


@pytest.mark.parametrize("coding", READERS)
def test_an_empty_body_is_a_valid_coded_one(coding: str) -> None:
    assert READERS[coding](Compressor(coding).finish()) == b""
