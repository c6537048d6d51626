"""Traces as a collector gets them: OTLP over HTTP, decoded by OpenTelemetry's own messages."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from application.telemetry.tracing import is_wanted
from tests.support import tables
from tests.support.processes import running
from tests.support.s3_server import s3_server
from tests.support.serving import serving, serving_folder

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass(slots=True)
class Collector:
    """What was sent to it."""

    url: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    raw: bytes = b""

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> Any:
        (found,) = [span for span in self.spans() if span.name == name]
        return found

    def resource(self) -> dict[str, str]:
        return _attributes(self.requests[0].resource_spans[0].resource)


def _attributes(thing: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in thing.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """An OTLP receiver."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            found.raw += body
            found.requests.append(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tables.write(tables.sample(), tmp_path / "bucket" / "sample.parquet")
    return tmp_path / "bucket"


def test_a_download_is_one_trace_within_the_clients(
    collector: Collector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    bucket = {"dataset_bucket": "bucket", "dataset_prefix": "", "aws_region": "eu-west-2"}
    with (
        s3_server(folder.parent, KEY, SECRET) as endpoint,
        serving(**bucket, aws_endpoint_url=endpoint) as served,
    ):
        served.get("/sample.csv", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    spans = collector.spans()
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    request, plan, produce = (collector.named(name) for name in ("GET", "plan", "produce"))
    assert request.parent_span_id.hex() == PARENT
    assert plan.parent_span_id == request.span_id
    assert produce.parent_span_id == request.span_id
    storage = [span for span in spans if span.name.startswith("storage.")]
    assert {"storage.head", "storage.read"} <= {span.name for span in storage}
    assert {span.parent_span_id for span in storage} <= {plan.span_id, produce.span_id}
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    shown = _attributes(request)
    assert shown["http.response.status_code"] == 200
    assert (shown["download.dataset"], shown["download.format"]) == ("sample", "csv")
    assert (shown["download.outcome"], shown["download.source"]) == ("complete", "made")
    assert collector.resource()["service.name"] == "download-lambda"


def test_a_failure_is_told_by_its_kind_alone(
    collector: Collector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    with serving_folder(folder) as served:
        served.get("/planted-name.csv", headers={"x-api-key": "planted-key"})
    plan = collector.named("plan")
    assert _attributes(plan)["error.type"] == "DatasetNotFound"
    assert not plan.events
    assert not plan.status.message
    assert _attributes(collector.named("GET"))["error.type"] == "dataset-not-found"
    assert b"planted-key" not in collector.raw


def test_the_log_has_the_traces_id(collector: Collector, folder: Path) -> None:
    with running(
        folder, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="my-downloads"
    ) as server:
        server.get("/sample.csv", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        server.process.terminate()
        server.process.wait(15)
    (line,) = server.requests()
    assert line["trace_id"] == TRACE
    assert any("traces on" in line for line in server.lines)
    # What was left is sent before the process ends.
    assert collector.named("produce").trace_id.hex() == TRACE
    assert collector.resource()["service.name"] == "my-downloads"


def test_a_collector_that_is_away_costs_no_download(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with serving_folder(folder) as served:
        assert served.get("/sample.csv").status_code == 200


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_the_standard_variables_decide(variables: dict[str, str], wanted: bool) -> None:
    assert is_wanted(variables) is wanted


def test_without_the_extra_the_service_says_so_and_serves(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    # As when it is not installed: importing it raises ImportError.
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with serving_folder(folder, log_level="INFO") as served:
        assert served.get("/sample.csv").status_code == 200
    assert "pip install 'download-lambda[otel]'" in capsys.readouterr().err


def test_nothing_of_it_is_imported_unless_asked_for(folder: Path) -> None:
    program = f"""
import asyncio, sys
from application.main import create_app
from application.settings import Settings

app = create_app(Settings(dataset_bucket={folder.as_uri()!r}, dataset_prefix=""))
scope = dict(type="http", http_version="1.1", method="GET", scheme="http", path="/sample.csv", raw_path=b"",
             root_path="", query_string=b"", headers=[(b"host", b"here")],
             client=("127.0.0.1", 1), server=("127.0.0.1", 2))
sent = []

async def receive():
    await asyncio.Event().wait()

async def send(message):
    sent.append(message)

asyncio.run(app(scope, receive, send))
assert sent[0]["status"] == 200, sent
# FastAPI itself looks whether OpenTelemetry's interface is there.
loaded = {{"opentelemetry.sdk", "opentelemetry.exporter", "prometheus_client"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
