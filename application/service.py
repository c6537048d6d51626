"""The parts of one running service, made from its settings; opened at first use, closed together."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from application.errors import ConfigurationError
from application.introduction import introduce
from application.production.productions import Productions
from application.production.slots import Slots
from application.production.watchdog import Patience
from application.settings import Settings
from application.spool import disk_quota, most_files
from application.storage import open_export_storage, open_storage
from application.storage.base import Storage
from application.storage.invocation import SelfInvocation
from application.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from application.datasets.catalogue import Catalogue
    from application.downloads.downloads import Downloads
    from application.downloads.exports import Exports
    from application.downloads.redirects import Redirects
    from application.engine.scan import Engine
    from application.storage.export import S3ExportStorage

NO_BUCKET = (
    "DATASET_BUCKET is not set: name an S3 bucket (my-bucket or s3://my-bucket/prefix) or a folder (./data)."
)


class Storages(NamedTuple):
    """Where the datasets lie, and where exports go."""

    datasets: Storage
    exports: S3ExportStorage | None


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a request or a command needs."""

    settings: Settings
    storage: Storage
    engine: Engine
    catalogue: Catalogue
    productions: Productions
    downloads: Downloads
    exports: Exports | None
    redirects: Redirects

    def check(self) -> None:
        """See that storage and engine answer; raises Stopping, StorageUnavailable or EngineFailed."""
        self.productions.check()
        self.storage.head("ready-check.parquet")
        self.engine.check()

    def readings(self) -> dict[str, float]:
        """What the metrics show of the service as it is."""
        return {**self.productions.readings(), "engine_replacements": self.engine.replacements}

    def drain(self) -> None:
        """Begin no more downloads; what runs has the grace period, and is broken off after it."""
        self.productions.drain()
        timer = threading.Timer(self.settings.grace_seconds, self.productions.abort)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Stop what runs and free what is held."""
        self.productions.close()
        self.engine.close()


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
    own, region = settings.aws_region, settings.dataset_region or settings.aws_region
    place = {"profile": settings.aws_profile, "endpoint_url": settings.endpoint_url}
    storage = open_storage(settings.dataset_bucket, settings.dataset_prefix, region=region, **place)
    bucket = settings.export_bucket
    store = open_export_storage(bucket, region=own, **place) if bucket else None
    return Storages(storage, store)


def open_service(
    settings: Settings, storages: Storages | None = None, stopping: threading.Event | None = None
) -> Service:
    """Build a service, over storages that are open or those of the settings; connects to nothing yet.

    ``stopping`` is set once the process begins nothing more. Raises ConfigurationError.
    """
    # The engine and what writes the formats take longer to import than all else (docs/performance.md).
    from application.datasets.catalogue import Catalogue
    from application.downloads.downloads import Downloads
    from application.downloads.plan import Carriage
    from application.downloads.redirects import Redirects
    from application.engine.database import Database
    from application.engine.scan import Engine
    from application.formats.compression import CODINGS

    storage, store = storages or open_storages(settings)
    database = Database(
        storage,
        memory_limit=settings.duckdb_memory_limit,
        threads=settings.duckdb_threads,
        temp_directory=settings.spool_dir,
        temp_limit=settings.duckdb_temp_limit,
    )
    engine = Engine(storage, database)
    catalogue = Catalogue(storage, engine, settings.catalogue_max_age)
    slots = Slots(
        settings.production_limit,
        settings.production_memory,
        settings.production_queue,
        settings.production_queue_seconds,
    )
    productions = Productions(
        slots,
        settings.spool_dir,
        settings.spool_max_result,
        disk_quota(settings.spool_dir, settings.spool_max_bytes),
        most_files=most_files(),
        patience=Patience(settings.production_stall_seconds, settings.production_seconds),
        stopping=stopping or threading.Event(),
    )
    downloads = Downloads(
        storage,
        catalogue,
        engine,
        productions,
        threads=settings.duckdb_threads,
        memory=settings.production_memory,
        folder=settings.spool_dir,
        carriage=Carriage(tuple(CODINGS) if settings.has_codings else (), settings.empty_bodies),
    )
    exports = _exports(settings, storage, store, downloads)
    redirects = Redirects(storage, settings.native_redirect_seconds, exports)
    return Service(settings, storage, engine, catalogue, productions, downloads, exports, redirects)


def _exports(
    settings: Settings, storage: Storage, store: S3ExportStorage | None, downloads: Downloads
) -> Exports | None:
    from application.downloads.exports import Exports

    if store is None:
        return None
    # On Lambda nothing runs once the answer is out: there a call of its own makes the export.
    begin = SelfInvocation(settings.aws_lambda_function_name) if settings.aws_lambda_function_name else None
    return Exports(store, storage, downloads, settings.export_url_seconds, begin)
