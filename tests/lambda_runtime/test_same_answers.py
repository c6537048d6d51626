"""The same requests through uvicorn, the image's command, and the real adapter: the same answers."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2
import pytest

from application.settings import LAMBDA_BYTES
from tests.lambda_runtime.conftest import Bucket, Starter
from tests.lambda_runtime.front import has_body
from tests.lambda_runtime.function import Function, Image, free_port
from tests.lambda_runtime.report import Table
from tests.support.serving import SECONDS, Served, eventually

pytestmark = pytest.mark.adapter

# These are of one connection, or of one moment; a Function URL is HTTPS, and the others here are not.
OWN_HEADERS = {"date", "server", "connection", "x-request-id", "strict-transport-security"}
TAG = "{etag}"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and its status; ``{etag}`` in a header stands for the target's ETag."""

    case: str
    status: int
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""

    @property
    def has_body(self) -> bool:
        """Empty bodies have hung behind Function URLs: only HTTP itself may demand one."""
        return has_body(self.method, self.status)


REQUESTS = [
    Asked("health", 200, "/health"),
    Asked("HEAD health", 200, "/health", method="HEAD"),
    Asked("ready", 200, "/ready"),
    *(
        Asked(f"{extension}", 200, f"/sample.{extension}")
        for extension in ("csv", "tsv", "json", "ndjson", "parquet", "arrow", "xlsx")
    ),
    *(
        Asked(f"{extension}, filtered", 200, f"/sample.{extension}?organisation-entity=org-1&quality=")
        for extension in ("csv", "tsv", "json", "ndjson", "parquet", "arrow", "xlsx")
    ),
    *(
        Asked(f"{extension}, {coding}", 200, f"/sample.{extension}", {"accept-encoding": coding})
        for extension in ("csv", "tsv", "json", "ndjson", "arrow")
        for coding in ("gzip", "zstd")
    ),
    *(
        Asked(f"{extension}, no row matches", 200, f"/sample.{extension}?organisation-entity=none")
        for extension in ("csv", "tsv", "json", "ndjson", "parquet", "arrow", "xlsx")
    ),
    *(
        Asked(f"{extension} of no rows", 200, f"/empty.{extension}")
        for extension in ("csv", "tsv", "json", "ndjson", "parquet", "arrow", "xlsx")
    ),
    Asked("csv of no rows, gzip", 200, "/empty.csv", {"accept-encoding": "gzip"}),
    Asked("parts", 200, "/dataset/parts.json"),
    Asked("fields, one missing", 200, "/sample.csv?field=name&field=no%20such&field=entity"),
    Asked("HEAD csv", 200, "/sample.csv", method="HEAD"),
    Asked("HEAD parquet", 200, "/sample.parquet", method="HEAD"),
    Asked("csv, the client has it", 304, "/sample.csv", {"if-none-match": TAG}),
    Asked("manifest, the client has it", 304, "/datasets/sample/manifest?format=csv", {"if-none-match": TAG}),
    Asked("parquet, the client has it", 304, "/sample.parquet", {"if-none-match": TAG}),
    Asked("parquet, a range of the stored file", 206, "/sample.parquet", {"range": "bytes=-8"}),
    Asked("csv, a range", 206, "/sample.csv", {"range": "bytes=5-19", "if-range": TAG}),
    Asked("csv, a range of another version", 200, "/sample.csv", {"range": "bytes=5-", "if-range": '"x"'}),
    Asked("manifest", 200, "/datasets/sample/manifest?format=csv&organisation-entity=org-2"),
    Asked("no such dataset", 404, "/absent.csv"),
    Asked("no such format", 404, "/sample.exe"),
    Asked("no such path", 404, "/a/b/c"),
    Asked("HEAD, no such dataset", 404, "/absent.csv", method="HEAD"),
    Asked(
        "a form",
        200,
        "/sample.csv",
        FORM,
        "POST",
        b"organisation-entity=org-1&name__in=one%2C%22tw%22%22o%22",
    ),
    Asked("a form, nothing matches", 200, "/sample.json", FORM, "POST", b"organisation-entity=none"),
    Asked(
        "a form, the client has it", 412, "/sample.csv", {**FORM, "if-none-match": "*"}, "POST", b"limit=1"
    ),
    Asked("no form", 415, "/sample.csv", {"content-type": "application/json"}, "POST", b"{}"),
    Asked("a form as a query", 200, "/sample.csv", FORM, "QUERY", b"limit=2"),
    Asked("no such method", 405, "/sample.csv", method="DELETE"),
    Asked("no coding accepted", 406, "/sample.csv", {"accept-encoding": "identity;q=0"}),
    Asked("another version wanted", 412, "/sample.csv", {"if-match": '"another"'}),
    Asked("a range beyond the end", 416, "/sample.csv", {"range": "bytes=9999-"}),
    Asked("a bad value", 422, "/sample.csv?entity=abc"),
    Asked("a misspelt parameter", 422, "/sample.csv?qualty=some"),
]


