"""What every storage can do, and the values and checks that its kinds share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from application.models import ObjectMeta

CHUNK = 1 << 20
# What a request may take, with all of its answer.
REQUEST_SECONDS = 30.0
# What a signed URL is good for.
Method: TypeAlias = Literal["GET", "HEAD"]
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


@dataclass(frozen=True, slots=True)
class EngineAccess:
    """How DuckDB reads a storage: an object's URL is ``root``, which ends in "/", and its path.

    ``extension`` is to be loaded and ``settings`` are to be set, in all sessions, before anything is read.
    ``has_patterns`` says that wildcards in a path are taken for such unless they are escaped.
    """

    root: str
    extension: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    secret: S3Secret | None = None
    has_patterns: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What lies directly under a prefix: objects, and folders by their paths, which end in "/"."""

    objects: tuple[ObjectMeta, ...]
    folders: tuple[str, ...]


class Storage(Protocol):
    """Objects under one root, by relative path; whatever cannot be told raises StorageUnavailable.

    ``is_near``: what is read costs no request.
    """

    description: str
    is_near: bool

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """List the objects whose path starts with the prefix, in the order of their UTF-8 bytes."""
        ...

    def level(self, folder: str = "") -> Level:
        """List what is directly in a folder ("" or "…/"), whatever is deeper, in the order of UTF-8 bytes."""
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

    def engine_access(self) -> EngineAccess:
        """Return what DuckDB needs to read the objects, with credentials that are valid now."""
        ...

    def presign(self, path: str, seconds: int, method: Method = "GET") -> str | None:
        """Return a URL from which anyone can GET the object for some seconds, or HEAD it; None for none."""
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
