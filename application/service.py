"""The parts of one running service, made from its settings; opened at first use, closed together."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from application.allowances import LAYER, OPENING, Room
from application.errors import ConfigurationError, StorageStalled
from application.introduction import introduce, room_for
from application.production.admission import Admission, Cores
from application.production.productions import Productions
from application.production.slots import Slots
from application.production.watchdog import Patience
from application.settings import Settings
from application.spool import disk_quota, most_files, most_pooled
from application.storage import open_export_storage, open_storage
from application.storage.base import Storage
from application.storage.invocation import SelfInvocation
from application.storage.lanes import Lanes, outcome
from application.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from application.datasets.catalogue import Catalogue
    from application.datasets.checks import PageChecks
    from application.datasets.listing import Listing
    from application.datasets.profiles import Profiles
    from application.downloads.answers import Answers
    from application.downloads.downloads import Downloads
    from application.downloads.estimates import Estimates
    from application.downloads.exports import Exports
    from application.downloads.labels import Labels
    from application.downloads.offers import Offers
    from application.downloads.redirects import Redirects
    from application.downloads.regions import Regions
    from application.downloads.status import Statuses
    from application.engine.scan import Engine
    from application.engine.suspects import Trial
    from application.storage.export import S3ExportStorage

NO_BUCKET = (
    "DATASET_BUCKET is not set: name an S3 bucket (my-bucket or s3://my-bucket/prefix) or a folder (./data)."
)


# Threads that wait for storage, in all and for one dataset; those of other datasets go on.
LANE_THREADS, LANE_SHARE = 64, 8
# What can be no dataset's name.
READY_LANE = "/ready"
READY_SECONDS = 1.0
# For which a stop waits for what has been broken off.
STOP_SECONDS = 3.0


class Storages(NamedTuple):
    """Where the datasets lie, and where exports go."""

    datasets: Storage
    exports: S3ExportStorage | None


class Readiness:
    """Whether storage and engine answer, found out once a second at most, for all who ask."""

    def __init__(self, storage: Storage, engine: Engine, lanes: Lanes) -> None:
        self._storage = storage
        self._engine = engine
        self._lanes = lanes
        self._lock = threading.Lock()
        self._latest: Future[None] | None = None
        self._began = 0.0

    def look(self) -> Future[None]:
        """What the latest look has found or will find; begins another when that is a second old and over."""
        with self._lock:
            now = time.monotonic()
            if self._latest is None or (self._latest.done() and now - self._began >= READY_SECONDS):
                self._latest, self._began = self._lanes.begin(READY_LANE, self._look), now
            return self._latest

    def _look(self) -> None:
        self._storage.head("ready-check.parquet")
        self._engine.check()


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a request or a command needs."""

    settings: Settings
    storage: Storage
    engine: Engine
    catalogue: Catalogue
    listing: Listing
    checks: PageChecks
    profiles: Profiles
    labels: Labels
    regions: Regions
    productions: Productions
    downloads: Downloads
    answers: Answers
    offers: Offers
    estimates: Estimates
    statuses: Statuses
    exports: Exports | None
    redirects: Redirects
    lanes: Lanes
    readiness: Readiness
    room: Room

    def admit(self) -> None:
        """Raise Stopping or Busy where no download is to be begun."""
        self.productions.check()
        self.room.check()

    async def check(self) -> None:
        """See that storage and engine answer.

        Raises Stopping, StorageUnavailable, StorageStalled or EngineFailed.
        """
        self.productions.check()
        try:
            await outcome(self.readiness.look(), self.settings.plan_seconds)
        except TimeoutError:
            raise StorageStalled("Storage takes too long to answer.") from None

    def readings(self) -> dict[str, float]:
        """What the metrics show of the service as it is."""
        exported = self.exports.readings() if self.exports else {}
        return {**self.productions.readings(), **exported, "engine_replacements": self.engine.replacements}

    def drain(self) -> None:
        """Begin no more downloads; what runs has the grace period, and is broken off after it."""
        self.productions.drain()
        timer = threading.Timer(self.settings.grace_seconds, self._abort)
        timer.daemon = True
        try:
            timer.start()
        except (RuntimeError, MemoryError):
            # Without a thread to wait in, nobody waits.
            self._abort()

    def _abort(self) -> None:
        self.engine.give_up()
        self.productions.abort()

    def close(self) -> None:
        """Stop what runs and free what is held."""
        self.checks.close()
        self.profiles.close()
        self.engine.give_up()
        self.productions.close()
        self.listing.close(STOP_SECONDS)
        self.estimates.close(STOP_SECONDS)
        self.engine.close()
        self.lanes.close(STOP_SECONDS)


