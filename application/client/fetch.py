"""A download into a file: resumed where it broke, compared with its digest, named only when whole."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import urllib3
from urllib3.exceptions import HTTPError

from application.client import remote
from application.client.remote import Address, Expected, RemoteFailed
from application.client.verify import check
from application.errors import DownloadError

PIECE_BYTES = 64 << 10
# Tries in a row that bring no new byte.
MOST_TRIES = 6
LONGEST_WAIT = 60.0
LONGEST_PAUSE = 30.0
# How long a result may be in the making, beside the tries.
PENDING_SECONDS = 3600.0
SHA_256 = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)", re.ASCII)
NO_RANGE = re.compile(r"bytes \*/(\d+)", re.ASCII)

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class _Note:
    """What is kept beside a part: which download it is of; ``digest`` is its SHA-256 in hex, "" if untold."""

    url: str
    e_tag: str
    digest: str = ""


class _Broken(Exception):
    """The connection ended before the download did."""


def fetch(
    url: str,
    output: Path | None = None,
    progress: Progress = lambda _position, _total: None,
    wait: Callable[[float], None] = time.sleep,
    *,
    key: str | None = None,
) -> tuple[Path, int]:
    """Fetch a download to a file; returns the file and its bytes. Raises RemoteFailed and DownloadError.

    ``key`` is what the service asks for in `x-api-key`, where it does.
    """
    address = Address.of(url, key)
    output = output or Path(address.filename)
    if not output.absolute().parent.is_dir():
        raise DownloadError(f"There is no folder {output.absolute().parent}.")
    try:
        return output, _Fetch(address, output, progress, wait).run()
    except OSError as error:
        raise DownloadError(f"{output} cannot be written: {error.strerror}.") from error


class _Fetch:
    """One download on its way to FILE.part, with its note in FILE.part.json."""

    def __init__(
        self, address: Address, output: Path, progress: Progress, wait: Callable[[float], None]
    ) -> None:
        self._address = address
        self._output = output
        self._part = output.with_name(f"{output.name}.part")
        self._sidecar = output.with_name(f"{output.name}.part.json")
        self._progress = progress
        self._wait = wait
        self._note = self._kept()

    def run(self) -> int:
        """Try until the bytes are all there, compare them, and give the file its name."""
        tries, patience = 0, time.monotonic() + PENDING_SECONDS
        while True:
            had = self._position()
            try:
                self._transfer(had)
                break
            except _Broken as error:
                failure, pause = RemoteFailed(f"The connection broke: {error}"), _pause(tries)
            except RemoteFailed as error:
                if error.wait is None:
                    raise
                if error.is_pending and time.monotonic() < patience:
                    self._wait(error.wait)
                    continue
                failure, pause = error, max(error.wait, _pause(tries))
            tries = 0 if self._position() > had else tries + 1
            if tries >= MOST_TRIES:
                raise RemoteFailed(f"Given up after {tries} tries. {failure}{self._kept_words()}")
            self._wait(min(pause, LONGEST_WAIT))
        self._verify()
        size = self._position()
        self._part.replace(self._output)
        self._sidecar.unlink(missing_ok=True)
        return size

    def _transfer(self, had: int) -> None:
        """One request, from where the part ends; returns at the clean end of the download."""
        headers = {}
        if had and self._note:
            headers = {"Range": f"bytes={had}-", "If-Range": self._note.e_tag}
        response = remote.open_url(self._address.url, headers, key=self._address.key)
        try:
            if response.status == HTTPStatus.OK:
                self._receive(response, 0, _length(response))
            elif response.status == HTTPStatus.PARTIAL_CONTENT:
                found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
                if not found or int(found[1]) != had or self._is_other(response):
                    self._forget()
                    raise _Broken("the server answered with another range than the one asked for")
                self._receive(response, had, int(found[2]))
            elif response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and had:
                # The version is still the part's, or the answer were the whole: there may be no more to come.
                found = NO_RANGE.fullmatch(response.headers.get("content-range", ""))
                if not found or int(found[1]) != had:
                    self._forget()
                    raise _Broken("what is here is longer than the download; it starts anew")
            else:
                raise remote.refusal(response)
        finally:
            remote.close(response)

    def _receive(self, response: urllib3.BaseHTTPResponse, start: int, total: int | None) -> None:
        is_same = start > 0 or (self._note is not None and not self._is_other(response))
        self._remember(response)
        # The bytes of one strong ETag are the same, so what is there may be written over without a loss.
        with self._part.open("r+b" if is_same and self._part.exists() else "wb") as file:
            file.seek(start)
            self._copy(response, file, total)
            file.truncate()
        if total is not None and self._position() != total:
            raise _Broken(f"{self._position():,} of {total:,} bytes came")

    def _copy(self, response: urllib3.BaseHTTPResponse, file: BinaryIO, total: int | None) -> None:
        try:
            for piece in response.stream(PIECE_BYTES, decode_content=False):
                file.write(piece)
                self._progress(file.tell(), total)
        except (HTTPError, ConnectionError, TimeoutError) as error:
            raise _Broken(str(error)) from error

    def _verify(self) -> None:
        """Compare with the digest that came with the bytes, or with the manifest; else the part stays one."""
        note = self._note
        if note and note.digest:
            with self._part.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == note.digest:
                    return
            self._forget()
            raise DownloadError("What came is not what the server's digest says; it was removed. Try again.")
        expected = self._expected()
        verdict = check(self._part, expected)
        if not verdict.is_complete:
            self._forget()
            is_other = note is not None and note.e_tag != expected.e_tag
            why = "the data was replaced meanwhile" if is_other else verdict.words
            raise DownloadError(f"What came is not the download: {why}. It was removed; try again.")

    def _expected(self) -> Expected:
        tries = 1
        while True:
            try:
                return remote.expected(self._address)
            except RemoteFailed as error:
                if error.wait is None or tries == MOST_TRIES:
                    words = f"The download ended but could not be compared. {error}{self._kept_words()}"
                    raise RemoteFailed(words) from error
                self._wait(min(max(error.wait, _pause(tries)), LONGEST_WAIT))
                tries += 1

    def _is_other(self, response: urllib3.BaseHTTPResponse) -> bool:
        return self._note is None or response.headers.get("etag") != self._note.e_tag

    def _remember(self, response: urllib3.BaseHTTPResponse) -> None:
        """Keep the ETag before the first byte; without a strong one the part cannot be resumed."""
        e_tag = response.headers.get("etag", "")
        if not re.fullmatch(r'"[^"]*"', e_tag):
            self._note = None
            self._sidecar.unlink(missing_ok=True)
            return
        told = SHA_256.search(response.headers.get("repr-digest", ""))
        digest = base64.b64decode(told[1]).hex() if told else ""
        if self._note and self._note.e_tag == e_tag:
            digest = digest or self._note.digest
        elif self._note:
            # A part of another version must never have this one's note, not even if we end here.
            self._part.unlink(missing_ok=True)
        self._note = _Note(self._address.url, e_tag, digest)
        self._sidecar.write_text(json.dumps(asdict(self._note)))

    def _kept(self) -> _Note | None:
        """The note of a part of this very URL; without one the part goes."""
        try:
            note = _Note(**json.loads(self._sidecar.read_text()))
        except (OSError, ValueError, TypeError):
            note = None
        if note and note.url == self._address.url and self._part.is_file():
            return note
        self._forget()
        return None

    def _forget(self) -> None:
        self._note = None
        self._part.unlink(missing_ok=True)
        self._sidecar.unlink(missing_ok=True)

    def _position(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _kept_words(self) -> str:
        size = self._position()
        return f" {size:,} bytes are in {self._part}; run it again to go on." if size else ""


def _pause(tries: int) -> float:
    """Seconds before the next try."""
    return min(2.0**tries / 2, LONGEST_PAUSE)


def _length(response: urllib3.BaseHTTPResponse) -> int | None:
    given = response.headers.get("content-length", "")
    return int(given) if given.isdigit() else None
