"""What a download would be, before it is made: rows, bytes by format, and how it would be answered."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from application.downloads.job import FileChunks, Layer
from application.downloads.plan import Plan
from application.downloads.ways import Way
from application.formats import Chunk, Format
from application.formats.parquet import ROW_GROUP_ROWS
from application.formats.workplace import Workplace

# How much smaller a row is among many, where a format compresses itself: not without end.
LEAST_GROWTH, MOST_GROWTH = 0.5, 1.0


@dataclass(frozen=True, slots=True)
class FormatEstimate:
    """A format of a query's rows: its bytes uncoded, None where not known, and how it would be answered."""

    format: Format
    way: Way
    reason: str
    size: int | None = None
    is_exact: bool = False

    @property
    def is_known(self) -> bool:
        """True for a size, and for what is refused."""
        return self.size is not None or self.way is Way.REFUSED


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known of a query's rows; ``rows`` is None where only ``rows_at_most`` is known.

    ``without_geometry`` are the rows that no area can have, of those that all but the query's areas choose;
    None where there is no area, or it is not known.
    ``groups`` row groups of ``groups_in_all``, and about ``bytes_read`` stored bytes, would be read.
    """

    dataset: str
    rows: int | None
    rows_at_most: int
    without_geometry: int | None
    groups: int
    groups_in_all: int
    bytes_read: int
    formats: tuple[FormatEstimate, ...]

    @property
    def is_complete(self) -> bool:
        """True where the size of each format is known that can have the rows, and how many these are."""
        return self.rows is not None and all(item.is_known for item in self.formats)

    def to_json(self) -> dict[str, Any]:
        """The estimate as docs/api.md has it."""
        rows = {"rows_at_most": self.rows_at_most} if self.rows is None else {"rows": self.rows}
        without = {} if self.without_geometry is None else {"rows_without_geometry": self.without_geometry}
        return {
            "dataset": self.dataset,
            **rows,
            **without,
            "row_groups": {"read": self.groups, "of": self.groups_in_all},
            "bytes_read": self.bytes_read,
            "formats": [_format_json(item) for item in self.formats],
        }


def _format_json(item: FormatEstimate) -> dict[str, Any]:
    sized = {} if item.size is None else {"bytes": item.size, "exact": item.is_exact}
    answer = {"answer": item.way.value, "reason": item.reason}
    return {"extension": item.format.extension, **sized, **answer}


def estimated_size(
    plan: Plan, sample: Sequence[pa.RecordBatch], schema: pa.Schema, rows: int, folder: Path | None = None
) -> int:
    """The bytes of so many rows in a plan's format, from some of them; exact if these are all.

    Files that have to be made are made in the folder. Raises ColumnUnsupported where a value of the sample
    cannot be written.
    """
    seen = sum(batch.num_rows for batch in sample)
    whole = encoded_size(plan, sample, schema, folder)
    if rows == seen:
        return whole
    empty = encoded_size(plan, (), schema, folder)
    if not seen:
        return empty
    if plan.format.codable or plan.format.layer or rows < seen:
        return empty + (whole - empty) * rows // seen
    group = min(rows, ROW_GROUP_ROWS)
    by_group = (whole - empty) * (group / seen) ** _growth(plan, sample, schema, whole - empty, empty)
    return empty + int(by_group * rows / group)


def encoded_size(
    plan: Plan, batches: Sequence[pa.RecordBatch], schema: pa.Schema, folder: Path | None = None
) -> int:
    """How many bytes a plan's own encoder makes of these rows."""
    with ExitStack() as held:
        encoder = plan.format.open_encoder(
            plan.query.dialect, plan.about, plan.query.shape, Workplace(folder)
        )
        if isinstance(encoder, Layer):
            held.callback(encoder.close)
        chunks = FileChunks(encoder.start(schema), plan.format.joiner)
        size = sum(map(_length, chunks.of(map(encoder.encode, batches))))
        return size + sum(map(_length, chunks.end(encoder)))


def _length(chunk: Chunk) -> int:
    return memoryview(chunk).nbytes


def _growth(plan: Plan, sample: Sequence[pa.RecordBatch], schema: pa.Schema, whole: int, empty: int) -> float:
    """By which power of the rows the bytes of a format grow that compresses itself."""
    rows = sum(batch.num_rows for batch in sample)
    quarter = pa.Table.from_batches(sample, schema).slice(0, rows // 4).to_batches()
    if rows < 4 or not quarter:
        return MOST_GROWTH
    less = encoded_size(plan, quarter, schema) - empty
    if less <= 0 or whole <= 0:
        return MOST_GROWTH
    power = math.log(whole / less) / math.log(rows / (rows // 4))
    return min(max(power, LEAST_GROWTH), MOST_GROWTH)