@dataclass(frozen=True, slots=True)
class Told:
    """What has to be the same."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, status: int, headers: dict[str, str], body: bytes) -> "Told":
        if headers.get("content-type") == "application/problem+json" and body:
            problem = json.loads(body)
            del problem["request_id"]
            body = json.dumps(problem).encode()
            headers = {name: value for name, value in headers.items() if name != "content-length"}
        return cls(status, {name: value for name, value in headers.items() if name not in OWN_HEADERS}, body)


@pytest.fixture(scope="module")
def command(service_image: Image, bucket: Bucket) -> Iterator[httpx2.Client]:
    """The image's command without Lambda around it."""
    port = free_port()
    words, environment = service_image.on_port(port)
    # As it is on Lambda by itself: answers promise no ranges of a query, and none is empty.
    given = {"AWS_REGION": "eu-west-2", "EMPTY_BODIES": "false", "RESPONSE_MAX_BYTES": str(LAMBDA_BYTES)}
    environment = {**environment, **bucket.settings(), **given}
    with (
        subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS, trust_env=False) as client,
    ):
        try:
            assert eventually(lambda: process.poll() is not None or answers(client))
            yield client
        finally:
            process.terminate()
            process.wait(SECONDS)


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False


def over_http(client: httpx2.Client, asked: Asked, headers: dict[str, str]) -> Told:
    with client.stream(asked.method, asked.target, headers=headers, content=asked.body) as response:
        body = b"".join(response.iter_raw())
    return Told.of(response.status_code, dict(response.headers), body)


@pytest.mark.parametrize("asked", REQUESTS, ids=lambda asked: asked.case)
def test_a_request_is_answered_the_same_everywhere(
    asked: Asked, direct: Served, command: httpx2.Client, lambda_function: Function, table: Table
) -> None:
    headers = {"accept-encoding": "identity", "accept": "*/*", "user-agent": "test", **asked.headers}
    tag = direct.client.head(asked.target).headers.get("etag", "")
    headers = {name: value.replace(TAG, tag) for name, value in headers.items()}
    expected = over_http(direct.client, asked, headers)
    answer = lambda_function.invoke(asked.method, asked.target, headers, asked.body)
    told = Told.of(answer.status, answer.headers, answer.body)
    table.add(asked.case, answer, is_equal=told.body == expected.body)
    assert told == expected
    assert over_http(command, asked, headers) == expected
    assert expected.status == asked.status
    assert bool(answer.body) == asked.has_body


def test_there_are_thirty_requests_and_more() -> None:
    assert len({(asked.method, asked.target, *asked.headers.items()) for asked in REQUESTS}) >= 30


def test_the_adapter_finds_the_application_by_its_health(start: Starter, bucket: Bucket) -> None:
    with start({**bucket.settings(), "LOG_LEVEL": "DEBUG"}) as function:
        answer = function.invoke("GET", "/sample.csv")
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert function.sandbox.api.extensions == ["lambda-adapter"]
        assert eventually(lambda: '"resource": "health"' in function.log)
