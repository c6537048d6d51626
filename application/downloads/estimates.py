"""Estimates of downloads: bounded in time, a few at once, and kept for who asks again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from application.datasets.catalogue import Catalogue
from application.datasets.statistics import Extent, Group
from application.downloads.areas import NOWHERE, Located
from application.downloads.downloads import Downloads
from application.downloads.estimate import Estimate, FormatEstimate, Way, estimated_size
from application.downloads.plan import SMALL_BYTES, Plan, Request, excess_of, find_format
from application.downloads.within import within
from application.engine.cancellation import Cancellation
from application.engine.conform import output_schema
from application.engine.probe import Probe, has_windows
from application.engine.scan import Engine
from application.errors import Busy, DatasetInvalid, DownloadError, ProductionCancelled, QueryInvalid
from application.formats import FORMATS, Format
from application.models import Dataset, Query
from application.storage.lanes import Lanes, outcome
from application.telemetry import logger

# For counting the rows, and for reading some of them.
COUNT_SECONDS, SAMPLE_SECONDS = 2.0, 1.5
# For all of it, storage's own slowness too.
MOST_SECONDS = 10.0
# So many rows are all encoded; of more a sample is, up to so many rows or bytes.
ALL_ROWS = 20_000
SAMPLE_ROWS, SAMPLE_BYTES = 32_768, 4 << 20
# After which no more formats are written: what was found is there for who asks again.
ENCODE_SECONDS = 4.0
WINDOW_ROWS = 4096
MOST_KEPT = 256
# In the whole process; of one dataset one.
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What decides how downloads are answered here: the most bytes of an answer, and what is beyond it.

    ``is_whole``: every result is made whole before its headers. ``most_bytes`` is None for no limit.
    """

    is_whole: bool
    most_bytes: int | None
    has_exports: bool


@dataclass(frozen=True, slots=True)
class _Sample:
    """Some rows of a query, or all; ``seen`` are the rows among which they were found."""

    schema: pa.Schema
    batches: tuple[pa.RecordBatch, ...]
    seen: int

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.batches)


