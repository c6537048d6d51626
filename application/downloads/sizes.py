"""How many bytes results have in each format: found by writing some of their rows, and kept."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from application.datasets.catalogue import Catalogue
from application.datasets.statistics import Extent
from application.downloads.counts import made
from application.downloads.downloads import Downloads
from application.downloads.findings import Findings
from application.downloads.job import FileChunks, Layer
from application.downloads.plan import Plan
from application.downloads.samples import Sample, Samples, read_as
from application.engine.probe import Probe
from application.engine.scan import Engine
from application.errors import CellTooLarge, DownloadError
from application.formats import Chunk
from application.formats.parquet import ROW_GROUP_ROWS
from application.formats.workplace import Workplace
from application.telemetry import logger

# After which no more formats are written: what was found is there for who asks again.
ENCODE_SECONDS = 4.0
MOST_KEPT = 4096
# How much smaller a row is among many, where a format compresses itself: not without end.
LEAST_GROWTH, MOST_GROWTH = 0.5, 1.0


class Sizes:
    """Finds the sizes of plans' results: bytes, or why a format cannot have the rows; for many threads."""

    def __init__(self, catalogue: Catalogue, downloads: Downloads, engine: Engine, probe: Probe) -> None:
        self._downloads = downloads
        self._samples = Samples(catalogue, engine, probe)
        self._found: Findings[int | str] = Findings(MOST_KEPT)

    def known(self, plan: Plan) -> tuple[int | str | None, bool]:
        """What is known without looking, None for nothing, and whether it is exact."""
        there = made(self._downloads, plan)
        return (there[0], True) if there else (self._found.get(plan.e_tag), False)

    def of(
        self, plans: Sequence[Plan], rows: int | None, at_most: int, extent: Extent
    ) -> Iterator[tuple[Plan, int | str | None]]:
        """Each plan for one query with its size, None for what is not found out in time.

        The result has so many ``rows``, or where that is None ``at_most`` so many.
        """
        samples: dict[str, Sample | None] = {}
        until = time.monotonic() + ENCODE_SECONDS
        # Layers take longer than all others together.
        for plan in sorted(plans, key=lambda plan: plan.format.layer):

            def look(plan: Plan = plan) -> int | str | None:
                if time.monotonic() > until:
                    return None
                read = read_as(plan)
                if read not in samples:
                    samples[read] = self._samples.of(plan, rows, extent)
                return _size(plan, samples[read], rows, at_most, self._downloads.folder)

            yield plan, self._found.find(plan.e_tag, look)


def _size(
    plan: Plan, sample: Sample | None, rows: int | None, at_most: int, folder: Path | None
) -> int | str | None:
    if sample is None or (not sample.batches and rows != 0):
        return None
    if rows is None:
        # As dense as where it was looked.
        rows = at_most * sample.rows // sample.seen if sample.seen else at_most
    try:
        return estimated_size(plan, sample, rows, folder)
    except CellTooLarge as error:
        # With a limit the sample may have other rows than the result.
        return error.anywhere if plan.query.limit is None and not plan.query.offset else None
    except DownloadError:
        return None
    except Exception:  # noqa: BLE001 - what is wrong with one format costs the others nothing
        logger.exception("no estimate of a format", extra={"format": plan.format.extension})
        return None


def estimated_size(plan: Plan, sample: Sample, rows: int, folder: Path | None) -> int:
    """The bytes of so many rows in a plan's format, from some of them; exact if these are all.

    Files that have to be made are made in the folder. Raises ColumnUnsupported where a value of the sample
    cannot be written.
    """
    seen = sample.rows
    whole = _encoded_size(plan, sample.batches, sample.schema, folder)
    if rows == seen:
        return whole
    empty = _encoded_size(plan, (), sample.schema, folder)
    if not seen:
        return empty
    if plan.format.codable or plan.format.layer or rows < seen:
        return empty + (whole - empty) * rows // seen
    group = min(rows, ROW_GROUP_ROWS)
    by_group = (whole - empty) * (group / seen) ** _growth(plan, sample, whole - empty, empty, folder)
    return empty + int(by_group * rows / group)


def _encoded_size(
    plan: Plan, batches: Sequence[pa.RecordBatch], schema: pa.Schema, folder: Path | None
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


def _growth(plan: Plan, sample: Sample, whole: int, empty: int, folder: Path | None) -> float:
    """By which power of the rows the bytes of a format grow that compresses itself."""
    rows = sample.rows
    quarter = pa.Table.from_batches(sample.batches, sample.schema).slice(0, rows // 4).to_batches()
    if rows < 4 or not quarter:
        return MOST_GROWTH
    less = _encoded_size(plan, quarter, sample.schema, folder) - empty
    if less <= 0 or whole <= 0:
        return MOST_GROWTH
    power = math.log(whole / less) / math.log(rows / (rows // 4))
    return min(max(power, LEAST_GROWTH), MOST_GROWTH)
