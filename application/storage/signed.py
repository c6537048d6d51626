"""Ranges by signed URL, for servers whose answers the S3 client is too strict to take."""

import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from application.errors import DatasetChanged, StorageUnavailable
from application.models import ObjectMeta

if TYPE_CHECKING:
    from email.message import Message

CHANGED = "The dataset was changed or removed while it was read."
_SILENCE = 10.0
_GONE = (404, 412, 416)


def read_signed(url: str, meta: ObjectMeta, start: int, end: int, seconds: float) -> bytes:
    """GET the bytes [start, end) of a signed URL; DatasetChanged when the object is no longer ``meta``.

    Raises StorageUnavailable where they are not here after so many seconds.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(url)
    headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
    if meta.e_tag:
        headers["If-Match"] = f'"{meta.e_tag}"'
    else:
        headers["If-Unmodified-Since"] = format_datetime(meta.last_modified, usegmt=True)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=_SILENCE)

    def break_off() -> None:
        # A timeout of the socket's own begins anew with each byte.
        if connection.sock:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    deadline = threading.Timer(seconds, break_off)
    deadline.daemon = True
    try:
        deadline.start()
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        with connection.getresponse() as response:
            if response.status in _GONE:
                raise DatasetChanged(CHANGED)
            if response.status not in (200, 206):
                raise StorageUnavailable("The storage does not answer a range of an object.")
            came, _, size = (response.headers.get("Content-Range") or "").partition("/")
            e_tag = (response.headers.get("ETag") or "").strip('"')
            is_same = is_version(meta, e_tag, _modified(response.headers))
            if not is_same or (size and size != str(meta.size)):
                raise DatasetChanged(CHANGED)
            if came != f"bytes {start}-{end - 1}":
                raise StorageUnavailable("The storage does not answer ranges of an object.")
            body = response.read(end - start)
    except (OSError, HTTPException) as error:
        raise StorageUnavailable("The storage does not answer.") from error
    finally:
        deadline.cancel()
        connection.close()
    if len(body) != end - start:
        raise StorageUnavailable("The storage sent fewer bytes than it was asked for.")
    return body


def is_version(meta: ObjectMeta, e_tag: str, modified: datetime) -> bool:
    """True when an answer is of the object's version: by its tag, or by its time where either has none."""
    return e_tag == meta.e_tag if e_tag and meta.e_tag else modified == meta.last_modified


def _modified(headers: "Message") -> datetime:
    """Last-Modified, or as the S3 client has it where there is none: the beginning of time."""
    try:
        return parsedate_to_datetime(headers["Last-Modified"])
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
