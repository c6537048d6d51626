"""An HTTP proxy before an S3 server, that answers wrongly by rule; and the table of its faults."""

import http.client
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

WHERE = ("head", "listing", "footer", "data")
ALWAYS = sys.maxsize
DRIP_SECONDS = 0.05
# Of one connection only.
HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(slots=True)
class Answer:
    """What the storage said, which a fault may change before it is passed on."""

    status: int
    headers: dict[str, str]
    body: bytes
    where: str
    file: Path

    def error(self, status: int, code: str) -> "Answer":
        """S3's way to say no."""
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planted</Message></Error>".encode()
        return replace(self, status=status, headers={"Content-Type": "application/xml"}, body=body)


Change = Callable[[Answer], Answer]


@dataclass(frozen=True, slots=True)
class StorageFault:
    """A row of the table: what is changed of an answer, or how its body ends.

    ``bodies``: not of a HEAD; ``ranges``: of a part of an object only.
    """

    name: str
    change: Change = lambda answer: answer
    # What is sent of the body before it ends in that way, or all of it.
    ending: str = ""
    bodies: bool = False
    ranges: bool = False

    def applies(self, where: str) -> bool:
        """True where such an answer can have this fault."""
        return not (self.bodies and where == "head") and not (self.ranges and where in ("head", "listing"))


def _refused(status: int, code: str) -> Change:
    return lambda answer: answer.error(status, code)


def _field(name: str, value: str | None) -> Change:
    def change(answer: Answer) -> Answer:
        kept = {key: old for key, old in answer.headers.items() if key.lower() != name.lower()}
        return replace(answer, headers=kept if value is None else {**kept, name: value})

    return change


def _whole(answer: Answer) -> Answer:
    body = answer.file.read_bytes()
    return replace(_field("Content-Range", None)(answer), status=200, body=body)


def _page(answer: Answer) -> Answer:
    return replace(answer, status=200, headers={"Content-Type": "text/html"}, body=b"<html>Sign in</html>")


STORAGE_FAULTS = [
    StorageFault("400", _refused(400, "BadRequest")),
    StorageFault("403, credentials have expired", _refused(403, "ExpiredToken")),
    StorageFault("403, signature is too old", _refused(403, "RequestTimeTooSkewed")),
    StorageFault("404", _refused(404, "NoSuchKey")),
    StorageFault("412", _refused(412, "PreconditionFailed")),
    StorageFault("416", _refused(416, "InvalidRange")),
    StorageFault("429", _refused(429, "TooManyRequests")),
    StorageFault("500", _refused(500, "InternalError")),
    StorageFault("503, slow down", _refused(503, "SlowDown")),
    StorageFault("closed without an answer", ending="close"),
    StorageFault("a proxy's page", _page),
    StorageFault("short", ending="short", bodies=True),
    StorageFault("reset", ending="reset", bodies=True),
    StorageFault("stall", ending="stall", bodies=True),
    StorageFault("drip", ending="drip", bodies=True),
    StorageFault("200 for a range", _whole, ranges=True),
    StorageFault("another ETag", _field("ETag", '"another"')),
    StorageFault("no ETag", _field("ETag", None)),
]
# What they take is the service's own patience, so they are not tried with everything.
SLOW = frozenset({"stall", "drip"})


class StorageProxy:
    """Passes requests on to one S3 server over a folder, and plays at most one fault at a time."""

    def __init__(self, target: str, folder: Path) -> None:
        self._target = urlsplit(target).netloc
        self._folder = folder
        self._lock = threading.Lock()
        self._fault: StorageFault | None = None
        self._where, self._times = "", 0
        self._before: Callable[[], None] | None = None
        self.mended = threading.Event()
        self.hits = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                proxy.handle(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def handle(self) -> None:
                # Who asked may be gone, and so may the object.
                with suppress(OSError, http.client.HTTPException):
                    super().handle()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, name="storage", daemon=True).start()

    def break_(self, fault: StorageFault, where: str, times: int = ALWAYS) -> None:
        """Have so many of the next answers of that kind be wrong."""
        self.mended.clear()
        with self._lock:
            self._fault, self._where, self._times, self.hits = fault, where, times, 0

    def before_data(self, call: Callable[[], None]) -> None:
        """Call this once, before the first data is passed on."""
        self._before = call

    def mend(self) -> None:
        """Let everything pass as it is."""
        with self._lock:
            self._fault = self._before = None
        self.mended.set()

    def close(self) -> None:
        """Take no more requests."""
        self.mend()
        self._server.shutdown()
        self._server.server_close()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        answer = self._ask(handler)
        if answer.where == "data" and (call := self._take_call()):
            call()
        fault = self._take(answer.where)
        if fault:
            answer = fault.change(answer)
        self._send(handler, answer, fault.ending if fault else "")

    def _take(self, where: str) -> StorageFault | None:
        with self._lock:
            if self._fault is None or self._where != where or not self._times:
                return None
            self._times -= 1
            self.hits += 1
            return self._fault

    def _take_call(self) -> Callable[[], None] | None:
        with self._lock:
            call, self._before = self._before, None
            return call

    def _ask(self, handler: BaseHTTPRequestHandler) -> Answer:
        connection = http.client.HTTPConnection(self._target, timeout=30)
        try:
            connection.request(handler.command, handler.path, headers=dict(handler.headers.items()))
            response = connection.getresponse()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in HOP}
            body = response.read()
            if handler.command == "HEAD":
                headers["Content-Length"] = response.headers.get("Content-Length", "0")
        finally:
            connection.close()
        parts = urlsplit(handler.path)
        file = self._folder / unquote(parts.path).lstrip("/")
        return Answer(response.status, headers, body, _where(handler, headers), file)

    def _send(self, handler: BaseHTTPRequestHandler, answer: Answer, ending: str) -> None:
        if ending == "close":
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if handler.command != "HEAD":
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        part = answer.body if not ending else answer.body[: len(answer.body) // 2]
        handler.wfile.write(part)
        if ending:
            handler.close_connection = True
        if ending == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # http.server's own end would be a shutdown, which is no reset.
            handler.connection.close()
        elif ending == "stall":
            self.mended.wait()
        elif ending == "drip":
            rest = iter(answer.body[len(part) :])
            while not self.mended.wait(DRIP_SECONDS) and (byte := next(rest, None)) is not None:
                handler.wfile.write(bytes((byte,)))
                handler.wfile.flush()


def _where(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> str:
    if handler.command == "HEAD":
        return "head"
    if "list-type" in handler.path or "prefix=" in handler.path:
        return "listing"
    start = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
    total = headers.get("Content-Range", headers.get("content-range", "/")).rpartition("/")[2]
    # Its reader asks for the last bytes alone.
    return "footer" if not start or (total and int(start) > int(total) * 0.8) else "data"


@contextmanager
def faulty_storage(target: str, folder: Path) -> Iterator[StorageProxy]:
    """A proxy before a server over a folder, for the length of the block."""
    proxy = StorageProxy(target, folder)
    try:
        yield proxy
    finally:
        proxy.close()
