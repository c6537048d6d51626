"""What Lambda's own front end is said to do to a streamed answer, on its way to the client."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import zstandard

RENAMED_LENGTH = "x-amzn-remapped-content-length"


@dataclass(frozen=True, slots=True)
class Front:
    """As it is documented, and, by switches, as it was reported to be.

    ``codings``: Content-Encoding is handed on, or taken off; then the body is left as it is, or decoded.
    ``renames_length``: Content-Length has another name, in answers to HEAD too. ``hangs``: a body without
    bytes never ends.
    """

    codings: Literal["kept", "unnamed", "decoded"] = "kept"
    renames_length: bool = False
    hangs: bool = False

    def headers(self, given: dict[str, str]) -> dict[str, str]:
        """The headers that the client sees; names are in small letters."""
        headers = dict(given)
        if self.codings != "kept":
            headers.pop("content-encoding", None)
        if self._decodes(given):
            headers.pop("content-length", None)
        if self.renames_length and "content-length" in headers:
            headers[RENAMED_LENGTH] = headers.pop("content-length")
        return headers

    def decoder(self, given: dict[str, str]) -> Callable[[bytes], bytes]:
        """What makes of each piece of the body what the client gets."""
        if not self._decodes(given):
            return bytes
        if given["content-encoding"] == "gzip":
            return zlib.decompressobj(31).decompress
        return zstandard.ZstdDecompressor().decompressobj().decompress

    def _decodes(self, given: dict[str, str]) -> bool:
        return self.codings == "decoded" and "content-encoding" in given


PLAIN = Front()


def has_body(method: str, status: int) -> bool:
    """False where HTTP ends an answer with its headers (RFC 9112, 6.3): no client waits for more."""
    return method != "HEAD" and status not in {204, 304}
