"""How many bytes the rows of a dataset take once they are read, column by column, from the footers.

A footer counts bytes as they are stored, decompressed. Where a large value is repeated, it is stored once, in
a dictionary, and each of its rows still gets a copy.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from application.engine.windows import VECTOR_ROWS
from application.formats.thrift import Malformed, read_struct
from application.models import Extents

# A dictionary of fewer bytes, or one whose least and greatest value are shorter, is taken to have no large
# ones. Writers cut longer values to this length, or more, or leave them out.
SMALL_DICTIONARY = 4 << 10
SHORT_VALUE = 64
# What the engine keeps for a value, however well a column of one value is stored.
LEAST_BYTES = 8
# More than the header of a dictionary's page has.
HEADER_BYTES = 256
# In a footer: row_groups, columns, meta_data, size_statistics, unencoded_byte_array_data_bytes.
ROW_GROUPS, COLUMNS, META_DATA, SIZES, UNENCODED = 4, 1, 3, 16, 1
# In a page's header: dictionary_page_header.num_values.
DICTIONARY, ENTRIES = 7, 1

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Measured:
    """The extents of one file, and the bytes of all its rows."""

    extents: Extents
    data_bytes: int


def measure(
    metadata: pq.FileMetaData,
    schema: pa.Schema,
    footer: bytes,
    read: Read,
    sealed: frozenset[int] = frozenset(),
) -> Measured:
    """Measure one file, whose bytes [start, end) ``read`` gives; a column's leaves count together.

    Nothing is known of ``sealed`` columns, which nobody reads.
    """
    owners = list(_owners(metadata, schema))
    unfolded = _Unfolded(metadata, footer, read)
    vectors: Counter[str] = Counter()
    data_bytes = 0
    rows = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        rows.append(group.num_rows)
        here: Counter[str] = Counter()
        for at, owner in enumerate(owners):
            if at in sealed:
                continue
            chunk = group.column(at)
            size = max(chunk.total_uncompressed_size, unfolded.size(index, at, chunk))
            data_bytes += size
            here[owner] += max(size, chunk.num_values * LEAST_BYTES)
        # The engine reads a vector at a time, or the group if it has fewer rows.
        part = min(VECTOR_ROWS, group.num_rows)
        vectors |= Counter({name: size * part // max(1, group.num_rows) for name, size in here.items()})
    return Measured(Extents((tuple(rows),), dict(vectors), dict(Counter(owners))), data_bytes)


def joined(extents: Iterable[Extents]) -> Extents:
    """The extents of a dataset of several files."""
    groups: list[tuple[int, ...]] = []
    vectors: Counter[str] = Counter()
    leaves: Counter[str] = Counter()
    for each in extents:
        groups += each.groups
        vectors |= Counter(each.vectors)
        leaves |= Counter(each.leaves)
    return Extents(tuple(groups), dict(vectors), dict(leaves))


class _Unfolded:
    """What chunks would take without their dictionaries, looked up only where that may be much."""

    def __init__(self, metadata: pq.FileMetaData, footer: bytes, read: Read) -> None:
        self._metadata = metadata
        self._footer = footer
        self._read = read
        self._groups: list[Any] | None = None
        self._means: dict[int, int] = {}

    def size(self, group: int, at: int, chunk: pq.ColumnChunkMetaData) -> int:
        """Bytes of a chunk's values: as the footer says, else as if each were the dictionary's mean."""
        if not _may_be_folded(chunk):
            return 0
        try:
            if (told := self._told(group, at)) is not None:
                return told
            # Of the first chunk that may matter: a look into each would cost a request each.
            if at not in self._means:
                self._means[at] = self._mean(chunk)
        except Malformed:
            return 0
        return self._means[at] * chunk.num_values

    def _told(self, group: int, at: int) -> int | None:
        if self._groups is None:
            self._groups = read_struct(self._footer)[0].get(ROW_GROUPS, [])
        try:
            told = self._groups[group][COLUMNS][at][META_DATA][SIZES][UNENCODED]
        except (LookupError, TypeError):
            return None
        return told if isinstance(told, int) else None

    def _mean(self, chunk: pq.ColumnChunkMetaData) -> int:
        start = chunk.dictionary_page_offset
        header, length = read_struct(self._read(start, start + HEADER_BYTES))
        entries = header.get(DICTIONARY, {}).get(ENTRIES, 0)
        # What the chunk has beside its dictionary is small where that matters.
        return (chunk.total_uncompressed_size - length) // max(1, entries)


def _may_be_folded(chunk: pq.ColumnChunkMetaData) -> bool:
    if chunk.physical_type != "BYTE_ARRAY" or not chunk.has_dictionary_page:
        return False
    if chunk.total_uncompressed_size < SMALL_DICTIONARY:
        return False
    said = chunk.statistics
    if said is None or not said.has_min_max:
        return True
    return max(len(said.min_raw), len(said.max_raw)) >= SHORT_VALUE


def _owners(metadata: pq.FileMetaData, schema: pa.Schema) -> Iterator[str]:
    """For each leaf, in order, the name of its column."""
    named = (field.name for field in schema for _ in range(_leaves(field.type)))
    # What Arrow shows with other fields than are stored, such as a variant, makes this an estimate.
    last = schema.names[-1] if schema.names else ""
    for _ in range(metadata.num_columns):
        yield next(named, last)


def _leaves(kind: pa.DataType) -> int:
    """How many columns Parquet stores a type as."""
    if isinstance(kind, pa.BaseExtensionType):
        return _leaves(kind.storage_type)
    return sum(_leaves(kind.field(at).type) for at in range(kind.num_fields)) if kind.num_fields else 1
