"""How a query's rows may be read: in one go, or by spans of rows that cursors read side by side.

The engine turns its rows into Arrow's in one thread for each query. So where all rows come out, and come out
in the file's order, a large part is read by several: each skips the row groups of the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

from application.engine.relation import Run, runs_of
from application.engine.windows import VECTOR_ROWS, is_cut, is_numbered
from application.models import Dataset, Query
from application.query.sql import Window

# Many small parts: so many cursors wait for storage at the same time, each for a few parts after each other.
CURSORS = 32
MOST_RUN_PARTS = 8
RUN_BYTES = 1 << 20
# Of a span's rows once they are read. Each costs a query, and a look at the footer of all row groups.
SPAN_BYTES = 32 << 20
MOST_SPANS = 64
# What reads ahead holds its rows, so larger spans are read one after the other. And of a row group that is
# larger the engine gives no row before it has read most of it.
LARGE_BYTES = 64 << 20
# Of rows that are known to meet a query: fewer are not worth a query of their own for each of the others.
FEWEST_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class Read:
    """What one cursor reads: some runs, or, with ``span``, some rows of the one part of a run.

    ``size`` is how many bytes its rows are, as far as the footers tell. ``is_met``: all of these rows meet
    the query's filters.
    """

    runs: tuple[Run, ...]
    size: int
    rows: int
    span: Window | None = None
    is_met: bool = False


def reads_of(dataset: Dataset, query: Query, *, by_spans: bool, first_soon: bool) -> list[Read]:
    """A query's rows in the order in which they come out; only for a query that looks at rows one by one.

    ``first_soon``: some may be read twice for the sake of first rows that come soon. Where each row comes
    out, there are no more reads than give the limit.
    """
    parts = dataset.parts
    most = min(MOST_RUN_PARTS, -(-len(parts) // CURSORS))
    runs = runs_of(parts, most_parts=most, most_bytes=RUN_BYTES)
    reads = [read for run in runs for read in _reads_of_run(dataset, query, run, by_spans)]
    if first_soon and reads:
        reads[:1] = _first_soon(dataset, query, reads[0])
    if query.limit is None or query.columns_looked_at:
        return reads
    starts = accumulate((read.rows for read in reads), initial=0)
    kept = [read for read, start in zip(reads, starts, strict=False) if start < query.limit]
    # One alone ends with the limit by itself.
    return kept if len(kept) > 1 else [replace(read, span=None) for read in kept]


def span_bytes(dataset: Dataset, query: Query) -> int:
    """The bytes of the largest span that is read ahead; 0 where there is none beside the first."""
    if not query.is_by_row or query.columns_looked_at:
        return 0
    reads = reads_of(dataset, query, by_spans=True, first_soon=False)
    return max((read.size for read in reads[1:] if read.span and read.size <= LARGE_BYTES), default=0)


def _reads_of_run(dataset: Dataset, query: Query, run: Run, by_spans: bool) -> Iterator[Read]:
    rows = sum(part.rows for part in run.parts)
    whole = Read((run,), run.data_bytes, rows)
    if all(part.meets and all(part.meets) for part in run.parts):
        whole = replace(whole, is_met=True)
    elif pieces := list(_pieces(dataset, query, run)):
        for piece, is_met in pieces:
            yield replace(_cut(whole, piece, _row_bytes(dataset, query)), is_met=is_met)
        return
    spans = list(_spans(dataset, query, run)) if by_spans and _has_spans(dataset, query, run) else []
    if len(spans) < 2:
        yield whole
        return
    for span in spans:
        yield _cut(whole, span, _row_bytes(dataset, query))


def _pieces(dataset: Dataset, query: Query, run: Run) -> Iterator[tuple[Window, bool]]:
    """The rows of a run's one part that may meet the filters, by whether all of them do.

    Nothing where it is read in one go, for few row groups are known to, or they change too often.
    """
    meets = run.parts[0].meets
    changes = sum(before is not after for before, after in pairwise(meets))
    known = sum(rows for rows, is_met in zip(run.parts[0].groups, meets, strict=False) if is_met)
    if known < FEWEST_KNOWN or changes >= MOST_SPANS or not _is_cuttable(dataset, query, run):
        return
    start = 0
    for is_met, groups in groupby(zip(run.parts[0].groups, meets, strict=True), lambda group: group[1]):
        end = start + sum(rows for rows, _ in groups)
        if is_met is not False and end > start:
            yield Window(0, start, end), is_met is True
        start = end


def _spans(dataset: Dataset, query: Query, run: Run) -> Iterator[Window]:
    """The rows of a run's one part by spans of whole row groups."""
    row_bytes = _row_bytes(dataset, query)
    groups = run.parts[0].groups
    fewest = -(-len(groups) // MOST_SPANS)
    start = end = count = 0
    for group in groups:
        end, count = end + group, count + 1
        if count >= fewest and (end - start) * row_bytes >= SPAN_BYTES:
            yield Window(0, start, end)
            start, count = end, 0
    if end > start:
        yield Window(0, start, end)


def _first_soon(dataset: Dataset, query: Query, read: Read) -> list[Read]:
    """The first read, where its first row group is large as one of a few rows, and one of the rest."""
    (run, *_), row_bytes = read.runs, _row_bytes(dataset, query)
    first = next(iter(run.parts[0].groups), 0)
    if first * row_bytes <= LARGE_BYTES or first <= VECTOR_ROWS or not _has_spans(dataset, query, run):
        return [read]
    return [
        _cut(read, Window(0, 0, VECTOR_ROWS), row_bytes),
        _cut(read, Window(0, VECTOR_ROWS, read.rows), row_bytes),
    ]


def _has_spans(dataset: Dataset, query: Query, run: Run) -> bool:
    """True where a run can be read by spans of its rows, all of which come out."""
    return not query.columns_looked_at and _is_cuttable(dataset, query, run)


def _is_cuttable(dataset: Dataset, query: Query, run: Run) -> bool:
    if len(run.parts) > 1 or not query.is_by_row or not is_numbered(dataset):
        return False
    own = run.own(query.columns)
    return not is_cut(dataset, query) and all(column is None or column.exact for column in own)


def _cut(read: Read, span: Window, row_bytes: int) -> Read:
    rows = span.end - span.start
    return replace(read, size=rows * row_bytes, rows=rows, span=span)


def _row_bytes(dataset: Dataset, query: Query) -> int:
    return -(-dataset.extents.vector_bytes(query.columns_read) // VECTOR_ROWS)
