"""Compressors whose output does not depend on how their input is cut."""

import gzip
import itertools

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from application.formats.compression import BLOCK_BYTES, Compressor

READERS = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


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
