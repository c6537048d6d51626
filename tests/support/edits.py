"""Parquet files as other writers make them: pyarrow's, with another footer or other pages.

Thrift's compact protocol is read into structs, dicts of (type, value) by field number, and written back.
The numbers are those of parquet.thrift.
"""

import io
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Struct = dict[int, tuple[int, Any]]
BOOLEANS, BYTE, INTEGERS, DOUBLE, BINARY, LIST, STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, 9, 12


def plain(table: pa.Table, **options: Any) -> bytes:
    """A file as writers without Arrow make it: no Arrow schema, no dictionaries, no compression."""
    sink = io.BytesIO()
    given = {"store_schema": False, "use_dictionary": False, "compression": "none", **options}
    pq.write_table(table, sink, **given)
    return sink.getvalue()


def edited(file: bytes, edit: Callable[[Struct], None]) -> bytes:
    """The file with an edited footer."""
    (length,) = struct.unpack("<I", file[-8:-4])
    footer = _Reader(file[-8 - length : -8]).struct()
    edit(footer)
    return _closed(file[: -8 - length], footer)


def elements(footer: Struct) -> list[Struct]:
    """The schema's elements, the root first, depth first."""
    found: list[Struct] = footer[2][1][1]
    return found


def chunks(footer: Struct) -> list[Struct]:
    """The metadata of every column chunk."""
    return [chunk[3][1] for group in footer[4][1][1] for chunk in group[1][1][1]]


def recompressed(file: bytes, codec: int, compress: Callable[[bytes], bytes]) -> bytes:
    """An uncompressed file of version 1 pages with each page compressed, under a codec's number."""
    (length,) = struct.unpack("<I", file[-8:-4])
    footer = _Reader(file[-8 - length : -8]).struct()
    body = b"PAR1"
    for chunk in chunks(footer):
        reader = _Reader(file, chunk[9][1])
        end, start = reader.at + chunk[7][1], len(body)
        while reader.at < end:
            header = reader.struct()
            page = compress(reader.bytes(header[3][1]))
            header[3] = (5, len(page))
            body += _struct(header) + page
        chunk[4], chunk[7], chunk[9] = (5, codec), (6, len(body) - start), (6, start)
    return _closed(body, footer)


def _closed(body: bytes, footer: Struct) -> bytes:
    written = _struct(footer)
    return body + written + struct.pack("<I", len(written)) + b"PAR1"


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    def struct(self) -> Struct:
        found: Struct = {}
        number = 0
        while header := self.bytes(1)[0]:
            kind, step = header & 15, header >> 4
            number = number + step if step else self._signed()
            found[number] = (kind, kind == 1 if kind in BOOLEANS else self._value(kind))
        return found

    def bytes(self, size: int) -> bytes:
        self.at += size
        return self._data[self.at - size : self.at]

    def _value(self, kind: int) -> Any:
        if kind in BOOLEANS or kind == BYTE:
            return self.bytes(1)[0]
        if kind in INTEGERS:
            return self._signed()
        if kind == DOUBLE:
            return self.bytes(8)
        if kind == BINARY:
            return self.bytes(self._unsigned())
        if kind == STRUCT:
            return self.struct()
        header = self.bytes(1)[0]
        size = header >> 4 if header < 0xF0 else self._unsigned()
        return header & 15, [self._value(header & 15) for _ in range(size)]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self.bytes(1)[0]) > 127:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def _struct(fields: Struct) -> bytes:
    written = b""
    last = 0
    for number, (kind, value) in sorted(fields.items()):
        shown = (1 if value else 2) if kind in BOOLEANS else kind
        step = number - last
        written += bytes([step << 4 | shown]) if step < 16 else bytes([shown]) + _signed(number)
        written += b"" if kind in BOOLEANS else _value(kind, value)
        last = number
    return written + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind in BOOLEANS or kind == BYTE:
        return bytes([value])
    if kind in INTEGERS:
        return _signed(value)
    if kind == DOUBLE:
        return bytes(value)
    if kind == BINARY:
        return _unsigned(len(value)) + value
    if kind == STRUCT:
        return _struct(value)
    member, values = value
    size = len(values)
    opening = bytes([size << 4 | member]) if size < 15 else bytes([0xF0 | member]) + _unsigned(size)
    return opening + b"".join(_value(member, item) for item in values)


def _unsigned(value: int) -> bytes:
    written = b""
    while value > 127:
        written += bytes([value & 127 | 128])
        value >>= 7
    return written + bytes([value])


def _signed(value: int) -> bytes:
    return _unsigned(value << 1 if value >= 0 else (-value << 1) - 1)