def open_storages(settings: Settings) -> Storages:
    """Begin the log, and open the storages that the settings name; raises ConfigurationError."""
    configure_logging(settings.log_level, settings.log_format)
    storages = name_storages(settings)
    introduce(settings, *storages)
    return storages


def name_storages(settings: Settings) -> Storages:
    """The storages that the settings name; connects to nothing. Raises ConfigurationError."""
    if not settings.dataset_bucket:
        raise ConfigurationError(NO_BUCKET)
    if settings.spool_dir and not settings.spool_dir.is_dir():
        raise ConfigurationError("SPOOL_DIR is not a folder: make it, or name another.")
    place = _place(settings)
    storage = open_storage(settings.dataset_bucket, settings.dataset_prefix, **place)
    bucket = settings.export_bucket
    store = open_export_storage(bucket, **{**place, "region": settings.aws_region}) if bucket else None
    return Storages(storage, store)


def open_service(
    settings: Settings, storages: Storages | None = None, stopping: threading.Event | None = None
) -> Service:
    """Build a service, over storages that are open or those of the settings; connects to nothing yet.

    ``stopping`` is set once the process begins nothing more. Raises ConfigurationError, and Busy where there
    is too little room for the engine.
    """
    room = room_for(settings)
    room.check(OPENING)
    # The engine and what writes the formats take longer to import than all else (docs/performance.md).
    from application.datasets.catalogue import Catalogue
    from application.datasets.checks import PageChecks
    from application.datasets.listing import Listing
    from application.datasets.profiles import Profiles
    from application.downloads.answers import Answers
    from application.downloads.downloads import Downloads
    from application.downloads.estimates import Estimates
    from application.downloads.labels import Labels
    from application.downloads.offers import Offers
    from application.downloads.plan import Carriage
    from application.downloads.redirects import Redirects
    from application.downloads.regions import Regions
    from application.downloads.status import Statuses
    from application.downloads.ways import Ways
    from application.engine.database import Database
    from application.engine.journal import Journal, NoJournal
    from application.engine.probe import Probe
    from application.engine.scan import Engine
    from application.engine.verdicts import Verdicts, private_folder
    from application.formats import load_writers
    from application.formats.compression import CODINGS

    storage, store = storages or open_storages(settings)
    own = private_folder(settings.spool_dir, storage.description)
    verdicts = Verdicts(own)
    journal = Journal(own, verdicts, _trial(settings)) if own else NoJournal()
    database = Database(
        storage,
        memory_limit=settings.duckdb_memory_limit,
        threads=settings.duckdb_threads,
        temp_directory=settings.spool_dir,
        temp_limit=settings.duckdb_temp_limit,
        request_seconds=settings.storage_seconds,
    )
    engine = Engine(storage, database, journal)
    catalogue = Catalogue(storage, engine, settings.catalogue_max_age, verdicts)
    slots = Slots(
        Admission(settings.production_limit, settings.production_memory, settings.duckdb_threads),
        Cores(settings.duckdb_threads),
        settings.production_queue,
        settings.production_queue_seconds,
    )
    quota = disk_quota(settings.spool_dir, settings.spool_max_bytes)
    productions = Productions(
        slots,
        settings.spool_dir,
        settings.spool_max_result,
        quota,
        most_files=most_files(),
        pooled=most_pooled(quota, most_files()),
        patience=Patience(settings.production_stall_seconds, settings.production_seconds),
        stopping=stopping or threading.Event(),
    )
    lanes = Lanes(LANE_THREADS, LANE_SHARE)
    checks = PageChecks(
        storage,
        verdicts,
        settings.page_checksums,
        is_brief=settings.is_lambda,
        fail=productions.break_off,
    )
    downloads = Downloads(
        storage,
        catalogue,
        engine,
        productions,
        checks,
        lanes=lanes,
        plan_seconds=settings.plan_seconds,
        threads=settings.duckdb_threads,
        memory=settings.production_memory,
        folder=settings.spool_dir,
        carriage=Carriage(tuple(CODINGS) if settings.has_codings else (), settings.empty_bodies),
        check_layers=lambda: room.check(LAYER),
    )
    answers = Answers(downloads, productions, checks, lanes=lanes, whole_seconds=settings.whole_seconds)
    exports = _exports(settings, storage, store, downloads)
    redirects = Redirects(storage, settings.native_redirect_seconds, exports)
    labels = Labels(catalogue, engine)
    listing = Listing(storage, catalogue, lanes, settings.catalogue_max_age)
    profiles = Profiles(
        storage,
        own,
        is_brief=settings.is_lambda,
        is_busy=lambda: productions.running > 0,
        journal=journal,
    )
    most_bytes = settings.response_max_bytes or None
    ways = Ways(settings.whole_results or most_bytes is not None, most_bytes, exports is not None)
    estimates = Estimates(catalogue, downloads, engine, Probe(storage, database, journal), ways)
    if room.tight:
        # What is loaded in part is spoiled for good.
        load_writers()
    return Service(
        settings,
        storage,
        engine,
        catalogue,
        listing,
        checks,
        profiles,
        labels,
        Regions(catalogue, listing, labels),
        productions,
        downloads,
        answers,
        Offers(catalogue, downloads, estimates=estimates, labels=labels, profiles=profiles, lanes=lanes),
        estimates,
        Statuses(downloads, productions, estimates, exports),
        exports,
        redirects,
        lanes,
        Readiness(storage, engine, lanes),
        room,
    )


