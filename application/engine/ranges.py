"""An object of a storage as a file, and its columns by pyarrow, a batch at a time."""

import io
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from application.models import ObjectMeta
from application.storage.base import Storage

BUFFER_BYTES = 1 << 20


class RangeFile(io.RawIOBase):
    """An object as a file that reads by range."""

    def __init__(self, storage: Storage, meta: ObjectMeta) -> None:
        self._storage = storage
        self._meta = meta
        self._position = 0

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
        end = self._meta.size if size < 0 else min(self._position + size, self._meta.size)
        data = self._storage.read(self._meta, self._position, end) if end > self._position else b""
        self._position += len(data)
        return data


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
