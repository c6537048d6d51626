"""Parquet files whose footers say something else than their pages."""

import re
from pathlib import Path


def recount(path: Path, old: int, new: int, place: int) -> None:
    """Write another number over one that a footer has as a count of rows or values.

    In their order: of the file, where its row groups' differ from it; in each row group those of its columns,
    then its own.
    """
    data = path.read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    footer = bytearray(data[-8 - length : -8])
    was, becomes = _i64(old), _i64(new)
    assert len(was) == len(becomes)
    at = [match.start() for match in re.finditer(re.escape(was), bytes(footer))][place]
    footer[at : at + len(was)] = becomes
    path.write_bytes(data[: -8 - length] + bytes(footer) + data[-8:])


def _i64(number: int) -> bytes:
    """Thrift's: the header of a field that follows the one before, then the zigzag number."""
    number <<= 1
    digits = [number >> shift & 127 for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([0x16, *(digit | 128 for digit in digits[:-1]), digits[-1]])
