"""What a scan may need of memory, and how it is cut where a table has too many columns for one query.

The engine gives each column a place for 2,048 values, twice, whether there are 3 rows or 3 million. So what
has thousands of columns is read by windows: some rows at a time, and of these some columns at a time.
"""

from collections.abc import Iterator, Sequence

from application.models import Column, Dataset, Extents, Query
from application.query.sql import PLACES, Window

VECTOR_ROWS = 2048
MOST_VECTORS = 16
# So many take 64 MiB of the engine's memory limit before there is a row.
MOST_LEAVES = 1000


def memory_needed(dataset: Dataset, query: Query, threads: int) -> int:
    """Bytes that a scan may need: a vector of the columns that it reads, for each busy thread."""
    extents = dataset.extents
    busy = min(threads, sum(len(groups) for groups in extents.groups))
    return extents.vector_bytes(query.columns_read) * max(1, busy)


def vectors_at_once(dataset: Dataset, query: Query, size: int) -> int:
    """How many vectors of a query's rows are about ``size`` bytes; at least one."""
    return max(1, min(MOST_VECTORS, size // max(1, dataset.extents.vector_bytes(query.columns))))


def is_numbered(dataset: Dataset) -> bool:
    """False where a column of the dataset's own hides the parts' or the rows' numbers."""
    return not any(column.engine_name.lower() in PLACES for column in dataset.columns)


def is_cut(dataset: Dataset, query: Query) -> bool:
    """True where a query has too many columns for one scan, and asks for nothing that windows change."""
    is_wide = dataset.extents.leaf_count(query.columns) > MOST_LEAVES
    return is_wide and query.is_by_row and is_numbered(dataset)


def windows(extents: Extents, rows: int) -> Iterator[Window]:
    """All rows of a dataset in their order, at most ``rows`` at a time."""
    for part, groups in enumerate(extents.groups):
        count = sum(groups)
        for start in range(0, count, rows):
            yield Window(part, start, min(count, start + rows))


def bands(columns: Sequence[Column], extents: Extents) -> list[tuple[Column, ...]]:
    """The columns in runs of at most MOST_LEAVES leaves, or of one column that has more."""
    runs: list[tuple[Column, ...]] = []
    run: list[Column] = []
    leaves = 0
    for column in columns:
        more = extents.leaf_count([column])
        if run and leaves + more > MOST_LEAVES:
            runs.append(tuple(run))
            run, leaves = [], 0
        run.append(column)
        leaves += more
    return [*runs, tuple(run)]
