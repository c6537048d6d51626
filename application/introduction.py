"""The first lines of the log."""

from importlib.metadata import version

from application import __version__
from application.allowances import Room, find_room
from application.production.admission import most_large
from application.settings import Settings
from application.spool import SEGMENT_BYTES, disk_quota, is_in_memory
from application.storage.base import Storage
from application.telemetry import logger
from application.telemetry.tracing import start_tracing


def room_for(settings: Settings) -> Room:
    """The room that the system gives for what the settings ask for."""
    files = -(-settings.spool_max_result // SEGMENT_BYTES) if settings.spool_dir else 0
    return find_room(
        engine_threads=settings.duckdb_threads,
        engine_bytes=settings.duckdb_memory_bytes,
        running=settings.production_limit,
        waiting=settings.production_queue,
        memory=settings.production_memory,
        files=files * most_large(settings.production_limit),
    )


def introduce(settings: Settings, storage: Storage, exports: Storage | None) -> None:
    """Say what runs, over what, within which limits; then what to mind."""
    logger.info("Starting download-lambda %s, %s", __version__, settings.environment)
    logger.info("Dataset bucket: %s", storage.description)
    if exports:
        logger.info("Export bucket: %s", exports.description)
    # By its metadata: the engine itself is imported later.
    threads, memory = settings.duckdb_threads, settings.duckdb_memory_limit
    logger.info("Engine: DuckDB %s, %d threads, %s", version("duckdb"), threads, memory)
    spool = settings.spool_dir
    keeps, most = settings.spool_max_result >> 20, disk_quota(spool, settings.spool_max_bytes) >> 20
    logger.info(
        "Spool: %s", f"{spool}, results up to {keeps} MiB kept, {most} MiB in all" if spool else "off"
    )
    logger.info(
        "Productions: at most %d at a time in %d MiB, %d waiting for at most %g s",
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
    if tight := ", ".join(map(str, room_for(settings).tight)):
        logger.warning("Limits: %s that the settings need; what finds none left is refused (busy)", tight)
    if spool and is_in_memory(spool):
        logger.warning("Spool: SPOOL_DIR is in memory: what lies there is not free for anything else")
    if settings.whole_results and not spool:
        logger.warning("Spool: SPOOL_DIR is off, so WHOLE_RESULTS refuses results of more than 2 MiB")
