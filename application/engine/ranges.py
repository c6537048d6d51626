"""An object of a storage as a file, and its columns by pyarrow, a batch at a time."""

import io
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from application.models import ObjectMeta
from application.storage.base import Storage

BUFFER_BYTES = 1 << 20


class RangeFile(io.RawIOBase):
    """An object as a file that reads by range, and keeps what it read last.

    Of what is near it reads more than it is asked for: small columns of a row group lie next to each other.
    """

    def __init__(self, storage: Storage, meta: ObjectMeta) -> None:
        self._storage = storage
        self._meta = meta
        self._position = 0
        self._least = BUFFER_BYTES if storage.is_near else 0
        self._start, self._kept = 0, b""

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
        if not self._start <= start <= end <= self._start + len(self._kept):
            least = min(start + self._least, self._meta.size)
            self._start, self._kept = start, self._storage.read(self._meta, start, max(end, least))
        self._position = end
        return self._kept[start - self._start : end - self._start]


class SecondReader:
    """One object, read by pyarrow instead of the engine; raises Arrow's errors, and the storage's."""

    def __init__(self, storage: Storage, meta: ObjectMeta) -> None:
        # Buffered, it reads a column page by page; else a row group's whole column would be in memory.
        self._file = pq.ParquetFile(RangeFile(storage, meta), pre_buffer=False, buffer_size=BUFFER_BYTES)
        metadata = self._file.metadata
        self.starts = [0]
        for group in range(metadata.num_row_groups):
            self.starts.append(self.starts[-1] + metadata.row_group(group).num_rows)

    def close(self) -> None:
        """Let go of the object."""
        self._file.close(force=True)

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
