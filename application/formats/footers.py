"""One Parquet file out of files of a row group each, which can be written side by side; and the way back.

What such a file has before its footer may lie anywhere: only the footer says where. So the bytes are put
after each other as they are, and what a footer says of its row group is taken over, with other offsets. The
outcome is what pyarrow writes of the same row groups one after the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from application.formats.thrift import FALSE, LIST, STOP, STRUCT, TRUE, value_at, varint, zigzag

MAGIC = b"PAR1"
TRAILER = 8
# In a footer: num_rows, row_groups.
ROWS, GROUPS = 3, 4

# What becomes of a struct's numbers and members, by field; all else stays.
Changes: TypeAlias = Mapping[int, "Callable[[int], int] | Changes"]


class JoinedFile:
    """A file that grows by row groups."""

    def __init__(self) -> None:
        self._position = len(MAGIC)
        self._groups: list[bytes] = []
        self._rows = 0

    def add(self, file: memoryview) -> memoryview:
        """The bytes of a file's row group, which stand next in the joined one."""
        start, footer = _footer(file)
        found = _fields(footer)
        (rows, _), (groups, _) = found[ROWS], found[GROUPS]
        moved, place = self._position - len(MAGIC), len(self._groups)
        # The list's head is one byte, for it has one item.
        self._groups.append(bytes(_changed(footer, groups + 1, _moved(moved, place))[0]))
        self._rows += zigzag(footer, rows)[0]
        body = file[len(MAGIC) : start]
        self._position += len(body)
        return body

    def end(self, empty: memoryview) -> bytes:
        """The footer and what follows it; ``empty`` is a file of the same schema without row groups."""
        footer = _footer(empty)[1]
        return _ending(footer, _fields(footer), self._rows, self._groups)


class CutFile:
    """A file, known by its ``footer``, of which some row groups are to be a file of their own.

    Raises Malformed, LookupError, TypeError or ValueError for what is no footer.
    """

    def __init__(self, footer: bytes) -> None:
        self._footer = memoryview(footer)
        self._found = _fields(self._footer)
        self._groups = list(_members(self._footer, self._found[GROUPS][0]))

    def cut(self, groups: Sequence[int], rows: int, start: int, body: Iterable[bytes]) -> bytes:
        """A file of these row groups, which have so many rows; ``body`` is what lies from ``start`` on."""
        moved = len(MAGIC) - start
        told = [
            bytes(_changed(self._footer, self._groups[group], _moved(moved, place))[0])
            for place, group in enumerate(groups)
        ]
        return b"".join([MAGIC, *body, _ending(self._footer, self._found, rows, told)])


def _ending(
    footer: memoryview, found: Mapping[int, tuple[int, int]], rows: int, groups: Sequence[bytes]
) -> bytes:
    """A footer with other rows and row groups, and what follows it."""
    (rows_start, rows_end), (groups_start, groups_end) = found[ROWS], found[GROUPS]
    count = len(groups)
    head = bytes([count << 4 | STRUCT]) if count < 15 else bytes([15 << 4 | STRUCT]) + _varint(count)
    told = b"".join(
        [
            footer[:rows_start],
            _zigzag(rows),
            footer[rows_end:groups_start],
            head,
            *groups,
            footer[groups_end:],
        ]
    )
    return told + len(told).to_bytes(4, "little") + MAGIC


def _members(data: memoryview, at: int) -> Iterator[int]:
    """Where each of a list's structs starts."""
    count, at = _list_head(data, at)
    for _ in range(count):
        yield at
        at = value_at(data, at, STRUCT)[1]


def _moved(by: int, place: int) -> Changes:
    """What changes in a row group that lies so many bytes later, and is not the first."""

    def move(offset: int) -> int:
        # A column without a dictionary, say, has 0 for its offset. Nothing lies before the file, not even
        # what is left out of it.
        return max(len(MAGIC), offset + by) if offset else 0

    # meta_data: data_page, index_page, dictionary_page and bloom_filter offsets. A chunk: file_offset,
    # meta_data, offset_index_offset, column_index_offset. A group: columns, file_offset, ordinal.
    chunk: Changes = {2: move, 3: {9: move, 10: move, 11: move, 14: move}, 4: move, 6: move}
    return {1: chunk, 5: move, 7: lambda _: place}


def _footer(file: memoryview) -> tuple[int, memoryview]:
    """Where the footer starts, and its bytes."""
    end = len(file) - TRAILER
    start = end - int.from_bytes(file[end : end + 4], "little")
    return start, file[start:end]


def _fields(data: memoryview) -> dict[int, tuple[int, int]]:
    """Where the value of each field of a struct starts and ends."""
    found: dict[int, tuple[int, int]] = {}
    at = number = 0
    while True:
        kind, number, at = _field(data, at, number)
        if kind == STOP:
            return found
        end = at if kind in (TRUE, FALSE) else value_at(data, at, kind)[1]
        found[number], at = (at, end), end


def _field(data: memoryview, at: int, number: int) -> tuple[int, int, int]:
    """The kind and number of a field, and where its value starts; ``number`` is that of the one before."""
    head = data[at]
    if head & 15 == STOP:
        return STOP, number, at + 1
    if head >> 4:
        return head & 15, number + (head >> 4), at + 1
    number, at = zigzag(data, at + 1)
    return head & 15, number, at


def _changed(data: memoryview, at: int, changes: Changes) -> tuple[bytearray, int]:
    """A struct with its changes, and where it ends."""
    out = bytearray()
    number = 0
    while True:
        start = at
        kind, number, at = _field(data, at, number)
        out += data[start:at]
        if kind == STOP:
            return out, at
        if kind in (TRUE, FALSE):
            continue
        change = changes.get(number)
        if change is None:
            start, at = at, value_at(data, at, kind)[1]
            out += data[start:at]
        elif callable(change):
            value, at = zigzag(data, at)
            out += _zigzag(change(value))
        else:
            count = 1
            if kind == LIST:
                start = at
                count, at = _list_head(data, at)
                out += data[start:at]
            for _ in range(count):
                member, at = _changed(data, at, change)
                out += member


def _list_head(data: memoryview, at: int) -> tuple[int, int]:
    """How many items a list has, and where the first starts."""
    return (data[at] >> 4, at + 1) if data[at] >> 4 != 15 else varint(data, at + 1)


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
