"""The header fields of requests and answers, as OpenAPI has them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from application.api.middleware.security_headers import HEADERS as SECURITY
from application.api.middleware.security_headers import STRICT_TRANSPORT
from application.client.contract import FORM
from application.formats.compression import CODINGS

TEXT: dict[str, Any] = {"type": "string"}
# Of requests any text is taken: what cannot be read asks for nothing.
E_TAGS = {"type": "string", "examples": ['"5d41402abc4b2a76"']}
MOMENT = {"type": "string", "examples": ["Sun, 29 Nov 2026 08:00:00 GMT"]}
NUMBER = {"type": "integer", "minimum": 0}
# Statuses of a download's bytes, and of all that is said of them.
BYTES, SAID = (200, 206), (200, 206, 304)


@dataclass(frozen=True, slots=True)
class Header:
    """A field of answers of these statuses, or of all for none; ``always`` where none of them lacks it."""

    name: str
    words: str
    statuses: tuple[int, ...] = ()
    schema: dict[str, Any] = field(default_factory=lambda: TEXT)
    always: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The field as a component."""
        return {"description": self.words, "schema": self.schema} | (
            {"required": True} if self.always else {}
        )


ANSWER_HEADERS = (
    Header("ETag", "strong, of all that decides the bytes", SAID, always=True),
    Header("Last-Modified", "when the newest stored part was written", SAID, MOMENT, always=True),
    Header("Cache-Control", "how long it may be kept"),
    Header("Vary", "what else the answer depends on", SAID),
    Header("Content-Disposition", "the name to save it under", BYTES),
    Header("Content-Encoding", "the coding of the body", BYTES, {"type": "string", "enum": list(CODINGS)}),
    Header("Content-Length", "the bytes of a body that is whole", BYTES, NUMBER),
    Header("Content-Location", "where GET has the same, of what a form asks for", (200,)),
    Header("Content-Range", "the range, or how many bytes there are", (206, 416), always=True),
    Header("Accept-Ranges", "a part of it may be asked for", BYTES, {"type": "string", "enum": ["bytes"]}),
    Header("Repr-Digest", "SHA-256 of the body of a result that is whole (RFC 9530)", BYTES),
    Header("X-Dataset", "the dataset's name", SAID),
    Header("X-Format", "the extension", SAID),
    Header("Link", "what is related: of a download the description of its dataset (RFC 8288)", SAID),
    Header("X-Missing-Fields", "chosen fields that the dataset lacks, percent-encoded, with commas", BYTES),
    Header("X-CRS-Accuracy", "to how many metres `crs` is right, or `unknown`, past one metre", BYTES),
    Header("Location", "where it lies", (303, 307), always=True),
    Header("Accept", "what a body is to be", (415,), {"type": "string", "enum": [FORM]}),
    Header("Accept-Query", "what a body is to be (RFC 10008)", (415,), {"type": "string", "enum": [FORM]}),
    Header("Allow", "the methods there are", (405,), always=True),
    Header("Retry-After", "seconds after which to try again", (429, 503), NUMBER),
    Header("WWW-Authenticate", "that a key is wanted", (401,), always=True),
    Header("RateLimit", "what is left of the limits, where there are limits"),
    Header("RateLimit-Policy", "the limits, where there are limits"),
    Header("X-Request-ID", "the request's id, to quote in a report", always=True),
    Header("Strict-Transport-Security", f"`{STRICT_TRANSPORT}`, of what came by https"),
    *(Header(name, f"`{value}`", always=True) for name, value in SECURITY.items()),
)


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A field that a request may have, with the methods that look at it."""

    name: str
    words: str
    methods: tuple[str, ...] = ("get", "head", "post")
    schema: dict[str, Any] = field(default_factory=lambda: TEXT)

    @property
    def document(self) -> dict[str, Any]:
        """The field as a parameter."""
        return {"name": self.name, "in": "header", "description": self.words, "schema": self.schema}


REQUEST_HEADERS = (
    RequestHeader(
        "Accept-Encoding",
        f"{' or '.join(CODINGS)}, whichever you like best; without it nothing is coded",
        schema={"type": "string", "examples": ["zstd, gzip"]},
    ),
    RequestHeader(
        "If-None-Match", "nothing is sent of these versions: 304, and to a form 412", schema=E_TAGS
    ),
    RequestHeader("If-Match", "these versions alone: else 412", schema=E_TAGS),
    RequestHeader("If-Modified-Since", "nothing is sent of what is older: 304", ("get", "head"), MOMENT),
    RequestHeader("If-Unmodified-Since", "nothing newer: else 412", schema=MOMENT),
    RequestHeader(
        "Range",
        "one range of bytes of a result that is whole: 206 or 416; else the whole",
        ("get",),
        {"type": "string", "examples": ["bytes=0-99"]},
    ),
    RequestHeader("If-Range", "the range of this version alone: else the whole", ("get",), E_TAGS),
    RequestHeader(
        "X-Request-ID",
        "an id of your own for the request, used where it has 8 to 64 letters, digits, `.`, `_` and `-`",
    ),
)


def header_components() -> dict[str, Any]:
    """The fields of answers."""
    return {row.name: row.document for row in ANSWER_HEADERS}


def headers_of(status: int, names: Iterable[str] | None = None) -> dict[str, Any]:
    """References to the fields of answers of a status, or to those of them that are named."""
    return {
        row.name: {"$ref": f"#/components/headers/{row.name}"}
        for row in ANSWER_HEADERS
        if status in row.statuses or not row.statuses
        if names is None or not row.statuses or row.name in names
    }


def request_header_components() -> dict[str, Any]:
    """The fields of requests."""
    return {row.name: row.document for row in REQUEST_HEADERS}


def request_headers(method: str) -> list[dict[str, Any]]:
    """References to the fields that a method looks at."""
    return [
        {"$ref": f"#/components/parameters/{row.name}"} for row in REQUEST_HEADERS if method in row.methods
    ]
