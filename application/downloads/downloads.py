"""The use case, for HTTP and for the command line: plan a download, then open its bytes."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from application.datasets.catalogue import Catalogue
from application.datasets.checks import PageChecks
from application.datasets.looks import Looks
from application.downloads.areas import NOWHERE, Located, Locations, Reference, Row, invalid, references
from application.downloads.content import Content
from application.downloads.job import DownloadJob, layer_bytes, staged_bytes
from application.downloads.plan import Carriage, Plan, Request, make_plan
from application.downloads.stored import StoredObject
from application.engine.direct import bytes_at_once
from application.engine.scan import Engine
from application.engine.windows import memory_needed
from application.errors import (
    DatasetNotFound,
    FormatUnavailable,
    ResultTooLarge,
    StorageStalled,
)
from application.formats import Format
from application.models import Dataset
from application.production.claim import Claim
from application.production.productions import READ, Productions
from application.storage.base import Storage
from application.storage.lanes import Lanes, outcome
from application.telemetry.tracing import span


class Downloads:
    """Plans downloads and opens them; owns nothing but what it is given.

    A task waits for storage in the ``lanes``, and for a plan at most ``plan_seconds``. ``check_layers``
    raises Busy where there is too little for GDAL.
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
        rows = self._catalogue.rows_at_most(plan.dataset, plan.query)
        held = staged_bytes(plan) + bytes_at_once(plan.dataset, plan.query, rows) + layer_bytes(plan, rows)
        memory = min(self._memory, memory + ahead + held)
        return DownloadJob(
            plan,
            self._engine,
            self._catalogue,
            memory,
            self._threads,
            cursors,
            self._folder,
            self._productions.make_room,
        )

    @property
    def folder(self) -> Path | None:
        """Where files are made, if there is a place."""
        return self._folder

    @property
    def most_kept(self) -> int:
        """The most bytes of a result that is made whole for readers that seek; 0 where none is."""
        return self._productions.most_kept

    def kept(self, plan: Plan) -> Content | None:
        """A plan's bytes if they are whole already; makes nothing."""
        return self.open(plan) if plan.is_native else self._productions.kept(plan.e_tag)


def read_lane(dataset: Dataset) -> str:
    """The lane for reading a dataset; looks at it have another, which what is in the spool needs too."""
    return f"{dataset.name}/"
