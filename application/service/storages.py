"""The storages that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from application.errors import ConfigurationError
from application.introduction import introduce
from application.settings import Settings
from application.storage import open_export_storage, open_storage
from application.storage.base import Storage
from application.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from application.storage.export import S3ExportStorage

NO_BUCKET = (
    "DATASET_BUCKET is not set: name an S3 bucket (my-bucket or s3://my-bucket/prefix) or a folder (./data)."
)


class Storages(NamedTuple):
    """Where the datasets lie, and where exports go."""

    datasets: Storage
    exports: S3ExportStorage | None


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
    place = place_of(settings)
    storage = open_storage(settings.dataset_bucket, settings.dataset_prefix, **place)
    bucket = settings.export_bucket
    store = open_export_storage(bucket, **{**place, "region": settings.aws_region}) if bucket else None
    return Storages(storage, store)


def place_of(settings: Settings) -> dict[str, Any]:
    """Where the datasets' storage is, whose credentials open it, and how long it may take."""
    return {
        "region": settings.dataset_region or settings.aws_region,
        "profile": settings.aws_profile,
        "endpoint_url": settings.endpoint_url,
        "seconds": settings.storage_seconds,
    }
