"""What no answer of Lambda's can carry: refused with the numbers, or exported by a call of its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from application.cli import main
from tests.lambda_runtime.conftest import FAST, KEY, SECRET, Bucket, Starter
from tests.lambda_runtime.endpoints import function_url, invoke_api
from tests.lambda_runtime.function import Function
from tests.lambda_runtime.invocation import Answer, Ended
from tests.lambda_runtime.report import Table
from tests.support import tables
from tests.support.s3_server import s3_server
from tests.support.serving import Served, eventually, serving_folder

pytestmark = pytest.mark.adapter

# Small enough for tests; CSV of *rows* is 22 MB, and 12 MB as gzip.
MOST_BYTES = 15_000_000


@dataclass(frozen=True, slots=True)
class Buckets:
    """A bucket of datasets and one for exports, on one server."""

    datasets: Bucket
    exports: Path

    def settings(self, **more: str) -> dict[str, str]:
        limits = {"RESPONSE_MAX_BYTES": str(MOST_BYTES), "EXPORT_BUCKET": "exports"}
        return {**self.datasets.settings(), **limits, **more}

    def exported(self) -> list[Path]:
        return [path for path in self.exports.rglob("*") if path.is_file() and path.suffix != ".json"]


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[Buckets]:
    root = tmp_path / "s3"
    folder = root / "bucket" / "dataset"
    (root / "exports").mkdir(parents=True)
    tables.write(tables.large(12), folder / "rows.parquet")
    tables.write(tables.large(12), folder / "bad.parquet")
    tables.spoil(folder / "bad.parquet", 10)
    with s3_server(root, KEY, SECRET, writable=True) as endpoint:
        yield Buckets(Bucket(folder, endpoint), root / "exports")


@pytest.fixture
def exporting(start: Starter, buckets: Buckets) -> Iterator[Function]:
    """A function that can call itself, in a second sandbox."""
    limits = replace(FAST, response_bytes=MOST_BYTES)
    with start(buckets.settings(), concurrency=2, limits=limits) as function, invoke_api(function) as url:
        function.environment["AWS_ENDPOINT_URL_LAMBDA"] = url
        yield function


@pytest.fixture
def truth(buckets: Buckets) -> Iterator[Served]:
    """The same datasets, without limits."""
    with serving_folder(buckets.datasets.folder) as served:
        yield served


def patient(function: Function, target: str) -> Answer:
    """Ask again while there is a 503 with Retry-After, as curl --retry does."""
    answers: list[Answer] = []

    def is_settled() -> bool:
        answers.append(function.invoke("GET", target))
        return answers[-1].status != 503

    assert eventually(is_settled, 60), answers[-1].body
    return answers[-1]


def test_what_is_beyond_lambda_is_refused_by_its_exact_size(
    lambda_function: Function, direct: Served, table: Table
) -> None:
    large = direct.get("/large.csv").content
    # Two parts of the same rows, and one header.
    size = 2 * len(large) - len(large.partition(b"\n")[0]) - 1
    answer = lambda_function.invoke("GET", "/huge.csv")
    table.add("a result beyond 200,000,000 bytes", answer)
    problem = json.loads(answer.body)
    assert size > 200_000_000
    assert (answer.status, problem["code"], answer.ended) == (413, "result-too-large", Ended.WHOLE)
    assert f"{size:,} bytes" in problem["detail"]
    assert "200,000,000" in problem["detail"]


def test_what_no_answer_can_carry_is_exported_by_the_function_itself(
    exporting: Function, buckets: Buckets, truth: Served, table: Table
) -> None:
    first = exporting.invoke("GET", "/rows.csv")
    table.add("an export is begun", first)
    assert (first.status, json.loads(first.body)["code"]) == (503, "export-pending")
    assert int(first.headers["retry-after"]) > 0
    answer = patient(exporting, "/rows.csv")
    table.add("an export is there", answer)
    assert answer.status == 307
    assert answer.headers["location"].encode() in answer.body
    stored = httpx2.get(answer.headers["location"], trust_env=False)
    expected = truth.get("/rows.csv").content
    assert sha256(stored.content).hexdigest() == sha256(expected).hexdigest()
    assert stored.headers["content-type"] == "text/csv"
    assert stored.headers["content-disposition"] == 'attachment; filename="rows.csv"'
    assert [event.status for event in exporting.events] == [200]
    assert [path.name for path in buckets.exported()] == ["rows.csv"]


def test_what_an_answer_can_carry_is_not_exported(
    exporting: Function, buckets: Buckets, truth: Served
) -> None:
    answer = exporting.invoke("GET", "/rows.csv", {"accept-encoding": "gzip"})
    assert (answer.status, answer.ended) == (200, Ended.WHOLE)
    assert exporting.events == []
    assert buckets.exported() == []


def test_an_export_that_fails_is_told(exporting: Function, buckets: Buckets, table: Table) -> None:
    """It is begun by what is known before: the rows that fail come after more bytes than an answer has."""
    answer = patient(exporting, "/bad.csv")
    table.add("an export of damaged data", answer)
    assert answer.status == 500
    assert buckets.exported() == []


def test_fetch_gets_an_export_through_a_function_url(
    exporting: Function, truth: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "rows.csv"
    with function_url(exporting) as url:
        assert main(["fetch", f"{url}/rows.csv", "-o", str(output)]) == 0
    assert output.read_bytes() == truth.get("/rows.csv").content


@pytest.mark.parametrize(
    ("case", "headers"),
    [
        ("no header", {}),
        ("the adapter's header", {"x-amzn-request-context": "null"}),
        ("the same in capitals", {"X-Amzn-Request-Context": "null"}),
    ],
)
def test_no_client_can_send_the_function_an_event(
    exporting: Function, buckets: Buckets, table: Table, case: str, headers: dict[str, str]
) -> None:
    event = {"export": {"dataset": "rows", "extension": "csv", "parameters": [], "coding": "identity"}}
    answer = exporting.invoke("POST", "/events", headers, json.dumps(event).encode())
    table.add(f"a client that forges an event: {case}", answer)
    assert answer.status == 404
    assert buckets.exported() == []
