"""Lambda's Runtime API and Extensions API over HTTP, for the processes of one sandbox."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any

from tests.lambda_runtime.invocation import Ended, Invocation, Pace

ARN = "arn:aws:lambda:eu-west-2:123456789012:function:download-lambda"
NEXT = "/2018-06-01/runtime/invocation/next"
OUTCOME = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
PRELUDE_END = bytes(8)
PRELUDE_BYTES = 1 << 20


class Broken(ConnectionError):
    """The process at the other end is gone in the middle of a message."""


class RuntimeApi:
    """Listens on a free port until it is closed; ``take`` waits for the next invocation, None at the end."""

    def __init__(self, take: Callable[[], Invocation | None]) -> None:
        self._take = take
        self._closed = threading.Event()
        self._running: dict[str, Invocation] = {}
        self.extensions: list[str] = []
        api = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                api.get(self)

            def do_POST(self) -> None:
                api.post(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self, how: Ended) -> None:
        """Answer nobody any more; what runs has ended so."""
        self._closed.set()
        for invocation in list(self._running.values()):
            invocation.end(how)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def get(self, request: "_Handler") -> None:
        """The two long polls."""
        if request.path == "/2020-01-01/extension/event/next":
            # An adapter asks for no events, so it gets none, and waits until the sandbox is no more.
            self._closed.wait()
            request.close_connection = True
        elif request.path == NEXT:
            invocation = self._take()
            if invocation is None:
                request.close_connection = True
                return
            self._running[invocation.id] = invocation
            if self._closed.is_set():
                invocation.end(Ended.CRASHED)
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e;Sampled=0",
            }
            request.answer(200, invocation.event, headers)
        else:
            request.answer(404, b"{}")

    def post(self, request: "_Handler") -> None:
        """Registration, responses and errors."""
        if request.path == "/2020-01-01/extension/register":
            b"".join(request.body())
            self.extensions.append(request.headers["Lambda-Extension-Name"])
            identifier = {"Lambda-Extension-Identifier": f"extension-{len(self.extensions)}"}
            request.answer(200, b'{"functionName": "download-lambda"}', identifier)
            return
        outcome = OUTCOME.fullmatch(request.path)
        invocation = self._running.get(outcome[1]) if outcome else None
        if outcome is None or invocation is None:
            b"".join(request.body())
            request.answer(202 if request.path.endswith("/init/error") else 404, b"{}")
            return
        try:
            how = self._error(request) if outcome[2] == "error" else self._response(request, invocation)
        except Broken:
            how = Ended.CRASHED
            request.close_connection = True
        self._running.pop(invocation.id, None)
        invocation.end(how)
        if not request.close_connection:
            status = 413 if how is Ended.TOO_LARGE else 202
            request.answer(status, json.dumps({"status": "OK" if status == 202 else "too large"}).encode())

    def _error(self, request: "_Handler") -> Ended:
        b"".join(request.body())
        return Ended.FAILED

    def _response(self, request: "_Handler", invocation: Invocation) -> Ended:
        if request.headers.get("Lambda-Runtime-Function-Response-Mode", "").lower() == "streaming":
            return _stream(request.body(), invocation)
        return _buffered(b"".join(request.body()), invocation)


def _stream(pieces: Iterator[bytes], invocation: Invocation) -> Ended:
    """The prelude, then the payload at Lambda's pace and up to its limit."""
    start = b""
    for piece in pieces:
        start += piece
        if PRELUDE_END in start or len(start) > PRELUDE_BYTES:
            break
    text, mark, rest = start.partition(PRELUDE_END)
    if not mark:
        return Ended.FAILED
    prelude = json.loads(text)
    headers = {name.lower(): value for name, value in prelude.get("headers", {}).items()}
    invocation.begin(prelude["statusCode"], headers)
    pace, sent, limit = Pace(invocation.limits), 0, invocation.limits.response_bytes
    for piece in _after(rest, pieces):
        kept = piece[: limit - sent]
        pace.wait(len(kept))
        invocation.write(kept)
        sent += len(kept)
        if len(kept) < len(piece):
            invocation.end(Ended.TOO_LARGE)
            # Lambda stops listening; the process is let finish, so that it can go on to its next event.
            for _ in pieces:
                pass
            return Ended.TOO_LARGE
    return Ended.WHOLE


def _after(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from pieces


def _buffered(body: bytes, invocation: Invocation) -> Ended:
    """A whole response as JSON, as AWS_LWA_INVOKE_MODE=buffered gives it."""
    if len(body) > invocation.limits.buffered_bytes:
        return Ended.TOO_LARGE
    response = json.loads(body)
    headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
    invocation.begin(response["statusCode"], headers)
    content = response.get("body") or ""
    invocation.write(base64.b64decode(content) if response.get("isBase64Encoded") else content.encode())
    return Ended.WHOLE


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at what came of it."""

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        with suppress(ConnectionError):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def body(self) -> Iterator[bytes]:
        """The request's body in pieces as they come, trailers left out; raises Broken."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            yield from _chunks(self.rfile)
        elif length := int(self.headers.get("Content-Length", 0)):
            yield _exactly(self.rfile, length)


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    try:
        while size := int(source.readline(64).split(b";")[0], 16):
            yield _exactly(source, size)
            source.readline(2)
        while source.readline(1 << 16).strip():
            continue
    except (ValueError, ConnectionError) as error:
        raise Broken from error


def _exactly(source: IO[bytes], size: int) -> bytes:
    try:
        data = source.read(size)
    except ConnectionError as error:
        raise Broken from error
    if len(data) < size:
        raise Broken
    return data
