"""A walk over the pages of a Parquet file: their headers, their counts, and the checksums of what is stored.

Nothing is decoded. A checksum is of a page's bytes as they lie there; the engine looks at none. A header
has none itself, and tells how many values its page has.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from application.errors import DatasetInvalid
from application.formats.thrift import Malformed, read_struct

# PageHeader: type, compressed_page_size, crc, and a header by type, each of which begins with num_values.
TYPE, SIZE, CRC, DATA, DATA_V2, NUM_VALUES = 1, 3, 4, 5, 8, 1
# Read at a time where bytes are needed, and where only headers are.
READ_BYTES = 4 << 20
HEADER_BYTES = 16 << 10
# Statistics in it may be long.
LONGEST_HEADER = 16 << 20
# Old writers counted a chunk's bytes without its first header.
SLACK = 128

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The pages of a column in a row group: where they lie, and how many values they have."""

    column: str
    start: int
    end: int
    values: int


def chunks(metadata: pq.FileMetaData) -> Iterator[Chunk]:
    """The column chunks of a file, as they lie in it."""
    found = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        for at in range(metadata.num_columns):
            chunk = group.column(at)
            # One whose pages are in another file is nobody's to check.
            if chunk.num_values and not chunk.file_path:
                start, dictionary = chunk.data_page_offset, chunk.dictionary_page_offset
                start = min(start, dictionary or start)
                end = start + chunk.total_compressed_size
                found.append(Chunk(chunk.path_in_schema, start, end, chunk.num_values))
    yield from sorted(found, key=lambda chunk: chunk.start)


class PageWalk:
    """One file of ``size`` bytes, whose bytes [start, end) ``read`` gives; ``part`` is its name in failures.

    Where reading is dear, pages without checksums end the walk: their headers alone are not worth it.
    """

    def __init__(self, part: str, size: int, read: Read, *, is_dear: bool) -> None:
        self._part = part
        self._size = size
        self._read = read
        self._is_dear = is_dear
        self._data = b""
        self._at = 0
        self.pages = 0
        self.checksums = 0

    def check(self, metadata: pq.FileMetaData) -> None:
        """Walk all pages; raises DatasetInvalid, which names the column, and what reading raises."""
        for chunk in chunks(metadata):
            self._check(chunk)
            if self.is_given_up:
                return

    @property
    def is_given_up(self) -> bool:
        """True where pages have no checksums, and reading on is not worth it."""
        return self._is_dear and self.pages > self.checksums == 0

    def _check(self, chunk: Chunk) -> None:
        position, values = chunk.start, 0
        kinds: dict[int, bool] = {}
        while values < chunk.values and position < min(chunk.end + SLACK, self._size):
            try:
                header, length = self._header(position)
                kind, size = int(header[TYPE]), int(header[SIZE])
                counted = header.get(DATA) or header.get(DATA_V2) or {}
                values += int(counted.get(NUM_VALUES, 0))
            except (Malformed, LookupError, TypeError, ValueError) as error:
                # Not known of what has no checksum: it may only be unusual.
                if not self.checksums:
                    return
                raise self._damaged(chunk, "has a page without a header") from error
            position += length
            if size < 0 or position + size > self._size:
                raise self._damaged(chunk, "has a page that goes beyond the file")
            crc = header.get(CRC)
            self.pages += 1
            if kinds.setdefault(kind, crc is not None) != (crc is not None):
                raise self._damaged(chunk, "has a page whose checksum is gone")
            if crc is not None:
                self.checksums += 1
                if self._crc(position, size) != crc & 0xFFFFFFFF:
                    raise self._damaged(chunk, "has a page that is not what its checksum says")
            elif self.is_given_up:
                return
            position += size
        if values != chunk.values:
            raise self._damaged(chunk, f"has pages of {values} values where the footer says {chunk.values}")

    def _damaged(self, chunk: Chunk, what: str) -> DatasetInvalid:
        return DatasetInvalid(f"Column {chunk.column!r} of {self._part!r} {what}; the file is damaged.")

    def _header(self, position: int) -> tuple[dict[int, Any], int]:
        """A page's header and its length."""
        wanted = HEADER_BYTES
        while True:
            data = self._bytes(position, wanted)
            try:
                return read_struct(data)
            except Malformed:
                if wanted >= LONGEST_HEADER or len(data) < wanted:
                    raise
            wanted *= 8

    def _crc(self, position: int, size: int) -> int:
        crc, end = 0, position + size
        while position < end:
            piece = self._bytes(position, min(READ_BYTES, end - position))
            crc = zlib.crc32(piece, crc)
            position += len(piece)
        return crc

    def _bytes(self, position: int, wanted: int) -> memoryview:
        """The bytes from a position, as many as are wanted or the file has."""
        end = min(position + wanted, self._size)
        if not self._at <= position <= end <= self._at + len(self._data):
            ahead = READ_BYTES if self.checksums else HEADER_BYTES
            self._at = position
            self._data = self._read(position, min(self._size, max(end, position + ahead)))
        start = position - self._at
        return memoryview(self._data)[start : start + end - position]