class Estimates:
    """Tells what downloads would be; for tasks, which hold no thread while they wait."""

    def __init__(
        self, catalogue: Catalogue, downloads: Downloads, engine: Engine, probe: Probe, limits: Limits
    ) -> None:
        self._catalogue = catalogue
        self._downloads = downloads
        self._engine = engine
        self._probe = probe
        self._limits = limits
        self._lanes = Lanes(AT_ONCE, 1)
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, int | None] = OrderedDict()
        self._sizes: OrderedDict[str, int | None] = OrderedDict()

    async def find(self, request: Request) -> Estimate:
        """The estimate of a download in its format, or in all for no extension.

        Raises as ``Downloads.plan``, and Busy where it takes too long.
        """
        dataset = await self._downloads.find(request.name)
        work = self.begin(request, dataset, await self._downloads.located(request))
        try:
            return await outcome(work, MOST_SECONDS)
        except TimeoutError:
            raise Busy("Others are being estimated, or this takes too long; try again later.") from None
        finally:
            work.cancel()

    def begin(self, request: Request, dataset: Dataset, located: Located = NOWHERE) -> "Future[Estimate]":
        """Begin to estimate a download of a dataset that is known, and of rows that its areas name.

        Raises Busy without any thread.
        """
        return self._lanes.begin(dataset.name, lambda: self.of(request, dataset, _formats(request), located))

    def close(self, seconds: float) -> None:
        """Estimate nothing more, and wait so long for what runs: it may be inside the engine."""
        self._lanes.close(seconds)

    def now(self, request: Request) -> Estimate:
        """The same for a thread that may wait for storage."""
        located = self._downloads.locate(request)
        return self.of(request, self._catalogue.get(request.name), _formats(request), located)

    def known_rows(self, plan: Plan) -> int | None:
        """How many rows a plan's result has, where that is known without looking."""
        if (known := plan.query.known_rows(plan.dataset)) is not None:
            return known
        with self._lock:
            counted = self._counts.get(plan.e_tag)
        return None if counted is None else _cut(plan.query, counted)

    def of(
        self,
        request: Request,
        dataset: Dataset,
        formats: Sequence[Format],
        located: Located = NOWHERE,
    ) -> Estimate:
        """The same of a dataset that is known."""
        plans, refused = self._plans(request, dataset, formats, located)
        query = plans[0].query if plans else Query(dataset.columns)
        extent = self._catalogue.extent(dataset, query)
        rows = self._rows(plans, dataset, query, extent)
        for plan in plans:
            if excess := excess_of(plan.format, rows):
                refused[plan.format.extension] = FormatEstimate(plan.format, Way.REFUSED, excess)
        plans = [plan for plan in plans if plan.format.extension not in refused]
        at_most = _cut(query, min(extent.rows, dataset.rows))
        sizes = self._all_sizes(plans, dataset, rows, at_most, extent)
        known = {plan.format.extension: self._told(plan, *sizes[plan.format.extension]) for plan in plans}
        return Estimate(
            dataset.name,
            rows,
            at_most,
            len(extent.groups),
            extent.count,
            extent.size,
            tuple(known.get(row.extension) or refused[row.extension] for row in formats),
        )

    def _plans(
        self, request: Request, dataset: Dataset, formats: Sequence[Format], located: Located
    ) -> tuple[list[Plan], dict[str, FormatEstimate]]:
        """What fits the dataset, and of the other formats why not; raises where no format fits."""
        plans: list[Plan] = []
        refused: dict[str, FormatEstimate] = {}
        first: DownloadError | None = None
        for row in formats:
            try:
                plan = self._downloads.fit(replace(request, extension=row.extension), dataset, row, located)
                if not plan.is_native:
                    self._downloads.memory_for(plan)
                plans.append(plan)
            except DownloadError as error:
                first = first or error
                refused[row.extension] = FormatEstimate(row, Way.REFUSED, str(error))
        if first and not plans and isinstance(first, QueryInvalid | DatasetInvalid):
            raise first
        return plans, refused

    def _rows(self, plans: Sequence[Plan], dataset: Dataset, query: Query, extent: Extent) -> int | None:
        """How many rows there are, if that is found out in time."""
        if (known := query.known_rows(dataset)) is not None:
            return known
        for plan in plans:
            if (made := self._made(plan)) and made[1] is not None:
                return made[1]
        key = plans[0].e_tag if plans else ""
        counted = self._remembered(self._counts, key, lambda: self._count(plans[0]) if plans else None)
        return None if counted is None else _cut(query, counted)

    def _count(self, plan: Plan) -> int | None:
        """How many rows meet a plan's conditions, if that is found out in time."""
        dataset, query = plan.dataset, plan.query
        parts = self._catalogue.matching(dataset, query)
        with within(COUNT_SECONDS) as cancellation, suppress(DownloadError):
            if not parts:
                return 0
            if not query.areas:
                return self._probe.count(dataset, query, cancellation, parts)
            # Which rows are in an area only those tell that have passed its test.
            bare = replace(query, columns=query.columns[:1], order=(), limit=None, offset=0, shape=None)
            with closing(self._engine.batches(dataset, bare, cancellation, parts, plan.tests)) as batches:
                return sum(batch.num_rows for batch in batches)
        return None

    def _made(self, plan: Plan) -> tuple[int, int | None] | None:
        """Bytes and rows of a result that is there, or of the stored object."""
        content = self._downloads.kept(plan)
        if content is None:
            return None
        with content:
            return None if content.size is None else (content.size, content.rows)

    def _all_sizes(
        self, plans: Sequence[Plan], dataset: Dataset, rows: int | None, at_most: int, extent: Extent
    ) -> dict[str, tuple[int | None, bool]]:
        """The bytes of each plan's result, and whether they are exact."""
        sizes: dict[str, tuple[int | None, bool]] = {}
        samples: dict[str, _Sample | None] = {}
        until = time.monotonic() + ENCODE_SECONDS
        for plan in plans:
            if made := self._made(plan):
                sizes[plan.format.extension] = (made[0], True)
                continue

            def estimate(plan: Plan = plan) -> int | None:
                if time.monotonic() > until:
                    return None
                read = _read_as(plan)
                if read not in samples:
                    samples[read] = self._sample(plan, dataset, rows, extent)
                return _sized(plan, samples[read], rows, at_most, self._downloads.folder)

            sizes[plan.format.extension] = (self._remembered(self._sizes, plan.e_tag, estimate), False)
        return sizes

    def _sample(self, plan: Plan, dataset: Dataset, rows: int | None, extent: Extent) -> _Sample | None:
        """Rows to encode: all where they are few, else some from here and there."""
        with within(SAMPLE_SECONDS) as cancellation, suppress(DownloadError):
            # Which rows come first is much work, and nothing to the bytes of all.
            loose = plan.query if plan.query.limit is not None else replace(plan.query, order=())
            dataset, query = self._engine.settled(dataset, loose, cancellation, wkt=plan.format.wkt)
            schema = output_schema(dataset, query)
            is_few = rows is not None and rows <= ALL_ROWS
            if is_few or query.areas or not has_windows(dataset, query):
                return self._first_rows(replace(plan, dataset=dataset, query=query), cancellation, schema)
            by_path = {part.meta.path: part for part in dataset.parts}
            found: list[pa.RecordBatch] = []
            seen = 0
            with suppress(ProductionCancelled):
                for group in _spread(extent.groups):
                    part = by_path[group.part.meta.path]
                    found += self._probe.rows(dataset, query, cancellation, part, (group.start, group.end))
                    seen += group.end - group.start
                    if _is_enough(found):
                        break
            return _Sample(schema, tuple(found), seen)
        return None

    def _first_rows(self, plan: Plan, cancellation: Cancellation, schema: pa.Schema) -> _Sample:
        dataset, query = plan.dataset, plan.query
        few = replace(query, limit=min(ALL_ROWS, ALL_ROWS if query.limit is None else query.limit))
        parts = self._catalogue.matching(dataset, query)
        found: list[pa.RecordBatch] = []
        with closing(self._engine.batches(dataset, few, cancellation, parts, plan.tests)) as batches:
            for batch in batches:
                found.append(batch)
                if _is_enough(found):
                    break
        return _Sample(schema, tuple(found), 0)

    def _told(self, plan: Plan, size: int | None, is_exact: bool) -> FormatEstimate:
        is_there = is_exact and not plan.is_native
        way, reason = (Way.WHOLE, "It is there already.") if is_there else self._way(plan, size)
        return FormatEstimate(plan.format, way, reason, size, is_exact)

    def _way(self, plan: Plan, size: int | None) -> tuple[Way, str]:
        limits, kept = self._limits, self._downloads.most_kept
        if limits.most_bytes is not None and size is not None and size > limits.most_bytes:
            told = f"An answer here may have {limits.most_bytes:,} bytes"
            if limits.has_exports:
                return Way.EXPORT, f"{told}; the result is made into a bucket, and redirected to."
            return Way.REFUSED, f"{told}. {plan.advice}"
        if plan.is_native:
            return Way.STORED, "It is the stored object itself."
        if plan.format.whole and size is not None and size > kept:
            told = f"It is made whole first, and {kept:,} bytes can be kept here"
            if limits.has_exports:
                return Way.EXPORT, f"{told}; it is made into a bucket, and redirected to."
            return Way.REFUSED, f"{told}. {plan.advice}"
        if limits.is_whole:
            return Way.WHOLE, "Every result here is made whole before it is sent."
        if plan.format.random_access and kept:
            if size is not None and size > kept:
                told = f"It is larger than the {kept:,} bytes that can be kept here"
                if not plan.format.whole:
                    return Way.STREAM, f"{told}."
                if limits.has_exports:
                    return Way.EXPORT, f"{told}; the result is made into a bucket, and redirected to."
                return Way.REFUSED, f"{told}. {plan.advice}"
            quick = "" if plan.format.whole else ", if that is quick"
            return Way.WHOLE, f"Its readers seek, so it is made whole before it is sent{quick}."
        if size is not None and size <= SMALL_BYTES and plan.may_be_small:
            return Way.WHOLE, "It is small."
        return Way.STREAM, "It is sent as it is made."

    def _remembered(
        self,
        memory: "OrderedDict[str, int | None]",
        key: str,
        find: Callable[[], int | None],
    ) -> int | None:
        """What was found for a plan's ETag; what could not be found is looked for again."""
        with self._lock:
            if (known := memory.get(key)) is not None:
                memory.move_to_end(key)
                return known
        found = find()
        with self._lock:
            memory[key] = found
            while len(memory) > MOST_KEPT * len(FORMATS):
                memory.popitem(last=False)
        return found


