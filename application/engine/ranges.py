"""An object of a storage as a file, and its columns by pyarrow, a batch at a time."""

import io
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from application.engine.prefetch import REQUEST_BYTES, Prefetch, Range
from application.formats.footers import TRAILER, CutFile
from application.models import ObjectMeta
from application.storage.base import Storage

BUFFER_BYTES = 1 << 20


class RangeFile(io.RawIOBase):
    """An object as a file that reads by range, and keeps what it read last.

    Of what is near it reads more than it is asked for, for small columns lie next to each other; of what is
    far what is small comes whole, and from the ``prefetch`` what that has.
    """

    def __init__(self, storage: Storage, meta: ObjectMeta) -> None:
        self._storage = storage
        self._meta = meta
        self._position = 0
        self._is_small = meta.size <= BUFFER_BYTES
        self._least = BUFFER_BYTES if storage.is_near else 0
        self._start, self._kept = 0, b""
        self.prefetch: Prefetch | None = None

    @property
    def is_small(self) -> bool:
        """True where all of it comes at once."""
        return self._is_small

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._meta.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        start = self._position
        end = self._meta.size if size < 0 else min(start + size, self._meta.size)
        if end <= start:
            return b""
        data = self.prefetch.read(start, end) if self.prefetch else None
        if data is None:
            data = self._kept_or_read(start, end)
        self._position = end
        return data

    def _kept_or_read(self, start: int, end: int) -> bytes:
        if not self._start <= start <= end <= self._start + len(self._kept):
            first = 0 if self._is_small else start
            last = self._meta.size if self._is_small else max(end, min(start + self._least, self._meta.size))
            self._start, self._kept = first, self._storage.read(self._meta, first, last)
        return self._kept[start - self._start : end - self._start]


class SecondReader:
    """One object, read by pyarrow instead of the engine; raises Arrow's errors, and the storage's."""

    def __init__(self, storage: Storage, meta: ObjectMeta) -> None:
        # Buffered, it reads a column page by page; else a row group's whole column would be in memory.
        self._storage, self._meta = storage, meta
        self._bytes = RangeFile(storage, meta)
        self._file = pq.ParquetFile(self._bytes, pre_buffer=False, buffer_size=BUFFER_BYTES)
        metadata = self._file.metadata
        self._whole: CutFile | None = None
        self.starts = [0]
        for group in range(metadata.num_row_groups):
            self.starts.append(self.starts[-1] + metadata.row_group(group).num_rows)

    def close(self) -> None:
        """Let go of the object."""
        self._file.close(force=True)

    def expect(self, groups: Sequence[int], names: Sequence[str]) -> Prefetch | None:
        """What fetches the columns of these row groups, which will all be read, ahead; None for what is near.

        Raises TooManyStreams where they are too many large ones.
        """
        if self._storage.is_near or self._bytes.is_small:
            return None
        chunks = [list(self._chunks(group, frozenset(names))) for group in groups]
        # Large ones are read side by side, each at a place of its own.
        streams = max(
            (sum(end - start > REQUEST_BYTES for start, end in group) for group in chunks), default=0
        )

        def read(start: int, end: int) -> bytes:
            return self._storage.read(self._meta, start, end)

        self._bytes.prefetch = Prefetch(read, [each for group in chunks for each in group], streams)
        return self._bytes.prefetch

    def _chunks(self, group: int, names: frozenset[str]) -> Iterator[Range]:
        """Where the columns of a row group lie."""
        metadata = self._file.metadata.row_group(group)
        for at in range(metadata.num_columns):
            chunk = metadata.column(at)
            if chunk.path_in_schema in names:
                start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
                yield start, min(start + chunk.total_compressed_size, self._meta.size)

    def rows(self, groups: Sequence[int]) -> int:
        """How many rows some row groups have that follow each other."""
        return self.starts[groups[-1] + 1] - self.starts[groups[0]] if groups else 0

    def places(self, names: Sequence[str]) -> list[int]:
        """Where columns stand among the file's."""
        return [self._file.schema_arrow.names.index(name) for name in names]

    def width(self, groups: Sequence[int], names: Sequence[str]) -> int:
        """How many bytes lie between the first of some columns of these row groups and the last."""
        chunks = [chunk for group in groups for chunk in self._chunks(group, frozenset(names))]
        return max(end for _, end in chunks) - min(start for start, _ in chunks) if chunks else 0

    def cut(self, groups: Sequence[int], names: Sequence[str]) -> bytes:
        """Some row groups that follow each other as a file, in which other columns may be zeros.

        Raises what CutFile raises.
        """
        chunks = sorted(chunk for group in groups for chunk in self._chunks(group, frozenset(names)))
        body: list[bytes] = []
        at = first = chunks[0][0]
        for start, end in chunks:
            body += [bytes(start - at), self._read(start, end)]
            at = end
        if self._whole is None:
            end = self._meta.size - TRAILER
            self._whole = CutFile(self._read(end - self._file.metadata.serialized_size, end))
        return self._whole.cut(groups, self.rows(groups), first, body)

    def _read(self, start: int, end: int) -> bytes:
        self._bytes.seek(start)
        return self._bytes.read(end - start)

    def batches(self, group: int, names: Sequence[str], rows: int) -> Iterator[list[pa.Array]]:
        """The columns of a row group, so many rows at a time; raises ArrowInvalid where rows are missing."""
        left = self.starts[group + 1] - self.starts[group]
        # Arrow's own threads would read from storage, and know no trace and no end of the process.
        batches = self._file.iter_batches(rows, row_groups=[group], columns=list(names), use_threads=False)
        for batch in batches:
            left -= batch.num_rows
            yield [batch.column(name) for name in names]
        if left:
            # Of a damaged page it may give fewer, without a word.
            raise pa.ArrowInvalid(f"the row group has not as many rows as it says, by {left}")
