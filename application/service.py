"""The parts of one running service, made from its settings; opened at first use, closed together."""

import resource
import shutil
import sys
import threading
from dataclasses import dataclass

from application import __version__
from application.access.access import Access, open_access
from application.catalogue import Catalogue
from application.download import Downloads
from application.engine import Engine
from application.errors import ConfigurationError
from application.exports import Exports
from application.observing import Observing
from application.places import Places
from application.production import Productions
from application.settings import Settings
from application.spool import is_in_memory
from application.storage import open_export_storage, open_storage
from application.storage.base import Storage
from application.storage.invocation import SelfInvocation
from application.telemetry import logger
from application.telemetry.logs import configure_logging
from application.telemetry.tracing import start_tracing, stop_tracing

NO_BUCKET = (
    "DATASET_BUCKET is not set: name an S3 bucket (my-bucket or s3://my-bucket/prefix) or a folder (./data)."
)


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


def open_service(settings: Settings) -> Service:
    """Build a service; connects to nothing yet. Raises ConfigurationError."""
    configure_logging(settings.log_level, settings.log_format)
    if not settings.dataset_bucket:
        raise ConfigurationError(NO_BUCKET)
    if settings.spool_dir and not settings.spool_dir.is_dir():
        raise ConfigurationError("SPOOL_DIR is not a folder: make it, or name another.")
    storage = open_storage(
        settings.dataset_bucket,
        settings.dataset_prefix,
        region=settings.aws_region,
        profile=settings.aws_profile,
        endpoint_url=settings.aws_endpoint_url,
    )
    engine = Engine(
        storage,
        memory_limit=settings.duckdb_memory_limit,
        threads=settings.duckdb_threads,
        temp_directory=settings.spool_dir,
        temp_limit=settings.duckdb_temp_limit,
    )
    catalogue = Catalogue(storage, engine, settings.catalogue_max_age)
    places = Places(
        settings.production_limit,
        settings.production_memory,
        settings.production_queue,
        settings.production_queue_seconds,
    )
    productions = Productions(
        places,
        settings.spool_dir,
        settings.spool_max_result,
        _quota(settings),
        most_files=_most_files(),
        stall_seconds=settings.production_stall_seconds,
        most_seconds=settings.production_seconds,
    )
    downloads = Downloads(
        storage,
        catalogue,
        engine,
        productions,
        threads=settings.duckdb_threads,
        folder=settings.spool_dir,
    )
    _introduce(settings, storage, engine)
    exports = _exports(settings, storage, downloads)
    return Service(settings, storage, engine, catalogue, productions, downloads, exports)


def _introduce(settings: Settings, storage: Storage, engine: Engine) -> None:
    """The first lines of the log: what runs, over what, within which limits; then what to mind."""
    logger.info("service: download-lambda %s, %s", __version__, settings.environment)
    logger.info("bucket: %s", storage.description)
    logger.info("engine: %s", engine.description)
    spool = settings.spool_dir
    keeps, most = settings.spool_max_result >> 20, _quota(settings) >> 20
    logger.info(
        "spool: %s", f"{spool}, results up to {keeps} MiB kept, {most} MiB in all" if spool else "off"
    )
    logger.info(
        "productions: %d at a time in %d MiB, %d waiting for at most %g s",
        settings.production_limit,
        settings.production_memory >> 20,
        settings.production_queue,
        settings.production_queue_seconds,
    )
    traced = "on" if start_tracing(__version__) else "off"
    logger.info("telemetry: logs %s, metrics %s, traces %s", settings.log_format, settings.metrics, traced)
    if spool and is_in_memory(spool):
        logger.warning("spool: SPOOL_DIR is in memory: what lies there is not free for anything else")
    if settings.whole_results and not spool:
        logger.warning("spool: SPOOL_DIR is off, so WHOLE_RESULTS refuses results of more than 2 MiB")


def _exports(settings: Settings, storage: Storage, downloads: Downloads) -> Exports | None:
    if not settings.export_bucket:
        return None
    store = open_export_storage(
        settings.export_bucket,
        region=settings.aws_region,
        profile=settings.aws_profile,
        endpoint_url=settings.aws_endpoint_url,
    )
    # On Lambda nothing runs once the answer is out: there a call of its own makes the export.
    begin = SelfInvocation(settings.aws_lambda_function_name) if settings.aws_lambda_function_name else None
    logger.info("exports: %s", store.description)
    return Exports(store, storage, downloads, settings.export_url_seconds, begin)


def _quota(settings: Settings) -> int:
    """Bytes of results to keep: never more than half of the disk, which DuckDB and what runs need too."""
    if not settings.spool_dir:
        return 0
    return min(settings.spool_max_bytes, shutil.disk_usage(settings.spool_dir).total // 2)


def _open_access(settings: Settings) -> Access:
    return open_access(
        settings.api_key.get_secret_value() if settings.api_key else None,
        settings.trusted_proxies,
        settings.rate_limit,
        settings.rate_limit_storage.get_secret_value(),
        settings.client_downloads,
        on_lambda=settings.is_lambda,
    )


def _most_files() -> int:
    """Files that results may be kept in: half of what the process may open, which clients need too."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // 2


class Services:
    """The application's service: one for its lifespan, or, where there is none, one for each settings read.

    A TestClient without its context manager runs no lifespan, and the environment may be set after
    the application was imported; so without a lifespan the settings are read for every request.
    """

    def __init__(self, settings: Settings | None) -> None:
        self._given = settings
        self._in_lifespan = False
        self._settings: Settings | None = settings
        self._service: Service | None = None
        # Apart from the service: who may ask is known also where no bucket is set.
        self._access: tuple[Settings, Access] | None = None
        self._lock = threading.Lock()
        self.observing = Observing(
            lambda: self.settings.metrics,
            lambda: self.settings.aws_lambda_function_name,
            self._readings,
        )

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        if self._given:
            return self._given
        if self._settings is None or not self._in_lifespan:
            self._settings = Settings()
        return self._settings

    @property
    def access(self) -> Access:
        """Who may ask for how much, by the settings in force; raises ConfigurationError."""
        settings = self.settings
        with self._lock:
            if self._access and self._access[0] == settings:
                return self._access[1]
            if self._access:
                self._access[1].close()
                self._access = None
            access = _open_access(settings)
            self._access = settings, access
            return access

    def get(self) -> Service:
        """The service for the settings in force; raises ConfigurationError."""
        settings = self.settings
        with self._lock:
            if self._service and self._service.settings == settings:
                return self._service
            if self._service:
                self._service.close()
                self._service = None
            self._service = open_service(settings)
            return self._service

    def start(self) -> None:
        """Begin a lifespan; raises ConfigurationError, so that a server without a bucket does not start."""
        self._settings = self._given or Settings()
        self._in_lifespan = True
        self.access.start()
        self.get()
        self.observing.start()

    def _readings(self) -> dict[str, float]:
        service = self._service
        return service.readings() if service else {}

    def drain(self) -> None:
        """The process was told to stop: new downloads are refused."""
        service = self._service
        if service:
            service.drain()

    def stop(self) -> None:
        """End a lifespan."""
        with self._lock:
            service, self._service = self._service, None
            opened, self._access = self._access, None
            self._in_lifespan = False
        self.observing.stop()
        if service:
            service.close()
            stop_tracing()
        if opened:
            opened[1].close()
