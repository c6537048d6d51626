"""Estimates of downloads: bounded in time, a few at once, and kept for who asks again."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

from application.datasets.catalogue import Catalogue
from application.downloads.areas import NOWHERE, Located
from application.downloads.counts import Counts, cut
from application.downloads.downloads import Downloads
from application.downloads.estimate import Estimate, FormatEstimate
from application.downloads.glimpse import Glimpse
from application.downloads.plan import Plan, Request, find_format
from application.downloads.refusals import excess_of
from application.downloads.sizes import Sizes
from application.downloads.ways import Way, Ways
from application.engine.probe import Probe
from application.engine.scan import Engine
from application.errors import Busy, DatasetInvalid, DownloadError, QueryInvalid
from application.formats import FORMATS, Format
from application.models import Dataset, Query
from application.storage.lanes import Lanes, outcome

# For all of it, storage's own slowness too.
MOST_SECONDS = 10.0
BUSY = "Others are being estimated, or this takes too long; try again later."
# In the whole process; of one dataset one.
AT_ONCE = 2


class Estimates:
    """Tells what downloads would be; for tasks, which hold no thread while they wait."""

    def __init__(
        self, catalogue: Catalogue, downloads: Downloads, engine: Engine, probe: Probe, ways: Ways
    ) -> None:
        self._catalogue = catalogue
        self._downloads = downloads
        self._counts = Counts(catalogue, downloads, engine, probe)
        self._sizes = Sizes(catalogue, downloads, engine, probe)
        self._ways = ways
        self._lanes = Lanes(AT_ONCE, 1)
        # Of who waits on the event loop alone; gone with the work.
        self._glimpses: dict[tuple[Request, str], Glimpse] = {}

    async def find(self, request: Request) -> Estimate:
        """The estimate of a download in its format, or in all for no extension.

        Raises as ``Downloads.plan``, and Busy where it takes too long.
        """
        dataset = await self._downloads.find(request.name)
        work = self.begin(request, dataset, await self._downloads.located(request))
        try:
            return await outcome(work, MOST_SECONDS)
        except TimeoutError:
            raise Busy(BUSY) from None
        finally:
            work.cancel()

    async def soon(self, request: Request, seconds: float, most: float) -> tuple[Estimate, bool]:
        """What is known after so many seconds, of one format by ``most`` seconds, and whether that is all.

        The rest is found meanwhile, while nobody waits, for who asks again. While others are estimated it is
        what is remembered. Raises as ``find``.
        """
        dataset = await self._downloads.find(request.name)
        try:
            async with asyncio.timeout(most):
                located = await self._downloads.located(request)
        except TimeoutError:
            raise Busy(BUSY) from None
        glimpse = self._glimpse(request, dataset, located)
        with suppress(TimeoutError):
            async with asyncio.timeout(most):
                await glimpse.wait(seconds)
        if glimpse.found is None:
            steps = self._steps(request, dataset, located, counts=False)
            found = await asyncio.to_thread(next, steps)
            return found, found.is_complete
        return glimpse.found, glimpse.is_whole

    def _glimpse(self, request: Request, dataset: Dataset, located: Located) -> Glimpse:
        """A glimpse of an estimate that is being made, else of one that begins now."""
        key = (request, dataset.e_tag)
        if (known := self._glimpses.get(key)) is not None:
            return known
        glimpse = Glimpse()
        steps = self._steps(request, dataset, located)
        glimpse.work = self._lanes.begin(dataset.name, lambda: glimpse.follow(steps, self._lanes))
        self._glimpses[key] = glimpse
        glimpse.work.add_done_callback(lambda _: self._glimpses.pop(key, None))
        return glimpse

    def begin(self, request: Request, dataset: Dataset, located: Located = NOWHERE) -> "Future[Estimate]":
        """Begin to estimate a download of a dataset that is known, and of rows that its areas name.

        Raises Busy without any thread.
        """
        return self._lanes.begin(dataset.name, lambda: self._finished(request, dataset, located))

    def close(self, seconds: float) -> None:
        """Estimate nothing more, and wait so long for what runs: it may be inside the engine."""
        self._lanes.close(seconds)

    def now(self, request: Request) -> Estimate:
        """The same for a thread that may wait for storage."""
        located = self._downloads.locate(request)
        return self._finished(request, self._catalogue.get(request.name), located)

    def known_rows(self, plan: Plan) -> int | None:
        """How many rows a plan's result has, where that is known without looking."""
        return self._counts.known(plan)

    def _finished(self, request: Request, dataset: Dataset, located: Located) -> Estimate:
        *_, found = self._steps(request, dataset, located)
        return found

    def _steps(
        self, request: Request, dataset: Dataset, located: Located, *, counts: bool = True
    ) -> Iterator[Estimate]:
        """What is known once rows are counted, or without that, and again with the size of each format."""
        formats = [find_format(request.extension)] if request.extension else list(FORMATS.values())
        plans, refused = self._plans(request, dataset, formats, located)
        query = plans[0].query if plans else Query(dataset.columns)
        extent = self._catalogue.extent(dataset, query)
        rows, without = self._counts.of(plans) if counts else self._counts.remembered(plans)
        if not plans:
            rows = dataset.rows
        for plan in plans:
            if excess := excess_of(plan.format, rows):
                refused[plan.format.extension] = FormatEstimate(plan.format, Way.REFUSED, excess)
        plans = [plan for plan in plans if plan.format.extension not in refused]
        at_most = cut(query, min(extent.rows, dataset.rows))
        known = {plan.format.extension: self._remembered(plan) for plan in plans}

        def estimate() -> Estimate:
            return Estimate(
                dataset.name,
                rows,
                at_most,
                without,
                len(extent.groups),
                extent.count,
                extent.size,
                tuple(known.get(row.extension) or refused[row.extension] for row in formats),
            )

        yield estimate()
        left = [plan for plan in plans if not known[plan.format.extension].is_known]
        for plan, size in self._sizes.of(left, rows, at_most, extent):
            known[plan.format.extension] = self._told(plan, size, is_exact=False)
            yield estimate()

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

    def _remembered(self, plan: Plan) -> FormatEstimate:
        size, is_exact = self._sizes.known(plan)
        return self._told(plan, size, is_exact=is_exact)

    def _told(self, plan: Plan, size: int | str | None, *, is_exact: bool) -> FormatEstimate:
        if isinstance(size, str):
            return FormatEstimate(plan.format, Way.REFUSED, size)
        if is_exact and not plan.is_native:
            way, reason = Way.WHOLE, "It is there already."
        else:
            way, reason = self._ways.of(plan, size, self._downloads.most_kept)
        return FormatEstimate(plan.format, way, reason, size, is_exact)
