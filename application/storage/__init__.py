"""Where the datasets lie: an S3 bucket or a folder, behind one small interface."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from application.errors import ConfigurationError
from application.storage.base import REQUEST_SECONDS, EngineAccess, Level, S3Secret, Storage, join
from application.storage.export import S3ExportStorage
from application.storage.local import LocalStorage
from application.storage.s3 import S3Storage

__all__ = ["EngineAccess", "Level", "S3Secret", "Storage", "open_export_storage", "open_storage"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class _S3Options:
    """Where a bucket is, and whose credentials open it."""

    region: str | None
    profile: str | None
    endpoint_url: str | None
    seconds: float


def open_storage(
    location: str,
    prefix: str = "dataset",
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    seconds: float = REQUEST_SECONDS,
) -> Storage:
    """Return the storage at a bucket, s3://bucket/prefix or folder; connects to nothing.

    A request to a bucket may take so many ``seconds``, with all of its answer.
    """
    options = _S3Options(region, profile, endpoint_url, seconds)
    return next(make(location, prefix, options) for matches, make in SCHEMES if matches(location))


def _open_bucket(location: str, prefix: str, options: _S3Options) -> Storage:
    bucket, _, within = location.removeprefix("s3://").partition("/")
    root = _join(within, prefix)
    if not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(
            "DATASET_BUCKET names no bucket: give its name, s3://bucket/prefix, or a folder with a / in it."
        )
    return S3Storage(
        bucket,
        root,
        region=options.region,
        profile=options.profile,
        endpoint_url=options.endpoint_url,
        seconds=options.seconds,
    )


def _open_file_url(location: str, prefix: str, _: _S3Options) -> Storage:
    parts = urlsplit(location)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise ConfigurationError(
            "DATASET_BUCKET is not a file URL of this machine, such as file:///srv/data."
        )
    return LocalStorage(os.path.join(unquote(parts.path), _join(prefix)))


def _open_folder(location: str, prefix: str, _: _S3Options) -> Storage:
    return LocalStorage(os.path.join(os.path.expanduser(location), _join(prefix)))


def _refuse(*_: object) -> Storage:
    raise ConfigurationError("DATASET_BUCKET is neither a bucket, nor s3://bucket/prefix, nor a folder.")


# The first that matches is meant; a name without a slash is a bucket's.
SCHEMES: tuple[tuple[Callable[[str], bool], Callable[[str, str, _S3Options], Storage]], ...] = (
    (lambda location: location.startswith("s3://"), _open_bucket),
    (lambda location: location.startswith("file://"), _open_file_url),
    (lambda location: "://" in location, _refuse),
    (lambda location: "/" in location, _open_folder),
    (lambda _: True, _open_bucket),
)


def open_export_storage(
    location: str,
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    seconds: float = REQUEST_SECONDS,
) -> S3ExportStorage:
    """Return the storage that exports go to, at a bucket or s3://bucket/prefix; connects to nothing."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket) or (prefix and not location.startswith("s3://")):
        raise ConfigurationError("EXPORT_BUCKET names no bucket: give its name, or s3://bucket/prefix.")
    return S3ExportStorage(
        bucket, _join(prefix), region=region, profile=profile, endpoint_url=endpoint_url, seconds=seconds
    )


def _join(*prefixes: str) -> str:
    """Join prefixes into one without empty parts, or refuse the setting."""
    joined = join(*prefixes)
    if ".." in joined.split("/") or not joined.isprintable():
        raise ConfigurationError("DATASET_PREFIX may have neither '..' nor control characters.")
    return joined
