"""Columns that the engine would round, or cannot read, read again by row number.

DuckDB keeps microseconds where Parquet may hold nanoseconds (a time of day, a timestamp with a zone,
an INT96), and cuts the rest off silently; some codings it cannot read at all. The engine still chooses
the rows; the values of these columns come from here, and are compared with the engine's where it has any.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from application.engine.conform import cast, in_microseconds
from application.engine.ranges import SecondReader
from application.engine.variants import has_finer_instants
from application.errors import ColumnUnsupported, DatasetInvalid, ResultTooLarge
from application.models import Column, Dataset
from application.storage.base import Storage

NANOSECONDS = 1000
# Bytes of the values that are held for rows in another order than the file's.
MOST_GATHERED = 256 << 20
NEITHER = "Column {0!r} has values that two readers do not agree on; leave it out with exclude_field={0}."
DAMAGED = "Column {0!r} is damaged and cannot be read; leave it out with exclude_field={0}."

types = pa.types


class ExactColumns:
    """The values of some columns, by part and row number; keeps a window of so many rows, and moves it on."""

    def __init__(self, storage: Storage, dataset: Dataset, columns: Sequence[Column], rows: int) -> None:
        self._storage = storage
        self._objects = dataset.objects
        self._columns = columns
        self._names = [column.name for column in columns]
        self._rows = rows
        self._part = -1
        self._reader: SecondReader | None = None
        self._group = -1
        self._batches: Iterator[list[pa.Array]] = iter(())
        self._window: list[pa.Array] = []
        self._start = self._end = 0
        self._gathered: list[pa.Array] = []
        self._given = 0

    def close(self) -> None:
        """Let go of the part that is open."""
        self._window, self._batches, self._gathered = [], iter(()), []
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def replace(self, batch: pa.RecordBatch, at: Sequence[int]) -> pa.RecordBatch:
        """The batch without its last two columns, part and row number, and with exact columns ``at`` places.

        Raises DatasetInvalid where one cannot be read, or a value is not the one that the engine rounded.
        """
        parts, rows = batch.columns[-2:]
        columns = list(batch.columns[:-2])
        for position, column, values in zip(
            at, self._columns, self._take(parts.to_pylist(), rows.to_pylist()), strict=True
        ):
            if column.engine_type == "VARIANT":
                _check_variants(column, values)
            else:
                is_blank = not column.engine_type
                columns[position] = values if is_blank else _exact(column, columns[position], values)
        names = [batch.schema.field(index).name for index in range(len(columns))]
        return pa.RecordBatch.from_arrays(columns, names=names)

    def gather(self, places: pa.Table) -> None:
        """Read the values of these rows, by part and row number, now; ``replace`` then is given them in turn.

        For rows in another order than the file's, of which each would be looked for by itself. Raises
        ResultTooLarge where they are too many to hold.
        """
        # The file's order, in which a window moves on and on.
        order = pc.sort_indices(places, [(name, "ascending") for name in places.column_names])
        pieces: list[list[pa.Array]] = [[] for _ in self._columns]
        size = 0
        for start in range(0, len(order), self._rows):
            parts, rows = places.take(order.slice(start, self._rows)).columns
            for piece, values in zip(pieces, self._take(parts.to_pylist(), rows.to_pylist()), strict=True):
                piece.append(values)
                size += values.nbytes
            if size > MOST_GATHERED:
                names = ", ".join(self._names)
                raise ResultTooLarge(
                    f"Too many rows to sort beside columns that are read twice ({names}): ask for fewer with "
                    f"limit=N, or leave them out with exclude_field={self._names[0]}."
                )
        if len(order):
            back = pc.sort_indices(order)
            try:
                self._gathered = [pa.concat_arrays(piece).take(back) for piece in pieces]
            except pa.ArrowNotImplementedError as error:
                raise ColumnUnsupported(
                    "Rows cannot be sorted beside columns that are stored in views "
                    f"({', '.join(self._names)}); leave them out with exclude_field={self._names[0]}."
                ) from error

    def _take(self, parts: list[int], rows: list[int]) -> list[pa.Array]:
        if self._gathered:
            start, self._given = self._given, self._given + len(rows)
            return [values.slice(start, len(rows)) for values in self._gathered]
        pieces: list[list[pa.Array]] = [[] for _ in self._columns]
        start = 0
        while start < len(rows):
            try:
                self._move(parts[start], rows[start])
            except (pa.ArrowException, OSError, ValueError, StopIteration) as error:
                raise DatasetInvalid(DAMAGED.format(self._damaged())) from error
            end = start
            while end < len(rows) and parts[end] == self._part and self._start <= rows[end] < self._end:
                end += 1
            indices = pa.array([row - self._start for row in rows[start:end]], pa.int64())
            for piece, column in zip(pieces, self._window, strict=True):
                piece.append(_taken(column, indices))
            start = end
        return [pa.concat_arrays(piece) for piece in pieces]

    def _move(self, part: int, row: int) -> None:
        """Move the window to where that row is."""
        if part != self._part or self._reader is None:
            self.close()
            self._reader = SecondReader(self._storage, self._objects[part])
            self._part, self._group = part, -1
        starts = self._reader.starts
        group = next(index for index in range(len(starts) - 1) if starts[index + 1] > row)
        if group != self._group or row < self._start:
            self._group, self._start, self._end = group, starts[group], starts[group]
            self._batches = self._reader.batches(group, self._names, self._rows)
        while row >= self._end:
            self._window = next(self._batches)
            self._start, self._end = self._end, self._end + len(self._window[0])

    def _damaged(self) -> str:
        """The name of the first column that cannot be read by itself either."""
        if self._reader is not None:
            for name in self._names:
                try:
                    for _ in self._reader.batches(max(self._group, 0), [name], self._rows):
                        continue
                except (pa.ArrowException, OSError, ValueError):
                    return name
        return self._names[0]


def _taken(column: pa.Array, indices: pa.Array) -> pa.Array:
    # Views have no `take`, but for a run of rows none is needed.
    if len(indices) and indices[-1].as_py() - indices[0].as_py() == len(indices) - 1:
        return column.slice(indices[0].as_py(), len(indices))
    return column.take(indices)


def _check_variants(column: Column, again: pa.Array) -> None:
    """Refuse what the engine's JSON does not hold."""
    if has_finer_instants(again):
        raise ColumnUnsupported(
            f"Column {column.name!r} has variants with instants of nanoseconds, which cannot be read exactly;"
            f" leave it out with exclude_field={column.name}."
        )


