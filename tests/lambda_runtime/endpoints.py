"""The two ways into a function over HTTP: its Function URL, and the Invoke API that AWS clients call."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from tests.lambda_runtime.event import function_url_event
from tests.lambda_runtime.front import has_body
from tests.lambda_runtime.function import Function

INVOCATIONS = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


@contextmanager
def function_url(function: Function) -> Iterator[str]:
    """The function's address for any HTTP client.

    Bodies are chunked, without the function's Content-Length, and end cleanly however the function
    ended: the worst that a client can meet.
    """

    class Handler(_Handler):
        def do_GET(self) -> None:
            self._invoke()

        def do_HEAD(self) -> None:
            self._invoke()

        def do_POST(self) -> None:
            self._invoke()

        def _invoke(self) -> None:
            event = function_url_event(self.command, self.path, dict(self.headers.items()), self.body())
            invocation = function.submit(event, front=function.front)
            head = invocation.head()
            try:
                self.send_response(head.status)
                is_chunked = has_body(self.command, head.status)
                for name, value in head.headers.items():
                    if name not in {"content-length", "connection", "date", "server"} or not is_chunked:
                        self.send_header(name, value)
                if is_chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in invocation.pieces():
                    if is_chunked and piece:
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                if is_chunked and invocation.hangs:
                    # Until the client leaves.
                    self.rfile.read(1)
                    self.close_connection = True
                elif is_chunked:
                    self.wfile.write(b"0\r\n\r\n")
            except ConnectionError:
                invocation.leave()
                self.close_connection = True

    with _serving(Handler) as url:
        yield url


@contextmanager
def invoke_api(function: Function) -> Iterator[str]:
    """What AWS_ENDPOINT_URL_LAMBDA may name: takes signed asynchronous invocations, and queues them."""

    class Handler(_Handler):
        def do_POST(self) -> None:
            payload = self.body()
            status, kind = self._problem(payload)
            if status == 202:
                threading.Thread(
                    target=function.invoke_event, args=(json.loads(payload),), daemon=True
                ).start()
            body = json.dumps({"Message": kind}).encode() if kind else b""
            with suppress(ConnectionError):
                self.send_response(status)
                if kind:
                    self.send_header("X-Amzn-ErrorType", kind)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def _problem(self, payload: bytes) -> tuple[int, str]:
            """202 and nothing, or the status and the type of the error that Lambda tells."""
            found = INVOCATIONS.fullmatch(unquote(self.path.partition("?")[0]))
            if not found or found[1].rpartition(":")[2] != function.name:
                return 404, "ResourceNotFoundException"
            if not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 "):
                return 403, "MissingAuthenticationTokenException"
            if self.headers.get("X-Amz-Invocation-Type") != "Event":
                return 400, "InvalidParameterValueException"
            if len(payload) > function.limits.event_bytes:
                return 413, "RequestTooLargeException"
            try:
                json.loads(payload)
            except ValueError:
                return 400, "InvalidRequestContentException"
            return 202, ""

    with _serving(Handler) as url:
        yield url


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests look at what came of it."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
