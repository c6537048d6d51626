"""Rows in groups that are cut by rows and bytes, never by how the batches came."""

from bisect import bisect_left
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

types = pa.types

_VARIABLE = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)


class Groups:
    """Groups that end with so many rows, or with the row that fills so many bytes.

    ``is_spread``: who takes the groups writes a dictionary's value in each row of it, so each counts it;
    else it counts an index.
    """

    def __init__(self, rows: int, size: int, *, is_spread: bool = False) -> None:
        self._most_rows = rows
        self._most_bytes = size
        self._is_spread = is_spread
        self._pieces: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> Iterator[pa.Table]:
        """Take the batch's rows, and give each group that they end, a chunk a column."""
        while batch.num_rows:
            piece = batch.slice(0, self._most_rows - self._rows)
            size = self._measure(piece)
            if self._bytes + size > self._most_bytes:
                piece = self._filling(piece, self._most_bytes - self._bytes)
                size = self._most_bytes - self._bytes
            self._pieces.append(piece)
            self._rows += piece.num_rows
            self._bytes += size
            batch = batch.slice(piece.num_rows)
            if self._rows == self._most_rows or self._bytes >= self._most_bytes:
                yield from self.rest()

    def rest(self) -> Iterator[pa.Table]:
        """Give the group that is not full, if there are rows for one."""
        if self._rows:
            # What is written of a column may depend on where its chunks end: one chunk, one outcome.
            group = pa.Table.from_batches(self._pieces).combine_chunks()
            self._pieces.clear()
            self._rows = self._bytes = 0
            yield group

    def _measure(self, batch: pa.RecordBatch) -> int:
        """Return the bytes of the values, which is the sum over the rows wherever the batch was cut."""
        return sum(_size(column, is_spread=self._is_spread) for column in batch.columns)

    def _filling(self, piece: pa.RecordBatch, room: int) -> pa.RecordBatch:
        """Return the fewest first rows whose bytes take all the room."""
        counts = range(1, piece.num_rows)
        rows = 1 + bisect_left(counts, room, key=lambda rows: self._measure(piece.slice(0, rows)))
        return piece.slice(0, rows)


def in_order(group: pa.Table) -> pa.Table:
    """Return the group with dictionaries in the order of its rows, whatever those of the batches were."""
    for index, field in enumerate(group.schema):
        if types.is_dictionary(field.type):
            group = group.set_column(index, field, _in_order(group.column(index).combine_chunks()))
    return group


def _in_order(array: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return the array with each value that a row has once, in the order of the rows."""
    kind = array.type
    # By indices alone, for the rows' values can be very many times as large.
    once = array.dictionary.dictionary_encode()
    places = once.indices.take(array.indices)
    order = pc.unique(places).drop_null()
    indices = pc.index_in(places, order).cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, once.dictionary.take(order), ordered=kind.ordered)


def _size(array: pa.Array, *, is_spread: bool) -> int:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _size(array.storage, is_spread=is_spread)
    if types.is_struct(kind):
        return len(array) + sum(_size(child, is_spread=is_spread) for child in array.flatten())
    if types.is_map(kind):
        first, last = (array.offsets[end].as_py() for end in (0, -1))
        return 4 * len(array) + sum(
            _size(side.slice(first, last - first), is_spread=is_spread) for side in (array.keys, array.items)
        )
    if types.is_nested(kind):
        return 4 * len(array) + _size(pc.list_flatten(array), is_spread=is_spread)
    if types.is_dictionary(kind) and is_spread:
        lengths = _lengths(array.dictionary)
        if lengths is None:
            return _size(array.dictionary.take(array.indices), is_spread=is_spread)
        # The values themselves would be as large as what is to be found out.
        return 4 * len(array) + (pc.sum(lengths.take(array.indices)).as_py() or 0)
    lengths = _lengths(array)
    if lengths is not None:
        return 4 * len(array) + (pc.sum(lengths).as_py() or 0)
    return len(array) * (1 if types.is_null(kind) else max(1, kind.bit_width // 8))


def _lengths(array: pa.Array) -> pa.Array | None:
    """Return the bytes of each text or binary value, None for values of another type."""
    if types.is_string_view(array.type) or types.is_binary_view(array.type):
        array = array.cast(pa.large_binary())
    return pc.binary_length(array) if any(is_kind(array.type) for is_kind in _VARIABLE) else None
