"""A service elsewhere, for fetch and verify: its addresses, its answers and its manifests."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from application.client.contract import ALIAS, KEY_HEADER, MAKING, MANIFEST, PENDING
from application.errors import DownloadError

CONNECT_SECONDS = 10.0
# A manifest, and the first byte of a download, wait for the result to be made.
READ_SECONDS = 900.0
# A problem is a few hundred bytes; whatever else answers need not be read to its end.
PROBLEM_BYTES = 1 << 20
# These may pass by themselves; 503 only where it says when.
PASSING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


class RemoteFailed(DownloadError):
    """A service elsewhere gave no download; ``wait`` is how many seconds later it may, None for never.

    ``is_pending`` says that it is being made.
    """

    def __init__(self, message: str, wait: float | None = None, *, is_pending: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.is_pending = is_pending


# A name that no system takes for a folder or a path.
FILE_NAME = re.compile(r"\.*[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a manifest says of a download; ``e_tag`` with its quotes."""

    e_tag: str
    size: int
    sha256: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class Address:
    """A download's URL in its parts, and the key that its service asks for, if it does."""

    url: str
    base: str
    dataset: str
    extension: str
    pairs: tuple[tuple[str, str], ...]
    key: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, key: str | None = None) -> "Address":
        """Take a download's URL apart; raises RemoteFailed for what is none."""
        try:
            parts = urlsplit(url)
            pairs = parse_qsl(parts.query, keep_blank_values=True, errors="strict")
        except ValueError:
            raise RemoteFailed(f"{url!r} is no URL.") from None
        base, _, name = parts.path.rpartition("/")
        dataset, dot, extension = name.rpartition(".")
        if parts.scheme not in ("http", "https") or not parts.hostname or not dataset or not dot:
            raise RemoteFailed(f"{url!r} is not the URL of a download, http(s)://…/DATASET.FORMAT?….")
        whole = urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))
        root = urlunsplit((parts.scheme, parts.netloc, base.removesuffix(ALIAS), "", ""))
        return cls(whole, root, dataset, extension, tuple(pairs), key)

    @property
    def manifest_url(self) -> str:
        """Where the manifest of this download is."""
        # There `format` is the format, so that a filter on a column of that name takes its operator.
        pairs = [("format__exact" if name == "format" else name, value) for name, value in self.pairs]
        query = urlencode([("format", self.extension), *pairs], quote_via=quote)
        return f"{self.base}{MANIFEST.format(dataset=self.dataset)}?{query}"

    @property
    def filename(self) -> str:
        """The name that its file gets: the one asked for, where it is plain, as the service has it."""
        asked = next((value for name, value in self.pairs if name == "filename"), "")
        name = asked if FILE_NAME.fullmatch(asked) else self.dataset
        ending = f".{self.extension}"
        return name if name.lower().endswith(ending) else name + ending


def open_url(
    url: str, headers: Mapping[str, str] | None = None, method: str = "GET", *, key: str | None = None
) -> urllib3.BaseHTTPResponse:
    """An answer of any status, its body unread and as sent; raises RemoteFailed where there is none."""
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    sent = {"Accept-Encoding": "identity", "User-Agent": "download-lambda", **(headers or {})}
    if key:
        sent[KEY_HEADER] = key
    try:
        return _pool(url).request(
            method,
            url,
            headers=sent,
            timeout=timeout,
            # Redirects only: what else may be tried again is for the caller to say.
            retries=urllib3.Retry(
                total=None,
                connect=False,
                read=False,
                status=False,
                other=False,
                redirect=5,
                # An export lies with another server, which the key is none of the business of.
                remove_headers_on_redirect=[*urllib3.Retry.DEFAULT_REMOVE_HEADERS_ON_REDIRECT, KEY_HEADER],
            ),
            preload_content=False,
            decode_content=False,
        )
    except (HTTPError, ValueError) as error:
        raise RemoteFailed(f"There is no answer from {_host(url)}: {error}", wait=1.0) from error


def close(response: urllib3.BaseHTTPResponse) -> None:
    """Let go of an answer and of its connection."""
    response.close()
    response.release_conn()


def refusal(response: urllib3.BaseHTTPResponse) -> RemoteFailed:
    """Why there is no download, in the server's own words where it has some."""
    try:
        body = json.loads(response.read(PROBLEM_BYTES))
        detail, code = str(body["detail"]), body.get("code")
    except (HTTPError, ValueError, KeyError, TypeError):
        detail, code = "no more is said", None
    given = response.headers.get("retry-after", "")
    wait = float(given) if re.fullmatch(r"\d{1,6}", given, re.ASCII) else None
    if wait is None and response.status in PASSING:
        wait = 1.0
    if wait is not None and response.status not in (*PASSING, HTTPStatus.SERVICE_UNAVAILABLE):
        wait = None
    pending = wait is not None and code in (MAKING, PENDING)
    return RemoteFailed(f"The server answers {response.status}: {detail}", wait, is_pending=pending)


def expected(address: Address) -> Expected:
    """Ask the server what a download is; raises RemoteFailed."""
    response = open_url(address.manifest_url, key=address.key)
    try:
        if response.status != HTTPStatus.OK:
            raise refusal(response)
        try:
            body = json.loads(response.read())
            changed = datetime.fromisoformat(body["source"]["last_modified"])
            return Expected(str(body["e_tag"]), int(body["bytes"]), str(body["sha256"]), changed)
        except HTTPError as error:
            raise RemoteFailed(f"The manifest broke off: {error}", wait=1.0) from error
        except (ValueError, KeyError, TypeError):
            raise RemoteFailed("The server's manifest cannot be read.") from None
    finally:
        close(response)


def e_tag(address: Address, coding: str) -> str | None:
    """The ETag of a download in a coding now; no query runs for it."""
    response = open_url(address.url, {"Accept-Encoding": coding}, "HEAD", key=address.key)
    try:
        return response.headers.get("etag") if response.status == HTTPStatus.OK else None
    finally:
        close(response)


def _pool(url: str) -> urllib3.PoolManager:
    parts = urlsplit(url)
    proxy = None if proxy_bypass(_host(url)) else getproxies().get(parts.scheme)
    return urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
