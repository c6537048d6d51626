"""The use case, for HTTP and for the command line: plan a download, then open its bytes."""

import asyncio
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from application.datasets.catalogue import Catalogue
from application.datasets.checks import PageChecks
from application.datasets.looks import Looks
from application.downloads.answer import Answer, Kind
from application.downloads.conditions import Conditions
from application.downloads.content import Content
from application.downloads.job import DownloadJob
from application.downloads.limits import Limits
from application.downloads.plan import (
    SMALL_BYTES,
    SMALL_SECONDS,
    Carriage,
    Plan,
    Request,
    find_format,
    make_plan,
)
from application.downloads.redirects import Redirects
from application.downloads.stored import StoredObject
from application.engine.scan import Engine
from application.engine.windows import memory_needed
from application.errors import (
    AnswerTooLarge,
    Busy,
    DatasetChanged,
    ResultTooLarge,
    SpoolFull,
    StorageStalled,
)
from application.formats import Format
from application.models import Dataset
from application.production.productions import Productions
from application.storage.base import Storage
from application.storage.lanes import Lanes, outcome
from application.telemetry.tracing import span

NONE = Conditions()


class Downloads:
    """Plans downloads and opens them; owns nothing but what it is given.

    A task waits for storage in the ``lanes``, and for a plan at most ``plan_seconds``.
    """

    def __init__(
        self,
        storage: Storage,
        catalogue: Catalogue,
        engine: Engine,
        productions: Productions,
        checks: PageChecks,
        *,
        lanes: Lanes,
        plan_seconds: float,
        threads: int,
        memory: int,
        folder: Path | None,
        carriage: Carriage,
    ) -> None:
        self._storage = storage
        self._catalogue = catalogue
        self._engine = engine
        self._productions = productions
        self._checks = checks
        self._lanes = lanes
        self._looks: Looks[Dataset] = Looks(lanes)
        self._plan_seconds = plan_seconds
        self._threads = threads
        self._memory = memory
        self._folder = folder
        self._carriage = carriage

    def plan(self, request: Request, *, fresh: bool = False) -> Plan:
        """Fit a request to its dataset; reads metadata only. For a thread that may wait for storage.

        Raises FormatUnknown, DatasetNotFound, DatasetInvalid, QueryInvalid, ColumnUnsupported and
        StorageUnavailable.
        """
        chosen = find_format(request.extension)
        with span("plan", download_dataset=request.name, download_format=request.extension):
            dataset = self._catalogue.get(request.name, fresh=fresh)
            return self._fit(request, dataset, chosen)

    async def planned(self, request: Request, *, fresh: bool = False) -> Plan:
        """As ``plan``, in a task, which shares its look at the dataset with all who ask for it.

        Raises as ``plan``, and StorageStalled after ``plan_seconds``. The look goes on, for who asks again.
        """
        chosen = find_format(request.extension)
        with span("plan", download_dataset=request.name, download_format=request.extension):
            dataset = await self._find(request.name, fresh)
            return await asyncio.to_thread(self._fit, request, dataset, chosen)

    def _fit(self, request: Request, dataset: Dataset, chosen: Format) -> Plan:
        self._checks.begin(dataset)
        return make_plan(request, dataset, chosen, self._carriage)

    async def _find(self, name: str, fresh: bool) -> Dataset:
        known = self._catalogue.known(name)
        if known and not fresh:
            return known
        since = time.monotonic() - (0 if fresh else self._catalogue.max_age)
        # What a look finds is new to all who join it, so it takes nothing that is known for it.
        look = self._looks.join(name, partial(self._catalogue.get, name, fresh=True), since)
        try:
            return await outcome(look, self._plan_seconds)
        except TimeoutError:
            raise StorageStalled(
                "The dataset's storage takes too long to tell what the dataset is; try again."
            ) from None

    def wait(self, plan: Plan) -> None:
        """Where each first answer waits for the check of its pages, wait; raises as that does."""
        if checked := self._checks.begin(plan.dataset):
            checked.result()

    def open(self, plan: Plan) -> Content:
        """A plan's bytes, which others who ask for the same ETag share; blocks on no I/O.

        Raises Stopping, and ResultTooLarge where the rows can never be read here.
        """
        if plan.is_native:
            dataset, make_room = plan.dataset, self._productions.make_room
            return StoredObject(
                self._storage,
                dataset.objects[0],
                dataset.rows,
                self._folder,
                make_room=make_room,
                in_thread=partial(self._lanes.run, read_lane(dataset)),
                check=lambda: self._checks.check(dataset),
            )
        return self._productions.join(plan.e_tag, lambda: self._job(plan), plan.dataset.e_tag)

    def _job(self, plan: Plan) -> DownloadJob:
        memory = memory_needed(plan.dataset, plan.query, self._threads)
        if memory > self._memory:
            vectors = plan.dataset.extents.vectors
            widest = max(plan.query.columns_read, key=lambda column: vectors.get(column.name, 0))
            raise ResultTooLarge(
                f"The rows need {-(-memory >> 20)} MiB to read, and this service has "
                f"{self._memory >> 20} MiB; column {widest.name!r} needs most: choose others with "
                f"field=NAME, or leave it out with exclude_field={widest.name}."
            )
        return DownloadJob(plan, self._engine, self._catalogue, memory)

    def kept(self, plan: Plan) -> Content | None:
        """A plan's bytes if they are whole already; makes nothing."""
        return self.open(plan) if plan.is_native else self._productions.kept(plan.e_tag)

    def head(self, plan: Plan, conditions: Conditions) -> Answer:
        """What can be told of a plan without making it; raises PreconditionFailed."""
        if conditions.is_not_modified(plan.validators):
            return Answer(Kind.NOT_MODIFIED, plan)
        return Answer(Kind.CONTENT, plan, self.kept(plan))

    async def start(
        self,
        request: Request,
        plan: Plan,
        conditions: Conditions = NONE,
        limits: Limits | None = None,
        redirects: Redirects | None = None,
    ) -> Answer:
        """Answer a plan with its bytes, once the first are there; all of them within ``limits``, or if few.

        A change of the data found by then means one more plan over the new version, on which the
        conditions are evaluated again. Raises what the production raises, PreconditionFailed,
        RangeNotSatisfiable, AnswerTooLarge where the whole has no place or is beyond the limits, and
        SpoolFull where it may have a place later.
        """
        try:
            return await self._answer(request, plan, conditions, limits, redirects)
        except DatasetChanged:
            plan = await self.planned(request, fresh=True)
        return await self._answer(request, plan, conditions, limits, redirects)

    async def _answer(
        self,
        request: Request,
        plan: Plan,
        conditions: Conditions,
        limits: Limits | None,
        redirects: Redirects | None,
    ) -> Answer:
        if conditions.is_not_modified(plan.validators):
            return Answer(Kind.NOT_MODIFIED, plan)
        if checked := self._checks.begin(plan.dataset):
            await _over(checked, limits)
        if redirects and redirects.may_find(plan, limits):
            url = await self._lanes.run(read_lane(plan.dataset), partial(redirects.find, plan))
            if url is not None:
                return Answer(Kind.REDIRECT, plan, location=url)
        content = self.open(plan)
        try:
            return Answer(Kind.CONTENT, plan, content, await _prepare(plan, content, conditions, limits))
        except BaseException as error:
            content.close()
            if not (redirects and isinstance(error, AnswerTooLarge | SpoolFull)):
                raise
            url = await self._lanes.run(read_lane(plan.dataset), partial(redirects.instead, request, plan))
            if url is None:
                raise
        return Answer(Kind.REDIRECT, plan, location=url)