def _exact(column: Column, rounded: pa.Array, again: pa.Array) -> pa.Array:
    """The exact values, where both say the same to the microsecond.

    They do not where the rows were not the same ones, or where a column has both digits beyond the
    microsecond and years beyond those of nanoseconds, so that no type holds it.
    """
    own = column.field.type
    is_wide = column.traits.int96 and in_microseconds(own) == own
    for coarse, fine in zip(_moments(rounded, own), _moments(again, again.type), strict=True):
        if not _agree(coarse, fine, is_wide):
            raise DatasetInvalid(NEITHER.format(column.name))
    return cast(rounded if is_wide else again, own)


def _agree(coarse: pa.Array, fine: pa.Array, is_wide: bool) -> bool:
    if len(coarse) != len(fine) or pc.any(pc.not_equal(pc.is_null(coarse), pc.is_null(fine))).as_py():
        return False
    kind = pa.timestamp("us") if types.is_timestamp(coarse.type) else pa.time64("us")
    counts = cast(coarse, kind).cast(pa.int64())
    if fine.type.unit != "ns":
        return not pc.any(pc.not_equal(counts, fine.cast(kind).cast(pa.int64()))).as_py()
    nanoseconds = fine.cast(pa.int64())
    if is_wide:
        # What nanoseconds cannot hold has wrapped around, as the product does here.
        return not pc.any(pc.not_equal(pc.multiply(counts, NANOSECONDS), nanoseconds)).as_py()
    try:
        gap = pc.subtract_checked(nanoseconds, pc.multiply_checked(counts, NANOSECONDS))
    except pa.ArrowInvalid:
        return False
    return not pc.any(pc.greater_equal(pc.abs(gap), NANOSECONDS)).as_py()


def _moments(array: pa.Array, own: pa.DataType) -> Iterator[pa.Array]:
    """The times and timestamps in an array, at any depth, where its own type has them."""
    if types.is_struct(own):
        for index, child in enumerate(array.flatten()):
            yield from _moments(child, own.field(index).type)
    elif types.is_map(own):
        first, last = (array.offsets[end].as_py() for end in (0, -1))
        yield from _moments(array.keys.slice(first, last - first), own.key_type)
        yield from _moments(array.items.slice(first, last - first), own.item_type)
    elif types.is_nested(own):
        yield from _moments(pc.list_flatten(array), own.value_type)
    elif types.is_time(own) or types.is_timestamp(own):
        yield array
