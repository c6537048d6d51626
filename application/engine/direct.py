"""Rows by pyarrow and polars instead of the engine, where all rows of a part come out as they are stored.

pyarrow decodes in two thirds of the engine's time or less, and gives the first rows of a large row group
without reading the rest; polars takes half of that where there are many short rows (docs/performance.md).
Only columns whose values all three give alike are read so.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

import pyarrow as pa
from pyarrow import types

from application.engine.cancellation import Cancellation
from application.engine.conform import output_schema
from application.engine.frames import CUT_BYTES, MOST_ROWS, Frames, frame_bytes, rows_at_once
from application.engine.prefetch import TooManyStreams
from application.engine.ranges import SecondReader
from application.engine.relation import Run
from application.engine.windows import VECTOR_ROWS, is_cut
from application.errors import ProductionCancelled, StorageUnavailable
from application.models import Column, Dataset, Part, Query
from application.query.sql import Window
from application.storage.base import Storage

# Of a row group: a page may be all of a column, and pyarrow knows no limit of memory, as the engine does.
MOST_GROUP_BYTES = 256 << 20
# At first, for what the footers tell of a row's size may be far from the truth.
FIRST_ROWS = 256
# So many times the size that it should have a batch may have, before fewer rows are read at once.
TOLERANCE = 4
# Of the rows that are read of a part: of fewer polars is not worth its import.
MANY_ROWS = 500_000
# Of these, the rows that come first: more than a result has that is waited for, for it may be small.
SOON_ROWS = 40_000


class Undirect(Exception):
    """A part cannot be read directly; the engine is to read it, from the row that is next."""


class DirectReads:
    """Reads parts of a storage, in batches of about ``size`` bytes and at most ``most`` rows."""

    def __init__(self, storage: Storage, *, size: int, most: int) -> None:
        self._storage = storage
        self._size = size
        self._most = most

    def can_read(self, dataset: Dataset, query: Query, run: Run) -> bool:
        """True where a run's rows all come out as its files hold them, and pyarrow gives the same values."""
        own = run.own(query.columns)
        return (
            bool(query.columns)
            and query.is_by_row
            and query.known_rows(dataset) is not None
            and not is_cut(dataset, query)
            and -(-_largest(run) // VECTOR_ROWS) * _vector_bytes(dataset, query) <= MOST_GROUP_BYTES
            and len({column.name for column in run.columns}) == len(run.columns)
            and all(mine == column for mine, column in zip(own, query.columns, strict=True))
            and all(map(_is_alike, query.columns))
        )

    def rows(
        self,
        dataset: Dataset,
        query: Query,
        run: Run,
        cancellation: Cancellation,
        span: Window | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a run, or of a span of whole row groups of its one part.

        Raises ProductionCancelled, and Undirect where a part turns out not to be read so.
        """
        schema = output_schema(dataset, query)
        row_bytes = _vector_bytes(dataset, query) // max(1, min(VECTOR_ROWS, _largest(run)))
        step = max(1, self._size // max(1, row_bytes))
        at_once = rows_at_once([column.field.type for column in run.columns], row_bytes)
        for part in run.parts:
            is_many = min(part.rows, sys.maxsize if query.limit is None else query.limit) >= MANY_ROWS
            try:
                with closing(SecondReader(self._storage, part.meta)) as reader, ExitStack() as stack:
                    groups = list(_groups(part, span, query.limit))
                    if prefetch := reader.expect(groups, schema.names):
                        stack.callback(prefetch.interrupt)
                        stack.enter_context(cancellation.attached(prefetch))
                    for batch in self._of_part(reader, groups, schema, step, at_once if is_many else 0):
                        if cancellation.is_set:
                            raise ProductionCancelled("The download was cancelled.")
                        yield batch
            except (pa.ArrowException, OSError, ValueError, TooManyStreams, StorageUnavailable) as error:
                # Of storage, too: the engine waits longer for bytes that come slowly, but come.
                raise Undirect from error

    def _of_part(
        self, reader: SecondReader, groups: Sequence[int], schema: pa.Schema, step: int, at_once: int
    ) -> Iterator[pa.RecordBatch]:
        """The rows of row groups; ``step`` of them take a batch's bytes, by what the footers tell.

        By polars where it is to decode some ``at_once``.
        """
        pace = _Pace(self._size, self._most, min(step, FIRST_ROWS))
        pages = (
            _checked(arrays, schema)
            for group in groups
            for arrays in _of_group(reader, group, schema.names, pace)
        )
        widths = (reader.width([group], schema.names) for group in groups)
        if not (at_once and groups and all(0 < width <= CUT_BYTES for width in widths)):
            yield from pages
            return
        # They come before polars is imported, and before all that it decodes at once.
        given = 0
        for batch in pages:
            given += batch.num_rows
            yield batch
            if given >= SOON_ROWS:
                break
        frames = Frames(reader, schema, at_once=at_once, step=step, size=self._size)
        yield from frames.batches(groups, skip=given)


def bytes_at_once(dataset: Dataset, query: Query, rows: int) -> int:
    """Bytes that polars may hold of at most so many rows of a query; 0 where they are too few for it."""
    largest = max(dataset.parts, key=lambda part: part.rows, default=None)
    if largest is None or min(largest.rows, rows) < MANY_ROWS or query.order:
        return 0
    kinds = [column.field.type for column in dataset.columns]
    cut = largest.meta.size * max(MOST_ROWS, *largest.groups) // largest.rows
    return frame_bytes(kinds, _vector_bytes(dataset, query) // VECTOR_ROWS, cut)


class _Pace:
    """How many rows are read at once, by what those before took."""

    def __init__(self, size: int, most: int, rows: int) -> None:
        self._size = size
        self._most = most
        self.rows = max(1, rows)

    def changes(self, count: int, size: int, *, is_first: bool) -> bool:
        """True where the rows that come next are to be read by another number at once.

        ``count`` rows have come, of ``size`` bytes. More at once only where the ``is_first`` of a row group
        have come, for those that came are decoded again.
        """
        fit = max(1, min(self._most, self._size * count // max(1, size)))
        if (fit * TOLERANCE <= self.rows) or (fit > self.rows and is_first):
            self.rows = fit
            return True
        return False


def _vector_bytes(dataset: Dataset, query: Query) -> int:
    """Bytes of so many rows as the engine reads at a time, or of a row group that has fewer."""
    return max(1, dataset.extents.vector_bytes(query.columns))


def _largest(run: Run) -> int:
    """The rows of a run's largest row group."""
    return max((rows for part in run.parts for rows in part.groups), default=0)


def _is_alike(column: Column) -> bool:
    """True for a column whose values pyarrow gives as the engine does."""
    is_as_stored = column.exact and column.engine_type and not (column.as_wkt or column.as_text)
    return bool(is_as_stored) and not column.traits.int96 and _is_plain(column.field.type)


def _is_plain(kind: pa.DataType) -> bool:
    return any(is_alike(kind) for is_alike in ALIKE)


def _groups(part: Part, span: Window | None, limit: int | None) -> Iterator[int]:
    """The row groups of a part, or those of a span of it, up to those that have so many rows."""
    start = 0
    for index, rows in enumerate(part.groups):
        if limit is not None and start >= limit:
            return
        if rows and (span is None or span.start <= start < span.end):
            yield index
        start += rows


def _of_group(
    reader: SecondReader, group: int, names: Sequence[str], pace: _Pace
) -> Iterator[list[pa.Array]]:
    given = 0
    while given < reader.starts[group + 1] - reader.starts[group]:
        end = 0
        for arrays in reader.batches(group, names, pace.rows):
            count = len(arrays[0])
            end += count
            if end <= given:
                continue
            left = [array.slice(count - (end - given)) for array in arrays]
            is_first, given = given == 0, end
            yield left
            if pace.changes(len(left[0]), sum(array.nbytes for array in left), is_first=is_first):
                break


def _checked(arrays: Sequence[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """The rows in their schema; raises ValueError for another type, ArrowInvalid for text that is none."""
    if [array.type for array in arrays] != schema.types:
        raise ValueError("the file's columns have other types than its footer said")
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    # The engine reads no text that is not UTF-8; pyarrow looks only when it is told to.
    batch.validate(full=True)
    return batch


ALIKE = (
    types.is_boolean,
    types.is_integer,
    types.is_float32,
    types.is_float64,
    types.is_decimal128,
    types.is_date32,
    types.is_string,
    types.is_large_string,
    types.is_binary,
    types.is_large_binary,
)
