"""The use case, for HTTP and for the command line: plan a download, then open its bytes."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from application.datasets.catalogue import Catalogue
from application.datasets.checks import PageChecks
from application.datasets.looks import Looks
from application.downloads.answer import Answer, Kind
from application.downloads.areas import NOWHERE, Located, Locations, Reference, Row, invalid, references
from application.downloads.content import Content
from application.downloads.job import DownloadJob, staged_bytes
from application.downloads.plan import Carriage, Plan, Request, make_plan
from application.downloads.preparation import Whole, prepare
from application.downloads.redirects import Redirects
from application.downloads.stored import StoredObject
from application.downloads.terms import Manner, Terms
from application.engine.scan import Engine
from application.engine.windows import memory_needed
from application.errors import (
    AnswerTooLarge,
    Busy,
    DatasetChanged,
    DatasetNotFound,
    ExportPending,
    FormatUnavailable,
    NotMadeYet,
    ResultTooLarge,
    SpoolFull,
    StorageStalled,
)
from application.formats import Format
from application.models import Dataset
from application.production.claim import Claim
from application.production.productions import READ, Productions
from application.storage.base import Storage
from application.storage.lanes import Lanes, outcome
from application.telemetry.tracing import span

PLAIN = Terms()
# How often it is looked whether an export is there.
LOOK_SECONDS = 0.5
# The ways of answering that wait for the whole.
WAITS = (Manner.SEEK, Manner.WHOLE)


class Downloads:
    """Plans downloads and opens them; owns nothing but what it is given.

    A task waits for storage in the ``lanes``, for a plan at most ``plan_seconds``, and for a result that is
    to be whole at most ``whole_seconds``. ``check_layers`` raises Busy where there is too little for GDAL.
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
        whole_seconds: float,
        check_layers: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
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
        self._whole = Whole(whole_seconds, productions.most_kept)
        self._check_layers = check_layers
        self._now = now
        self._locations = Locations(engine)

    def plan(self, request: Request, *, fresh: bool = False) -> Plan:
        """Fit a request to its dataset; reads metadata only. For a thread that may wait for storage.

        Raises FormatUnknown, FormatUnavailable, DatasetNotFound, DatasetInvalid, QueryInvalid,
        ColumnUnsupported and StorageUnavailable.
        """
        chosen = request.format
        with span("plan", download_dataset=request.name, download_format=request.extension):
            dataset = self._catalogue.get(request.name, fresh=fresh)
            return self.fit(request, dataset, chosen, self.locate(request))

    def locate(self, request: Request) -> Located:
        """The rows of other datasets that a request's areas name; raises as ``plan``."""
        rows = {
            reference: self._row(parameter, reference)
            for reference, parameter in references(request.parameters).items()
        }
        return Located(rows, self._locations)

    async def planned(self, request: Request, *, fresh: bool = False) -> Plan:
        """As ``plan``, in a task, which shares its look at the dataset with all who ask for it.

        Raises as ``plan``, and StorageStalled after ``plan_seconds``. The look goes on, for who asks again.
        """
        chosen = request.format
        with span("plan", download_dataset=request.name, download_format=request.extension):
            dataset = await self.find(request.name, fresh=fresh)
            located = await self.located(request)
            return await asyncio.to_thread(self.fit, request, dataset, chosen, located)

    def fit(self, request: Request, dataset: Dataset, chosen: Format, located: Located = NOWHERE) -> Plan:
        """Fit a request to a dataset and a format that were found; raises as ``plan``."""
        if chosen.spooled and self._folder is None:
            raise FormatUnavailable(
                f"{chosen.extension} is made in a folder, which this service has not (SPOOL_DIR is off): "
                "choose another format, such as csv, json or parquet."
            )
        self._checks.begin(dataset)
        return make_plan(request, dataset, chosen, self._now(), self._carriage, located=located)

    async def located(self, request: Request) -> Located:
        """As ``locate``, in a task; raises as ``planned``."""
        rows = {}
        for reference, parameter in references(request.parameters).items():
            try:
                dataset = await self.find(reference[0])
            except DatasetNotFound as error:
                raise invalid(parameter, error) from error
            look = partial(self._row, parameter, reference, dataset)
            try:
                rows[reference] = await outcome(
                    self._lanes.begin(read_lane(dataset), look), self._plan_seconds
                )
            except TimeoutError:
                raise StorageStalled("Finding the area takes too long; try again.") from None
        return Located(rows, self._locations)

    def _row(self, parameter: str, reference: Reference, dataset: Dataset | None = None) -> Row:
        """The row that an area names; reads its dataset, and finds it where it is not given."""
        name, text = reference
        try:
            return self._locations.row(dataset or self._catalogue.get(name), text, self._now().date())
        except (DatasetNotFound, ValueError) as error:
            raise invalid(parameter, error) from error

    async def find(self, name: str, *, fresh: bool = False) -> Dataset:
        """The dataset of that name, in a task, which shares its look with all who ask for it.

        Raises DatasetNotFound, DatasetInvalid and StorageUnavailable, and StorageStalled after
        ``plan_seconds``. The look goes on, for who asks again.
        """
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

    def open(self, plan: Plan, claim: Claim = READ) -> Content:
        """A plan's bytes, which others who ask for the same ETag share; blocks on no I/O.

        Raises Stopping, ResultTooLarge where the rows can never be read here, and Busy where the claim does
        not allow a new production.
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
        return self._productions.join(plan.e_tag, lambda: self._job(plan), plan.dataset.e_tag, claim)

    def memory_for(self, plan: Plan) -> int:
        """The bytes that making a plan's rows needs; raises ResultTooLarge beyond what there is, and Busy."""
        if plan.format.layer:
            self._check_layers()
        memory = memory_needed(plan.dataset, plan.query, self._threads)
        if memory > self._memory:
            vectors = plan.dataset.extents.vectors
            widest = max(plan.query.columns_read, key=lambda column: vectors.get(column.name, 0))
            raise ResultTooLarge(
                f"The rows need {-(-memory >> 20)} MiB to read, and this service has "
                f"{self._memory >> 20} MiB; column {widest.name!r} needs most: choose others with "
                f"field=NAME, or leave it out with exclude_field={widest.name}."
            )
        return memory

    def _job(self, plan: Plan) -> DownloadJob:
        memory = self.memory_for(plan)
        # Encoding takes more than a read: a second one pays where there are cores to spare for both.
        cursors = max(1, self._threads // 2)
        while memory + (ahead := self._engine.ahead_bytes(plan.dataset, plan.query, cursors)) > self._memory:
            cursors -= 1
        # What would fit alone is not refused for what its stages hold.
        memory = min(self._memory, memory + ahead + staged_bytes(plan))
        return DownloadJob(plan, self._engine, self._catalogue, memory, self._threads, cursors, self._folder)

    @property
    def folder(self) -> Path | None:
        """Where files are made, if there is a place."""
        return self._folder

    @property
    def most_kept(self) -> int:
        """The most bytes of a result that is made whole for readers that seek; 0 where none is."""
        return self._whole.most_bytes

    def kept(self, plan: Plan) -> Content | None:
        """A plan's bytes if they are whole already; makes nothing."""
        return self.open(plan) if plan.is_native else self._productions.kept(plan.e_tag)

    def makes(self, plan: Plan, terms: Terms) -> bool:
        """True where the answer has to wait for bytes that are not whole yet; raises PreconditionFailed."""
        if terms.conditions.is_not_modified(plan.validators) or self._manner(plan, terms) is Manner.TELL:
            return False
        with self.kept(plan) or nullcontext() as content:
            return content is None

    async def start(
        self, request: Request, plan: Plan, terms: Terms = PLAIN, redirects: Redirects | None = None
    ) -> Answer:
        """Answer a plan with its bytes, once the first are there; all of them within the limits, or if few.

        A change of the data found by then means one more plan over the new version, on which the
        conditions are evaluated again. Raises what the production raises, PreconditionFailed,
        RangeNotSatisfiable, AnswerTooLarge where the whole has no place or is beyond the limits, and
        NotMadeYet and Busy where it is wanted at once, and SpoolFull where it may have a place later.
        """
        try:
            return await self._answer(request, plan, terms, redirects)
        except DatasetChanged:
            plan = await self.planned(request, fresh=True)
        return await self._answer(request, plan, terms, redirects)

    async def _answer(
        self, request: Request, plan: Plan, terms: Terms, redirects: Redirects | None
    ) -> Answer:
        if terms.conditions.is_not_modified(plan.validators):
            return Answer(Kind.NOT_MODIFIED, plan)
        manner = self._manner(plan, terms)
        if manner is not Manner.TELL and (checked := self._checks.begin(plan.dataset)):
            await _over(checked, self._whole.seconds_for(terms) if manner in WAITS else terms.seconds_left)
        url = await self._elsewhere(request, plan, terms, manner, redirects) if redirects else None
        if url is not None:
            return Answer(Kind.REDIRECT, plan, location=url)
        has_ranges = plan.is_native or terms.most_bytes is None or bool(redirects and redirects.has_exports)
        with ExitStack() as stack:
            content = self.kept(plan) if manner is Manner.TELL else self.open(plan, terms.claim(manner))
            if content is None:
                return Answer(Kind.CONTENT, plan)
            stack.enter_context(content)
            try:
                part = await prepare(plan, content, terms, manner, self._whole)
            except NotMadeYet:
                # Who is told to ask again finds it made, or still being made.
                self._productions.hold(plan.e_tag, terms.hold)
                raise
            except (AnswerTooLarge, SpoolFull) as error:
                url = await self._instead(request, plan, terms, redirects) if redirects else None
                if url is not None:
                    return Answer(Kind.REDIRECT, plan, location=url)
                streams = manner is Manner.SEEK and not (terms.limits or plan.format.whole)
                if isinstance(error, SpoolFull) or not streams:
                    raise
                if terms.is_head:
                    # As what is asked for then: it streams.
                    return Answer(Kind.CONTENT, plan)
                if not terms.conditions.if_range:
                    raise AnswerTooLarge(f"{error} Without Range it is sent as it is made.") from error
                part = None
            stack.pop_all()
        return Answer(Kind.CONTENT, plan, content, part, has_ranges)

    def _manner(self, plan: Plan, terms: Terms) -> Manner:
        if plan.is_native or not self._whole.most_bytes:
            # There is nothing to make, or no place where it could be made whole for the next request.
            return Manner.TELL if terms.is_head else Manner.READ
        return terms.manner(plan, is_begun=self._productions.has(plan.e_tag))

    async def _elsewhere(
        self, request: Request, plan: Plan, terms: Terms, manner: Manner, redirects: Redirects
    ) -> str | None:
        """Where the client is sent before anything is made here, or None.

        For an export that others will ask for parts of it is waited as for a result that is made here.
        """
        if manner is not Manner.SEEK or not redirects.has_parts(terms):
            if not redirects.may_find(plan, terms):
                return None
            return await self._lanes.run(read_lane(plan.dataset), partial(redirects.find, plan, terms))
        clock = asyncio.get_running_loop().time
        end = clock() + self._whole.seconds_for(terms)
        while True:
            try:
                return await self._instead(request, plan, terms, redirects)
            except ExportPending:
                if clock() + LOOK_SECONDS > end:
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    async def _instead(self, request: Request, plan: Plan, terms: Terms, redirects: Redirects) -> str | None:
        look = partial(redirects.instead, request, plan, terms)
        return await self._lanes.run(read_lane(plan.dataset), look)


def read_lane(dataset: Dataset) -> str:
    """The lane for reading a dataset; looks at it have another, which what is in the spool needs too."""
    return f"{dataset.name}/"


async def _over(checked: Future[None], seconds: float | None) -> None:
    """Wait for a check, without a thread, which others need meanwhile; raises as it does, and Busy."""
    try:
        await outcome(checked, seconds)
    except TimeoutError:
        raise Busy("The dataset's pages are still being checked; try again later.") from None
