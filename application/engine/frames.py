"""Rows by polars, which decodes many rows at once in less than half of the time that pyarrow takes.

It reads no file by itself: what it is given is some row groups as a file in memory, for a file that another
program makes shorter while it is mapped ends the process.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import types

from application.engine.ranges import SecondReader
from application.errors import Busy
from application.formats.handles import begin_polars
from application.formats.thrift import Malformed

if TYPE_CHECKING:
    import polars as pl

# Of rows that are decoded at once. Of fewer, what is there for each of them alone takes longer than the rest.
MOST_ROWS = 100_000
LEAST_ROWS = 20_000
# Of what is decoded at once, and of the columns of a row group that it is decoded from.
FRAME_BYTES = 32 << 20
CUT_BYTES = 32 << 20
# What polars has for a text beside its characters.
VIEW_BYTES = 16
# So many times the size that it should have a batch may have, before it is cut.
TOLERANCE = 2


def rows_at_once(kinds: Sequence[pa.DataType], row_bytes: int) -> int:
    """How many rows of columns of these types polars is to decode at once; 0 where it is to read none."""
    if not all(any(is_alike(kind) for is_alike in ALIKE) for kind in kinds):
        return 0
    rows = min(MOST_ROWS, FRAME_BYTES // max(1, row_bytes, VIEW_BYTES * len(kinds)))
    return rows if rows >= LEAST_ROWS else 0


def frame_bytes(kinds: Sequence[pa.DataType], row_bytes: int, cut: int) -> int:
    """Bytes of what is decoded at once, and of ``cut``, from which it is, twice: for there is a copy."""
    rows = rows_at_once(kinds, row_bytes)
    return rows * max(row_bytes, VIEW_BYTES * len(kinds)) + 2 * min(cut, CUT_BYTES) if rows else 0


class Frames:
    """An object's rows in ``schema``, decoded ``at_once`` many and handed on by ``step``.

    Those that take far more than ``size`` bytes come in more batches. Raises ValueError, ArrowInvalid and
    what the reader raises where it cannot be read so.
    """

    def __init__(
        self, reader: SecondReader, schema: pa.Schema, *, at_once: int, step: int, size: int
    ) -> None:
        try:
            begin_polars()
        except (Busy, RuntimeError) as error:
            raise ValueError("too few file handles or threads are left to begin with polars") from error
        self._reader = reader
        self._schema = schema
        self._at_once = at_once
        self._step = step
        self._size = size

    def batches(self, groups: Iterable[int], skip: int) -> Iterator[pa.RecordBatch]:
        """The rows of row groups that follow each other, but for the first ones."""
        for bunch in self._bunches(groups):
            try:
                file = self._reader.cut(bunch, self._schema.names)
            except (Malformed, LookupError, TypeError) as error:
                raise ValueError("the footer is not as it should be") from error
            count = self._reader.rows(bunch)
            for start in range(min(skip, count), count, self._at_once):
                yield from self._bounded(self._decoded(file, start, min(self._at_once, count - start)))
            skip = max(0, skip - count)

    def _bunches(self, groups: Iterable[int]) -> Iterator[list[int]]:
        """The row groups that are decoded together: one, or several that are small."""
        bunch: list[int] = []
        for group in groups:
            if bunch and not self._fit([*bunch, group]):
                yield bunch
                bunch = []
            bunch.append(group)
        if bunch:
            yield bunch

    def _fit(self, groups: Sequence[int]) -> bool:
        width = self._reader.width([groups[0], groups[-1]], self._schema.names)
        return self._reader.rows(groups) <= self._at_once and width <= CUT_BYTES

    def _decoded(self, file: bytes, start: int, count: int) -> "pl.DataFrame":
        import polars as pl

        try:
            frame = (
                pl.scan_parquet(file, glob=False, hive_partitioning=False, use_statistics=False)
                .select(pl.nth(self._reader.places(self._schema.names)))
                .slice(start, count)
                .collect()
            )
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise ValueError("polars cannot read it") from error
        if frame.columns != self._schema.names:
            raise ValueError("the columns are not where they should be")
        if frame.height != count:
            raise pa.ArrowInvalid("the row groups have not as many rows as they say")
        return frame

    def _bounded(self, frame: "pl.DataFrame") -> Iterator[pa.RecordBatch]:
        for part in frame.iter_slices(self._step):
            yield from self._halved(part)

    def _halved(self, frame: "pl.DataFrame") -> Iterator[pa.RecordBatch]:
        """The rows as one batch, or as more where they take far more than the footer told.

        Until here a text that many rows repeat is there once.
        """
        if frame.height > 1 and frame.estimated_size() > TOLERANCE * self._size:
            half = frame.height // 2
            yield from self._halved(frame[:half])
            yield from self._halved(frame[half:])
            return
        arrays = [_in_type(column, field.type) for column, field in zip(frame, self._schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _in_type(column: "pl.Series", kind: pa.DataType) -> pa.Array:
    array = column.to_arrow()
    if array.type != kind and not (types.is_string(kind) and types.is_large_string(array.type)):
        raise ValueError("the file's columns have other types than its footer said")
    return array.cast(kind)


ALIKE = (
    types.is_boolean,
    types.is_integer,
    types.is_float32,
    types.is_float64,
    types.is_date32,
    types.is_string,
    types.is_large_string,
)
