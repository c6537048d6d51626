"""An S3 bucket, or one of any S3-compatible server, as storage."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from application.errors import DatasetChanged, StorageUnavailable
from application.models import ObjectMeta
from application.storage.base import CHUNK, EngineAccess, Level, Method, S3Secret, check_range, is_plain
from application.storage.credentials import CredentialProvider
from application.storage.endpoint import find_endpoint
from application.storage.failures import is_refusal, translated, unavailable
from application.storage.signed import CHANGED, is_version, read_signed
from application.telemetry.tracing import span

if TYPE_CHECKING:
    import obstore
    from obstore.store import S3Store

_RANGE = 8 * CHUNK
_PROOF_SECONDS = 60.0
_SILENCE = timedelta(seconds=5)
_LAST_RETRY = timedelta(seconds=8)
_ENGINE_SETTINGS = (
    # Keys are names, not patterns: without it ``*``, ``[`` and ``?`` in a key mean something else; the option
    # of that name in a secret does not do it (1.5.5).
    ("s3_url_compatibility_mode", "true"),
    # Small objects come in one request after the HEAD, not in two or more.
    ("force_download_threshold", str(1 << 20)),
    # One connection for many objects after each other.
    ("httpfs_connection_caching", "true"),
)


class S3Storage:
    """The objects of a bucket under a root prefix; its client is made at first use, in any thread."""

    is_near = False

    def __init__(
        self,
        bucket: str,
        root: str,
        *,
        region: str | None,
        profile: str | None,
        endpoint_url: str | None,
        seconds: float,
    ) -> None:
        self._bucket, self._root = bucket, root
        self._seconds = seconds
        self._endpoint = find_endpoint(bucket, region, endpoint_url, os.environ)
        self._provider = CredentialProvider(profile)
        self._lock = Lock()
        self._store: S3Store | None = None
        self._proved = float("-inf")
        self._url = f"s3://{bucket}/{root}/" if root else f"s3://{bucket}/"
        self.description = self._url.rstrip("/")

    @span("storage.list")
    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """List the objects whose key starts with the prefix, in the order of their UTF-8 bytes."""
        # obstore's prefix is whole parts: list the folder and keep what matches.
        parent = prefix[: prefix.rfind("/") + 1]
        if parent and not is_plain(parent[:-1]):
            return iter(())
        store = self._open()
        with translated():
            found = [_meta(item) for page in store.list(parent or None) for item in page]
        self._proved = time.monotonic()
        # "folder/" markers arrive as "" or as the folder's name without its slash.
        kept = [meta for meta in found if meta.path and meta.path.startswith(prefix)]
        return iter(sorted(kept, key=lambda meta: meta.path.encode()))

    @span("storage.list")
    def level(self, folder: str = "") -> Level:
        """List what is directly in a folder ("" or "…/"), in the order of UTF-8 bytes."""
        if folder and not is_plain(folder[:-1]):
            return Level((), ())
        store = self._open()
        with translated():
            found = store.list_with_delimiter(folder or None)
        self._proved = time.monotonic()
        objects = [meta for meta in map(_meta, found["objects"]) if meta.path.startswith(folder)]
        kept = [meta for meta in objects if meta.path not in ("", folder.rstrip("/"))]
        folders = sorted((f"{prefix}/" for prefix in found["common_prefixes"]), key=str.encode)
        return Level(tuple(sorted(kept, key=lambda meta: meta.path.encode())), tuple(folders))

    @span("storage.head")
    def head(self, path: str) -> ObjectMeta | None:
        """Return the object's size, time and entity tag, or None when there is no such object."""
        if not is_plain(path):
            return None
        store = self._open()
        try:
            with translated():
                found = _meta(store.head(path), path)
        except FileNotFoundError:
            self._prove_bucket(store, path)
            return None
        self._proved = time.monotonic()
        return found

    def read(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        """Return the bytes [start, end); DatasetChanged when the object is no longer ``meta``."""
        return b"".join(self._ranges(meta, start, end))

    def chunks(self, meta: ObjectMeta, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes [start, end) in pieces of at most 1 MiB, the tag checked every 8 MiB.

        A range is whole in memory before its first piece, so a slow reader holds no connection open.
        """
        for piece in self._ranges(meta, start, end):
            for position in range(0, len(piece), CHUNK):
                yield piece[position : position + CHUNK]

    def engine_access(self) -> EngineAccess:
        """Return the root's URL, and credentials that are valid now, with the server that they are for."""
        found = self._provider.get()
        secret = S3Secret(
            key=found.key,
            secret=found.secret,
            token=found.token,
            region=self._endpoint.region,
            endpoint=self._endpoint.host,
            use_ssl=self._endpoint.is_encrypted,
            url_style="vhost" if self._endpoint.is_virtual else "path",
            expires_at=found.expires_at,
        )
        return EngineAccess(self._url, "httpfs", _ENGINE_SETTINGS, secret)

    def presign(self, path: str, seconds: int, method: Method = "GET") -> str:
        """Return a URL signed for that method; it ends with the credentials that signed it, if earlier."""
        import obstore

        store = self._open()
        with translated():
            return obstore.sign(store, method, path, timedelta(seconds=seconds))

    def _open(self) -> "S3Store":
        """Return the client, made at first use, once there are credentials for it."""
        # Asked here too: inside obstore their absence would be any authentication error.
        self._provider.get()
        with self._lock:
            if self._store is None:
                self._store = self._make()
            return self._store

    def _make(self, silence: timedelta | None = None, checksum: str | None = None) -> "S3Store":
        """A client that gives up on a server that is silent for so long; by a checksum it compares writes."""
        from obstore.store import S3Store

        url = self._endpoint.url(self._bucket)
        return S3Store(
            self._bucket,
            prefix=self._root or None,
            region=self._endpoint.region,
            endpoint=url,
            aws_endpoint_url_s3=url,
            virtual_hosted_style_request=self._endpoint.is_virtual,
            skip_signature=False,
            credential_provider=self._provider,
            config={"checksum_algorithm": checksum} if checksum else None,
            client_options={
                "allow_http": not self._endpoint.is_encrypted,
                "connect_timeout": _SILENCE,
                "read_timeout": silence or _SILENCE,
                # With the body, however it trickles.
                "timeout": timedelta(seconds=self._seconds),
            },
            # A silent server costs two attempts of five seconds: no retry begins after eight.
            retry_config={
                "max_retries": 3,
                "retry_timeout": _LAST_RETRY,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=1),
                    "base": 2,
                },
            },
        )

    def _prove_bucket(self, store: "S3Store", path: str) -> None:
        """Raise StorageUnavailable when the bucket is absent: HEAD's 404 does not say which of the two is."""
        from obstore.exceptions import BaseError

        if time.monotonic() - self._proved < _PROOF_SECONDS:
            return
        try:
            for _ in store.list(path):
                break
        except BaseError as error:
            # Refused to list, yet told 404 and not 403 of the object: the bucket is there.
            if not is_refusal(error):
                raise unavailable(error) from error
        self._proved = time.monotonic()

    def _ranges(self, meta: ObjectMeta, start: int, end: int) -> Iterator[bytes]:
        check_range(meta, start, end)
        for position in range(start, end, _RANGE):
            yield self._range(meta, position, min(end, position + _RANGE))

    @span("storage.read")
    def _range(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        """Get one range, checked by If-Match and, as some servers ignore that, by what came."""
        from obstore.exceptions import BaseError, PreconditionError

        store = self._open()
        # A whole object is asked for without a range, which every server answers as the client wants it.
        options: obstore.GetOptions = {} if (start, end) == (0, meta.size) else {"range": (start, end)}
        if meta.e_tag:
            options["if_match"] = f'"{meta.e_tag}"'
        else:
            options["if_unmodified_since"] = meta.last_modified
        try:
            result = store.get(meta.path, options=options)
            seen = _meta(result.meta, meta.path)
            is_same = is_version(meta, seen.e_tag, seen.last_modified)
            if not is_same or (seen.size, result.range) != (meta.size, (start, end)):
                raise DatasetChanged(CHANGED)
            body = bytes(result.bytes())
        except (FileNotFoundError, PreconditionError) as error:
            raise DatasetChanged(CHANGED) from error
        except BaseError as error:
            if " 416 " in str(error) or "412 Precondition" in str(error):
                raise DatasetChanged(CHANGED) from error
            if "non-partial" not in str(error):
                raise unavailable(error) from error
            # Some servers (rclone) answer a range with 200 and Content-Range, which obstore refuses.
            return read_signed(self.presign(meta.path, 60), meta, start, end, self._seconds)
        if len(body) != end - start:
            raise StorageUnavailable("The storage sent fewer bytes than it was asked for.")
        return body


def _meta(found: "obstore.ObjectMeta", path: str | None = None) -> ObjectMeta:
    # Listings of some servers give the tag without its quotes: without them they compare.
    e_tag = (found["e_tag"] or "").strip('"')
    # A listing has milliseconds, Last-Modified has not.
    modified = found["last_modified"].replace(microsecond=0)
    version = e_tag or modified.isoformat()
    return ObjectMeta(found["path"] if path is None else path, found["size"], modified, e_tag, version)