def read_lane(dataset: Dataset) -> str:
    """The lane for reading a dataset; looks at it have another, which what is in the spool needs too."""
    return f"{dataset.name}/"


async def _over(checked: Future[None], limits: Limits | None) -> None:
    """Wait for a check, without a thread, which others need meanwhile; raises as it does, and Busy."""
    try:
        await outcome(checked, limits.seconds_left if limits else None)
    except TimeoutError:
        raise Busy("The dataset's pages are still being checked; try again later.") from None


async def _prepare(
    plan: Plan, content: Content, conditions: Conditions, limits: Limits | None
) -> tuple[int, int] | None:
    """Have ready what will be sent, or raise; returns the part [start, end) that it is cut to."""
    if limits is None:
        await content.settle(SMALL_BYTES if plan.may_be_small else 0, SMALL_SECONDS)
        part = _cut(plan, content, conditions)
        await content.ready()
        return part
    try:
        async with asyncio.timeout(limits.seconds_left):
            await content.settle()
            part = _cut(plan, content, conditions)
            if content.left is not None:
                limits.check(content.left)
            await content.hold()
            await content.ready()
    except TimeoutError:
        too_slow = "Making the result takes longer than an answer may take here."
        raise AnswerTooLarge(f"{too_slow} {plan.advice}") from None
    except AnswerTooLarge as error:
        raise AnswerTooLarge(f"{error} {plan.advice}") from error
    return part


def _cut(plan: Plan, content: Content, conditions: Conditions) -> tuple[int, int] | None:
    """Cut the content to the range that is asked for, where its size is known by now."""
    part = None if content.size is None else conditions.part(plan.validators, content.size)
    if part:
        content.cut(*part)
    return part
