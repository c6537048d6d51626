"""Thrift's compact protocol, in which Parquet's footers and page headers are written: how it is read."""

from typing import Any

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)
# What is written as one zigzag number.
WHOLE = (I16, I32, I64)
DEEPEST = 32


class Malformed(Exception):
    """These bytes are no such struct, or not all of one."""


def read_struct(data: bytes | memoryview, start: int = 0) -> tuple[dict[int, Any], int]:
    """A struct's fields by number, and where it ends; raises Malformed."""
    try:
        return _struct(data, start, 0)
    except (IndexError, TypeError, ValueError) as error:
        raise Malformed from error


def _struct(data: bytes | memoryview, at: int, depth: int) -> tuple[dict[int, Any], int]:
    if depth > DEEPEST:
        raise Malformed
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if head & 15 == STOP:
            return fields, at
        if head >> 4:
            number += head >> 4
        else:
            number, at = zigzag(data, at)
        # Only in a list a boolean has a byte of its own.
        if (kind := head & 15) in (TRUE, FALSE):
            fields[number] = kind == TRUE
        else:
            fields[number], at = value_at(data, at, kind, depth)


def value_at(data: bytes | memoryview, at: int, kind: int, depth: int = 0) -> tuple[Any, int]:
    """A value of a kind, and where it ends; raises Malformed, IndexError, TypeError or ValueError."""
    if kind in WHOLE:
        return zigzag(data, at)
    if kind == BINARY:
        size, at = varint(data, at)
        return _taken(data, at, size)
    if kind == STRUCT:
        return _struct(data, at, depth + 1)
    if kind in (LIST, SET):
        return _list(data, at, depth)
    if kind in (TRUE, FALSE, BYTE):
        return data[at], at + 1
    if kind == DOUBLE:
        return _taken(data, at, 8)
    # No struct of Parquet's has a map.
    raise Malformed


def _list(data: bytes | memoryview, at: int, depth: int) -> tuple[list[Any], int]:
    head = data[at]
    size, at = (head >> 4, at + 1) if head >> 4 != 15 else varint(data, at + 1)
    if size > len(data) - at:
        raise Malformed
    items = []
    for _ in range(size):
        item, at = value_at(data, at, head & 15, depth + 1)
        items.append(item)
    return items, at


def _taken(data: bytes | memoryview, at: int, size: int) -> tuple[bytes, int]:
    taken = bytes(data[at : at + size])
    if len(taken) != size:
        raise Malformed
    return taken, at + size


def zigzag(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A whole number with its sign, and where it ends."""
    value, at = varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A whole number without a sign, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise Malformed
