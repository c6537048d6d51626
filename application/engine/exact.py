"""Columns that the engine would round, read again from the file by row number, and compared.

DuckDB keeps microseconds where Parquet may hold nanoseconds (a time of day, a timestamp with a zone,
an INT96), and cuts the rest off silently. The engine still chooses the rows; their values come from here.
"""

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from application.errors import DatasetInvalid
from application.models import Dataset, ObjectMeta
from application.storage.base import Storage

NANOSECONDS = 1000


class ExactColumns:
    """The values of some columns, by part and row number; keeps the row group it read last."""

    def __init__(self, storage: Storage, dataset: Dataset, names: Sequence[str]) -> None:
        self._storage = storage
        self._objects = dataset.objects
        order = {column.name: position for position, column in enumerate(dataset.columns)}
        self._positions = [order[name] for name in names]
        self._part = -1
        self._file: pq.ParquetFile | None = None
        self._starts: list[int] = []
        self._group = -1
        self._columns: list[pa.ChunkedArray] = []

    def close(self) -> None:
        """Let go of the part that is open."""
        self._columns = []
        if self._file is not None:
            self._file.close(force=True)
            self._file = None

    def replace(self, batch: pa.RecordBatch, at: Sequence[int]) -> pa.RecordBatch:
        """The batch without its last two columns, part and row number, and with exact columns ``at`` places.

        Raises DatasetInvalid where a value is not the one that the engine rounded.
        """
        parts, rows = batch.columns[-2:]
        exact = self._take(parts.to_pylist(), rows.to_pylist())
        columns = list(batch.columns[:-2])
        for position, values in zip(at, exact, strict=True):
            _compare(columns[position], values)
            columns[position] = values
        names = [batch.schema.field(index).name for index in range(len(columns))]
        return pa.RecordBatch.from_arrays(columns, names=names)

    def _take(self, parts: list[int], rows: list[int]) -> list[pa.Array]:
        pieces: list[list[pa.Array]] = [[] for _ in self._positions]
        start = 0
        while start < len(rows):
            self._open(parts[start], rows[start])
            first, after = self._starts[self._group], self._starts[self._group + 1]
            end = start
            while end < len(rows) and parts[end] == self._part and first <= rows[end] < after:
                end += 1
            indices = pa.array([row - first for row in rows[start:end]], pa.int64())
            for piece, column in zip(pieces, self._columns, strict=True):
                piece.append(column.take(indices).combine_chunks())
            start = end
        return [pa.concat_arrays(piece) for piece in pieces]

    def _open(self, part: int, row: int) -> None:
        """Make the row group of that row the current one."""
        if part != self._part or self._file is None:
            self.close()
            self._file = pq.ParquetFile(_RangeFile(self._storage, self._objects[part]), pre_buffer=False)
            self._part, self._group, self._starts = part, -1, [0]
            metadata = self._file.metadata
            for group in range(metadata.num_row_groups):
                self._starts.append(self._starts[-1] + metadata.row_group(group).num_rows)
        group = next(index for index in range(len(self._starts) - 1) if self._starts[index + 1] > row)
        if group != self._group:
            names = [self._file.schema_arrow.field(position).name for position in self._positions]
            table = self._file.read_row_group(group, columns=names)
            self._columns = [table.column(name) for name in names]
            self._group = group


def _compare(rounded: pa.Array, exact: pa.Array) -> None:
    """Both say the same to the microsecond, or the rows were not the same ones, or a year is out of range."""
    if pa.types.is_nested(exact.type):
        return
    nulls = pc.not_equal(pc.is_null(rounded), pc.is_null(exact))
    gap = pc.abs(
        pc.subtract_checked(
            exact.cast(pa.int64()), pc.multiply_checked(rounded.cast(pa.int64()), NANOSECONDS)
        )
    )
    if pc.any(nulls).as_py() or pc.any(pc.greater_equal(gap, NANOSECONDS)).as_py():
        raise DatasetInvalid("A timestamp of the dataset cannot be read exactly.")


class _RangeFile(io.RawIOBase):
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