def _trial(settings: Settings) -> Trial:
    """Reads a dataset that may have ended a process, as this service would, in another one."""
    from application.engine.trials import ChildTrial

    task = {
        "storage": {
            "location": settings.dataset_bucket,
            "prefix": settings.dataset_prefix,
            **_place(settings),
        },
        "engine": {
            "memory_limit": settings.duckdb_memory_limit,
            # Beside the service itself, which is to have its memory.
            "threads": 1,
            "temp_limit": settings.duckdb_temp_limit,
        },
    }
    return ChildTrial(
        "application.trial",
        json.dumps(task),
        seconds=settings.production_seconds,
        memory=settings.production_memory,
    )


def _place(settings: Settings) -> dict[str, Any]:
    """Where the datasets' storage is, whose credentials open it, and how long it may take."""
    return {
        "region": settings.dataset_region or settings.aws_region,
        "profile": settings.aws_profile,
        "endpoint_url": settings.endpoint_url,
        "seconds": settings.storage_seconds,
    }


def _exports(
    settings: Settings, storage: Storage, store: S3ExportStorage | None, downloads: Downloads
) -> Exports | None:
    from application.downloads.exports import Exports

    if store is None:
        return None
    # On Lambda nothing runs once the answer is out: there a call of its own makes the export.
    begin = SelfInvocation(settings.aws_lambda_function_name) if settings.aws_lambda_function_name else None
    seconds, charset = settings.export_url_seconds, settings.csv_charset
    return Exports(store, storage, downloads, seconds, begin, with_charset=charset)
