"""What every storage can do, and the values and checks that its kinds share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from application.models import ObjectMeta

CHUNK = 1 << 20
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class S3Secret:
    """What DuckDB's CREATE SECRET needs; ``endpoint`` is host and port without a scheme."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str
    endpoint: str
    use_ssl: bool
    url_style: str
    expires_at: datetime | None


class Storage(Protocol):
    """Objects under one root, by relative path; whatever cannot be told raises StorageUnavailable."""

    description: str

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """List the objects whose path starts with the prefix, in the order of their UTF-8 bytes."""
        ...

    def head(self, path: str) -> ObjectMeta | None:
        """Return what is known of an object, or None when there is none of that path."""
        ...

    def read(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        """Return the bytes [start, end); DatasetChanged when the object is no longer ``meta``."""
        ...

    def chunks(self, meta: ObjectMeta, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes [start, end) in pieces of at most 1 MiB; DatasetChanged as in ``read``."""
        ...

    def url(self, path: str) -> str:
        """Return what DuckDB's read_parquet is given: s3://… or an absolute file path, as it is.

        DuckDB needs ``SET GLOBAL s3_url_compatibility_mode = true``, lest it take ``*``, ``[`` or ``?`` in a
        key for its own; the option of that name in a secret does not do it (1.5.5).
        """
        ...

    def allowed(self) -> str:
        """Return the root, ending in "/", for DuckDB's allowed_directories."""
        ...

    def secret(self) -> S3Secret | None:
        """Return fresh credentials for DuckDB, or None when it needs none."""
        ...

    def presign(self, path: str, seconds: int) -> str | None:
        """Return a URL from which anyone can GET the object for some seconds, or None where there is none."""
        ...


def join(*prefixes: str) -> str:
    """Join prefixes with single slashes, without empty parts or dots."""
    return "/".join(part for prefix in prefixes for part in prefix.split("/") if part not in ("", "."))


def is_plain(path: str) -> bool:
    """True for a relative path without empty parts, ``.``, ``..``, control or undecodable characters."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return False
    if len(encoded) > _LONGEST or any(byte < 0x20 or byte == 0x7F for byte in encoded):
        return False
    return all(part not in ("", ".", "..") for part in path.split("/"))


def check_range(meta: ObjectMeta, start: int, end: int) -> None:
    """Refuse a range that is not within the object: a mistake of ours, not of the storage."""
    if not 0 <= start <= end <= meta.size:
        raise ValueError(f"bytes [{start}, {end}) are not within an object of {meta.size} bytes")
