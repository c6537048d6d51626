"""The parts of one running service, made from its settings; opened at first use, closed together."""

from __future__ import annotations

import resource
import shutil
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from application import __version__
from application.errors import ConfigurationError
from application.production.productions import Productions
from application.production.slots import Slots
from application.production.watchdog import Patience
from application.settings import Settings
from application.spool import is_in_memory
from application.storage import open_export_storage, open_storage
from application.storage.base import Storage
from application.storage.invocation import SelfInvocation
from application.telemetry import logger
from application.telemetry.logs import configure_logging
from application.telemetry.tracing import start_tracing

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
    _introduce(settings, *storages)
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
    from application.downloads.redirects import Redirects
    from application.engine.database import Database
    from application.engine.scan import Engine

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
        _quota(settings),
        most_files=_most_files(),
        patience=Patience(settings.production_stall_seconds, settings.production_seconds),
        stopping=stopping or threading.Event(),
    )
    downloads = Downloads(
        storage,
        catalogue,
        engine,
        productions,
        threads=settings.duckdb_threads,
        folder=settings.spool_dir,
    )
    exports = _exports(settings, storage, store, downloads)
    redirects = Redirects(storage, settings.native_redirect_seconds, exports)
    return Service(settings, storage, engine, catalogue, productions, downloads, exports, redirects)


def _introduce(settings: Settings, storage: Storage, store: S3ExportStorage | None) -> None:
    """The first lines of the log: what runs, over what, within which limits; then what to mind."""
    logger.info("Starting download-lambda %s, %s", __version__, settings.environment)
    logger.info("Dataset bucket: %s", storage.description)
    if store:
        logger.info("Export bucket: %s", store.description)
    # By its metadata: the engine itself is imported later.
    threads, memory = settings.duckdb_threads, settings.duckdb_memory_limit
    logger.info("Engine: DuckDB %s, %d threads, %s", version("duckdb"), threads, memory)
    spool = settings.spool_dir
    keeps, most = settings.spool_max_result >> 20, _quota(settings) >> 20
    logger.info(
        "Spool: %s", f"{spool}, results up to {keeps} MiB kept, {most} MiB in all" if spool else "off"
    )
    logger.info(
        "Productions: %d at a time in %d MiB, %d waiting for at most %g s",
        settings.production_limit,
        settings.production_memory >> 20,
        settings.production_queue,
        settings.production_queue_seconds,
    )
    traced = "on" if start_tracing(__version__) else "off"
    logger.info("Telemetry: logs %s, metrics %s, traces %s", settings.log_format, settings.metrics, traced)
    if settings.s3_endpoint_url or settings.s3_use_ssl is not None:
        found = settings.endpoint_url
        right = f"set AWS_ENDPOINT_URL={found} instead" if found else "AWS itself is asked, by https"
        logger.warning("Settings: S3_ENDPOINT_URL and S3_USE_SSL are names of a former service; %s", right)
    if spool and is_in_memory(spool):
        logger.warning("Spool: SPOOL_DIR is in memory: what lies there is not free for anything else")
    if settings.whole_results and not spool:
        logger.warning("Spool: SPOOL_DIR is off, so WHOLE_RESULTS refuses results of more than 2 MiB")


def _exports(
    settings: Settings, storage: Storage, store: S3ExportStorage | None, downloads: Downloads
) -> Exports | None:
    from application.downloads.exports import Exports

    if store is None:
        return None
    # On Lambda nothing runs once the answer is out: there a call of its own makes the export.
    begin = SelfInvocation(settings.aws_lambda_function_name) if settings.aws_lambda_function_name else None
    return Exports(store, storage, downloads, settings.export_url_seconds, begin)


def _quota(settings: Settings) -> int:
    """Bytes of results to keep: never more than half of the disk, which DuckDB and what runs need too."""
    if not settings.spool_dir:
        return 0
    return min(settings.spool_max_bytes, shutil.disk_usage(settings.spool_dir).total // 2)


def _most_files() -> int:
    """Files that results may be kept in: half of what the process may open, which clients need too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // 2
