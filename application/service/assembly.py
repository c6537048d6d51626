"""A service put together from its settings."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from application.allowances import LAYER, OPENING
from application.introduction import room_for
from application.production.admission import Admission, Cores
from application.production.productions import Productions
from application.production.slots import Slots
from application.production.watchdog import Patience
from application.service.readiness import Readiness
from application.service.service import Service
from application.service.storages import Storages, open_storages, place_of
from application.settings import Settings
from application.spool import disk_quota, most_files, most_pooled
from application.storage.base import Storage
from application.storage.invocation import SelfInvocation
from application.storage.lanes import Lanes

if TYPE_CHECKING:
    from application.downloads.downloads import Downloads
    from application.downloads.exports import Exports
    from application.engine.suspects import Trial
    from application.storage.export import S3ExportStorage

# Threads that wait for storage, in all and for one dataset; those of other datasets go on.
LANE_THREADS, LANE_SHARE = 64, 8


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
    labels = Labels(catalogue, engine, lanes)
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
        Regions(downloads, listing, labels, settings.plan_seconds),
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
            **place_of(settings),
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
