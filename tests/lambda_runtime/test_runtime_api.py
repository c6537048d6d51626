"""The played Lambda itself, spoken to as a runtime speaks to it."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import Queue

import pytest

from tests.lambda_runtime.event import function_url_event
from tests.lambda_runtime.invocation import Answer, Ended, Invocation, Limits, read
from tests.lambda_runtime.runtime_api import RuntimeApi

FAST = Limits(bytes_per_second=1e9)
PRELUDE = json.dumps({"statusCode": 200, "headers": {"Content-Type": "text/csv"}, "cookies": []}).encode()
STREAMING = {"Lambda-Runtime-Function-Response-Mode": "streaming", "Transfer-Encoding": "chunked"}


class Runtime:
    """A Runtime API with one runtime that asks for what is queued."""

    def __init__(self) -> None:
        self.queue: Queue[Invocation | None] = Queue()
        self.api = RuntimeApi(self.queue.get)
        self.connection = http.client.HTTPConnection(self.api.address, timeout=10)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        self.connection.request("POST", f"/2018-06-01/runtime/invocation/{path}", body, headers)
        return self.status()

    def status(self) -> int:
        with self.connection.getresponse() as response:
            response.read()
            return response.status

    def next(self) -> tuple[str, int, dict[str, object]]:
        """An invocation's id, its deadline in milliseconds, and its event."""
        self.connection.request("GET", "/2018-06-01/runtime/invocation/next")
        with self.connection.getresponse() as response:
            event = json.loads(response.read())
            identity = response.headers["Lambda-Runtime-Aws-Request-Id"]
            return identity, int(response.headers["Lambda-Runtime-Deadline-Ms"]), event

    def begin(self, identity: str) -> None:
        """Open a streamed response and send its prelude."""
        self.connection.putrequest("POST", f"/2018-06-01/runtime/invocation/{identity}/response")
        for name, value in STREAMING.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()
        self.send(PRELUDE[:10])
        self.send(PRELUDE[10:] + bytes(8))

    def send(self, data: bytes) -> None:
        self.connection.send(b"%x\r\n%b\r\n" % (len(data), data))


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    made = Runtime()
    yield made
    made.connection.close()
    made.queue.put(None)
    made.api.close(Ended.CRASHED)


@pytest.fixture
def ask(runtime: Runtime) -> Iterator[Callable[..., "Future[Answer]"]]:
    """Asks for /rows.csv, with limits and perhaps leaving; what the client gets comes later."""
    with ThreadPoolExecutor() as pool:

        def start(limits: Limits = FAST, leave_after: int | None = None) -> "Future[Answer]":
            invocation = Invocation(function_url_event("GET", "/rows.csv?a=1&a=2"), limits, deadline_ms=7)
            runtime.queue.put(invocation)
            return pool.submit(read, invocation, leave_after)

        yield start


Ask = Callable[..., "Future[Answer]"]


def test_an_event_is_a_request_in_format_2(runtime: Runtime, ask: Ask) -> None:
    answer = ask()
    identity, deadline, event = runtime.next()
    assert deadline == 7
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/rows.csv", "a=1&a=2")
    assert event["queryStringParameters"] == {"a": "1,2"}
    assert runtime.post(f"{identity}/error", b"{}", {}) == 202
    assert (answer.result().status, answer.result().ended) == (502, Ended.FAILED)


def test_a_stream_is_prelude_and_payload(runtime: Runtime, ask: Ask) -> None:
    answer = ask()
    runtime.begin(runtime.next()[0])
    for piece in (b"one,", b"two\n" + bytes(9)):
        runtime.send(piece)
    runtime.connection.send(b"0\r\nLambda-Runtime-Function-Error-Type: x\r\n\r\n")
    assert runtime.status() == 202
    got = answer.result()
    assert (got.status, got.headers, got.ended) == (200, {"content-type": "text/csv"}, Ended.WHOLE)
    assert got.body == b"one,two\n" + bytes(9)


def test_a_stream_that_breaks_off_has_crashed(runtime: Runtime, ask: Ask) -> None:
    answer = ask()
    runtime.begin(runtime.next()[0])
    runtime.send(b"one")
    runtime.connection.close()
    assert (answer.result().body, answer.result().ended) == (b"one", Ended.CRASHED)


def test_what_is_beyond_the_limit_does_not_arrive(runtime: Runtime, ask: Ask) -> None:
    answer = ask(replace(FAST, response_bytes=5))
    runtime.begin(runtime.next()[0])
    for _ in range(3):
        runtime.send(b"four")
    runtime.connection.send(b"0\r\n\r\n")
    assert runtime.status() == 413
    assert (answer.result().body, answer.result().ended) == (b"fourf", Ended.TOO_LARGE)


def test_beyond_the_burst_bytes_take_their_time(runtime: Runtime, ask: Ask) -> None:
    answer = ask(replace(FAST, burst_bytes=1000, bytes_per_second=20_000))
    runtime.begin(runtime.next()[0])
    for _ in range(5):
        runtime.send(bytes(1000))
    runtime.connection.send(b"0\r\n\r\n")
    assert runtime.status() == 202
    assert len(answer.result().body) == 5000
    assert answer.result().seconds >= 4000 / 20_000


def test_a_client_that_leaves_does_not_stop_the_runtime(runtime: Runtime, ask: Ask) -> None:
    answer = ask(leave_after=10)
    runtime.begin(runtime.next()[0])
    for _ in range(200):
        runtime.send(bytes(10))
    runtime.connection.send(b"0\r\n\r\n")
    assert runtime.status() == 202
    assert (answer.result().ended, len(answer.result().body)) == (Ended.LEFT, 10)


def test_a_buffered_response_is_decoded(runtime: Runtime, ask: Ask) -> None:
    answer = ask()
    response = {"statusCode": 404, "headers": {"ETag": "x"}, "body": "aGVsbG8=", "isBase64Encoded": True}
    assert runtime.post(f"{runtime.next()[0]}/response", json.dumps(response).encode(), {}) == 202
    got = answer.result()
    assert (got.status, got.headers, got.body) == (404, {"etag": "x"}, b"hello")


def test_at_the_end_of_a_sandbox_what_runs_ends(runtime: Runtime, ask: Ask) -> None:
    answer = ask()
    runtime.next()
    threading.Timer(0.1, runtime.api.close, (Ended.DEADLINE,)).start()
    assert (answer.result().status, answer.result().ended) == (502, Ended.DEADLINE)
