"""A file against the download it should be: complete, or exactly what is wrong with it."""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from application.client import remote
from application.client.remote import Address, Expected
from application.errors import DownloadError

READ_BYTES = 1 << 20
TAIL_BYTES = 256 << 10
CODINGS = ("identity", "gzip", "zstd")
# The Lambda runtime library writes the trailers of a failed stream into the body.
LAMBDA_ERROR = re.compile(
    rb"Lambda-Runtime-Function-Error-Type: ?([^\r\n]*)"
    rb"(?:\r?\nLambda-Runtime-Function-Error-Body: ?([^\r\n]*))?\s*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a file is the download, and in words what was found."""

    is_complete: bool
    words: str


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds: bytes and digest, of the start that should be all of it, and how it ends."""

    size: int
    sha256: str
    start_sha256: str
    ending: str = ""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool:
        """True once the end of the compressed data was read."""

    @property
    def unused_data(self) -> bytes:
        """What follows that end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Bytes that are ready."""


def _gzip() -> _Decompressor:
    made: _Decompressor = zlib.decompressobj(31)
    return made


def _zstd() -> _Decompressor:
    import zstandard

    made: _Decompressor = zstandard.ZstdDecompressor().decompressobj()
    return made


# No format that there is starts with the magic numbers of these.
COMPRESSED: dict[bytes, tuple[str, Callable[[], _Decompressor]]] = {
    b"\x1f\x8b": ("gzip", _gzip),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
}


def verify(path: Path, url: str, e_tag: str | None = None, *, key: str | None = None) -> Verdict:
    """Compare a file with what the server says that the URL's download is; raises RemoteFailed.

    ``e_tag`` is that of the response which the file came with, where it is known; ``key`` is what the
    service asks for in `x-api-key`, where it does.
    """
    if not path.is_file():
        raise DownloadError(f"There is no file {path}.")
    address = Address.of(url, key)
    expected = remote.expected(address)
    verdict = check(path, expected)
    if verdict.is_complete:
        return verdict
    if e_tag is not None and e_tag not in {expected.e_tag, *(remote.e_tag(address, it) for it in CODINGS)}:
        return Verdict(False, f"another version: the server has {expected.e_tag} now; {verdict.words}")
    return verdict


def check(path: Path, expected: Expected) -> Verdict:
    """Compare a file with a manifest."""
    size = path.stat().st_size
    plain = _content(_pieces(path, size), expected.size)
    if plain.sha256 == expected.sha256:
        return Verdict(True, "complete")
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(max(size - TAIL_BYTES, 0))
        failed = LAMBDA_ERROR.search(file.read())
    if failed:
        size -= len(failed.group())
    coded = next((made for start, made in COMPRESSED.items() if magic.startswith(start)), None)
    if coded:
        name, make = coded
        content = _decompressed(_pieces(path, size), make(), name, expected.size)
        what = f"compressed with {name} as it was received"
    else:
        content = _content(_pieces(path, size), expected.size) if failed else plain
        what = ""
    if content.sha256 == expected.sha256 and not content.ending and not failed:
        return Verdict(True, f"complete, {what}; decompress it to read it")
    found = [_difference(content, expected)]
    if what:
        found = [f"{what}; {content.ending or 'decompressed'}", *found]
    if failed:
        found.append(f"it was cut on Lambda and ends with the error's text: {_lambda_words(failed)}")
    elif (written := _written(path)) < expected.last_modified.replace(microsecond=0):
        changed = f"{expected.last_modified:%Y-%m-%d %H:%M:%S %Z}"
        found.insert(
            0, f"another version: the file is of {written:%Y-%m-%d %H:%M:%S %Z}, the data of {changed}"
        )
    return Verdict(False, "; ".join(found))


def _difference(content: _Content, expected: Expected) -> str:
    missing = expected.size - content.size
    if missing > 0:
        return f"too short by {missing:,} of {expected.size:,} bytes"
    if missing < 0:
        after = ", which follow the whole download" if content.start_sha256 == expected.sha256 else ""
        return f"too long by {-missing:,} bytes{after}"
    if content.sha256 == expected.sha256:
        return f"all {expected.size:,} bytes are there"
    return f"other content of the same length: SHA-256 is {content.sha256} and should be {expected.sha256}"


def _content(pieces: Iterator[bytes], wanted: int, ending: Callable[[], str] = str) -> _Content:
    """Hash all pieces, and the first ``wanted`` bytes of them apart."""
    size, whole, start = 0, hashlib.sha256(), hashlib.sha256()
    for piece in pieces:
        start.update(piece[: max(wanted - size, 0)])
        whole.update(piece)
        size += len(piece)
    return _Content(size, whole.hexdigest(), start.hexdigest(), ending())


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size > 0 and (piece := file.read(min(READ_BYTES, size))):
            size -= len(piece)
            yield piece


def _decompressed(pieces: Iterator[bytes], stream: _Decompressor, name: str, wanted: int) -> _Content:
    broken = ""
    after = 0

    def out() -> Iterator[bytes]:
        nonlocal broken, after
        for piece in pieces:
            if stream.eof:
                after += len(piece)
                continue
            try:
                yield stream.decompress(piece)
            except Exception:  # noqa: BLE001 - zlib.error or zstandard's: the file is what is wrong
                broken = f"its {name} is damaged"
                return
        after += len(stream.unused_data)
        if not stream.eof:
            broken = f"its {name} is cut"
        elif after:
            broken = f"{after:,} bytes follow its {name}"

    return _content(out(), wanted, lambda: broken)


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def _lambda_words(failed: re.Match[bytes]) -> str:
    """The error's type and message; Lambda codes the body as base64 of JSON."""
    kind, body = ((group or b"").decode("utf-8", "replace").strip() for group in failed.groups())
    try:
        told = base64.b64decode(body, validate=True).decode()
    except ValueError:
        told = body
    with suppress(ValueError, KeyError, TypeError):
        told = str(json.loads(told)["errorMessage"])
    return f"{kind or 'unknown'}: {told[:500]}" if told else kind or "unknown"
