"""Whether a footer's counts of rows agree: else the engine reads too few, too many, or beyond a page."""

import pyarrow.parquet as pq

from application.engine.codings import codings
from application.errors import DatasetInvalid

MAGIC = b"PAR1"
TRAILER = 8


def sealed_columns(metadata: pq.FileMetaData, footer: bytes) -> frozenset[int]:
    """The columns whose metadata is encrypted: pyarrow ends the process where it is asked for it."""
    # Only where some are, a signature follows what pyarrow reads. All else would take too long here.
    if metadata.serialized_size == len(footer) - TRAILER:
        return frozenset()
    count = max(1, metadata.num_columns)
    found = codings(footer)
    if not found:
        return frozenset(range(count))
    return frozenset(place % count for place, coding in enumerate(found) if coding.is_encrypted)


def misplaced_columns(metadata: pq.FileMetaData, size: int, sealed: frozenset[int]) -> frozenset[int]:
    """The columns that do not begin within a file of ``size`` bytes; ``sealed`` ones are left out."""
    found = set()
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        for at in range(metadata.num_columns):
            if at in sealed or at in found:
                continue
            chunk = group.column(at)
            starts = [chunk.data_page_offset]
            if chunk.has_dictionary_page:
                starts.append(chunk.dictionary_page_offset)
            # An empty chunk may be said to lie anywhere.
            if chunk.num_values and not all(len(MAGIC) <= start < size for start in starts):
                found.add(at)
    return frozenset(found)


def check_counts(metadata: pq.FileMetaData, part: str, sealed: frozenset[int] = frozenset()) -> None:
    """Compare the rows of file, row groups and columns; raises DatasetInvalid, which names what differs.

    Of a nested column each row has at least one value, of any other exactly one. ``sealed`` columns are
    left out.
    """
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    rows = sum(group.num_rows for group in groups)
    if rows != metadata.num_rows or any(group.num_rows < 0 for group in groups):
        raise DatasetInvalid(
            f"The footer of {part!r} says {metadata.num_rows} rows, and its row groups have {rows}."
        )
    is_flat = [metadata.schema.column(at).max_repetition_level == 0 for at in range(metadata.num_columns)]
    for index, group in enumerate(groups):
        if group.num_columns != len(is_flat):
            raise DatasetInvalid(
                f"Row group {index} of {part!r} has {group.num_columns} columns; its schema has "
                f"{len(is_flat)}."
            )
        for at, flat in enumerate(is_flat):
            if at in sealed:
                continue
            values = group.column(at).num_values
            if values != group.num_rows if flat else values < group.num_rows:
                raise DatasetInvalid(
                    f"Column {metadata.schema.column(at).path!r} of {part!r} has {values} values in row "
                    f"group {index}, which has {group.num_rows} rows."
                )
