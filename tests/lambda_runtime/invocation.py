"""One invocation of a function: its event, what Lambda allows it, its response on the way to the client."""

import hashlib
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tests.lambda_runtime.front import PLAIN, RENAMED_LENGTH, Front, has_body

PIECES_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Lambda's own limits, in bytes and seconds; tests make them smaller, or the pace faster."""

    response_bytes: int = 200_000_000
    buffered_bytes: int = 6_000_000
    event_bytes: int = 256 << 10
    burst_bytes: int = 6_000_000
    bytes_per_second: float = 2_000_000.0
    seconds: float = 300.0


class Ended(StrEnum):
    """How Lambda saw a response end. The client sees a clean end, unless it left or waits for ever."""

    WHOLE = "whole"
    FAILED = "the function reported an error"
    CRASHED = "a process ended"
    DEADLINE = "the deadline passed"
    TOO_LARGE = "larger than Lambda carries"
    LEFT = "the client left"
    HANGS = "it never ends for the client"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client of a Function URL got."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    ended: Ended
    seconds: float

    @property
    def content(self) -> tuple[int, str]:
        """What bodies are compared by: a failure shows two lengths and digests, not megabytes."""
        return content(self.body)

    @property
    def is_short(self) -> bool:
        """True where the length that the headers promised shows that bytes are missing."""
        promised = self.headers.get("content-length", self.headers.get(RENAMED_LENGTH))
        return promised is not None and int(promised) != len(self.body)


def content(body: bytes) -> tuple[int, str]:
    """A body's length and its SHA-256."""
    return len(body), hashlib.sha256(body).hexdigest()


@dataclass(slots=True)
class Head:
    """Status and headers, the names in small letters."""

    status: int
    headers: dict[str, str]


@dataclass(eq=False)
class Invocation:
    """Written by the Runtime API, read by a client; either may be gone before the other is done."""

    event: bytes
    limits: Limits
    front: Front = PLAIN
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline_ms: int = 0

    def __post_init__(self) -> None:
        self._pieces: queue.Queue[bytes | None] = queue.Queue(PIECES_AHEAD)
        self._known = threading.Event()
        self._gone = threading.Event()
        self._lock = threading.Lock()
        self._head: Head | None = None
        self._decode: Callable[[bytes], bytes] = bytes
        self._is_empty = True
        self.ended: Ended | None = None
        self.over = threading.Event()

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """The prelude: the client learns of it at once."""
        with self._lock:
            if self.ended is None:
                self._head = Head(status, self.front.headers(headers))
                self._decode = self.front.decoder(headers)
                self._known.set()

    def write(self, piece: bytes) -> None:
        """Hand on a piece; waits for a slow client, and drops what a client that left would have got."""
        self._is_empty = self._is_empty and not piece
        self._put(self._decode(piece))

    @property
    def hangs(self) -> bool:
        """True once it has ended without a byte before a front that waits for one."""
        return self.front.hangs and self._is_empty and self.ended is Ended.WHOLE

    def end(self, how: Ended) -> None:
        """The first way to end is the one that counts."""
        with self._lock:
            if self.ended is not None:
                return
            self.ended = how
            if self._head is None:
                # What a Function URL answers when its function gave no response.
                self._head = Head(502, {"content-type": "application/json"})
            self._known.set()
        self._put(None)
        self.over.set()

    def head(self) -> Head:
        """Wait for the prelude, or for the failure that takes its place."""
        self._known.wait()
        assert self._head is not None
        return self._head

    def pieces(self) -> Iterator[bytes]:
        """What follows the prelude, to its end."""
        while (piece := self._pieces.get()) is not None:
            yield piece

    def leave(self) -> None:
        """The client is gone; Lambda lets the function run on."""
        self._gone.set()

    def _put(self, piece: bytes | None) -> None:
        while not self._gone.is_set() and (piece is None or self.ended is None):
            try:
                self._pieces.put(piece, timeout=0.05)
            except queue.Full:
                continue
            return


def read(invocation: Invocation, leave_after: int | None = None, method: str = "GET") -> Answer:
    """Be the client: read to the end, or leave after so many bytes of the body.

    Who would wait for an end that never comes gets an answer that says so.
    """
    started = time.monotonic()
    head = invocation.head()
    body = bytearray()
    has_left = leave_after == 0
    if not has_left:
        for piece in invocation.pieces():
            body += piece
            if leave_after is not None and len(body) >= leave_after:
                has_left = True
                break
    if has_left:
        invocation.leave()
    hangs = invocation.hangs and has_body(method, head.status)
    ended = Ended.LEFT if has_left else Ended.HANGS if hangs else invocation.ended
    assert ended is not None
    return Answer(head.status, head.headers, bytes(body), ended, time.monotonic() - started)


class Pace:
    """The first bytes at full speed, the rest at Lambda's rate."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent = 0
        self._burst_ended: float | None = None

    def wait(self, size: int) -> None:
        """Sleep until so many more bytes may go."""
        self._sent += size
        beyond = self._sent - self._limits.burst_bytes
        if beyond <= 0:
            return
        if self._burst_ended is None:
            self._burst_ended = time.monotonic()
        due = self._burst_ended + beyond / self._limits.bytes_per_second
        time.sleep(max(due - time.monotonic(), 0))