def _read_as(plan: Plan) -> str:
    """What decides the rows that an encoder is given: equal for formats that are written of the same ones."""
    has_wkb = any(column.traits.geometry for column in plan.query.columns)
    return repr((replace(plan.query, dialect=None).identity(), has_wkb and plan.format.wkt, plan.query.shape))


def _sized(
    plan: Plan, sample: _Sample | None, rows: int | None, at_most: int, folder: Path | None
) -> int | None:
    if sample is None or (not sample.batches and rows != 0):
        return None
    if rows is None:
        # As dense as where it was looked.
        rows = at_most * sample.rows // sample.seen if sample.seen else at_most
    try:
        return estimated_size(plan, sample.batches, sample.schema, rows, folder)
    except DownloadError:
        return None
    except Exception:  # noqa: BLE001 - what is wrong with one format costs the others nothing
        logger.exception("no estimate of a format", extra={"format": plan.format.extension})
        return None


def _formats(request: Request) -> list[Format]:
    return [find_format(request.extension)] if request.extension else list(FORMATS.values())


def _cut(query: Query, rows: int) -> int:
    """How many of so many rows offset and limit leave."""
    left = max(0, rows - query.offset)
    return left if query.limit is None else min(left, query.limit)


def _is_enough(batches: Sequence[pa.RecordBatch]) -> bool:
    rows = sum(batch.num_rows for batch in batches)
    return rows >= SAMPLE_ROWS or sum(batch.nbytes for batch in batches) >= SAMPLE_BYTES


def _spread(groups: Sequence[Group]) -> Iterator[Group]:
    """Windows of row groups, each next one far from those before it."""
    windows = [
        Group(group.part, start, min(start + WINDOW_ROWS, group.end))
        for group in groups
        for start in range(group.start, group.end, WINDOW_ROWS)
    ]
    bits = max(len(windows) - 1, 0).bit_length()
    order = sorted(range(len(windows)), key=lambda place: int(f"{place:0{bits or 1}b}"[::-1], 2))
    return (windows[place] for place in order)
