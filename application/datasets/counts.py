"""Whether a footer's counts of rows agree: else the engine reads too few, too many, or beyond a page."""

import pyarrow.parquet as pq

from application.errors import DatasetInvalid


def check_counts(metadata: pq.FileMetaData, part: str) -> None:
    """Compare the rows of file, row groups and columns; raises DatasetInvalid, which names what differs.

    Of a nested column each row has at least one value, of any other exactly one.
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
            values = group.column(at).num_values
            if values != group.num_rows if flat else values < group.num_rows:
                raise DatasetInvalid(
                    f"Column {metadata.schema.column(at).path!r} of {part!r} has {values} values in row "
                    f"group {index}, which has {group.num_rows} rows."
                )
