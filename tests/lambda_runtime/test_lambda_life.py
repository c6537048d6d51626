"""A function's life on Lambda: cold start, large streams, freezing, clients that leave, limits, events."""

import hashlib
import io
import json
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import botocore.session
import httpx2
import pyarrow.parquet as pq
import pytest

from application.cli import main
from tests.lambda_runtime.conftest import FAST, Bucket, Starter
from tests.lambda_runtime.endpoints import function_url, invoke_api
from tests.lambda_runtime.function import Function, free_port
from tests.lambda_runtime.invocation import Ended, Limits, content
from tests.lambda_runtime.report import Table
from tests.lambda_runtime.runtime_api import ARN
from tests.support import tables
from tests.support.serving import Served, eventually

pytestmark = pytest.mark.adapter

LARGE_BYTES = 100_000_000


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("target", "coding", "least"),
    [
        ("/large.csv", "identity", LARGE_BYTES),
        ("/large.json", "identity", LARGE_BYTES),
        ("/large.ndjson", "identity", LARGE_BYTES),
        ("/large.csv", "gzip", LARGE_BYTES // 3),
        ("/large.json", "zstd", LARGE_BYTES // 3),
        ("/large.parquet", "identity", LARGE_BYTES // 3),
        ("/large.parquet?exclude_field=entity", "identity", LARGE_BYTES // 3),
    ],
)
def test_a_large_result_arrives_intact(
    lambda_function: Function, direct: Served, table: Table, *, target: str, coding: str, least: int
) -> None:
    headers = {"accept-encoding": coding}
    answer = lambda_function.invoke("GET", target, headers)
    with direct.client.stream("GET", target, headers=headers) as response:
        expected = b"".join(response.iter_raw())
    is_equal = digest(answer.body) == digest(expected)
    table.add(f"large: {target}, {coding}", answer, is_equal=is_equal)
    assert (answer.status, answer.ended, is_equal) == (200, Ended.WHOLE, True)
    assert len(answer.body) > least
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["etag"] == response.headers["etag"]


def test_ranges_of_the_stored_file_are_readable_as_parquet(lambda_function: Function, table: Table) -> None:
    first = lambda_function.invoke("HEAD", "/large.parquet")
    answer = lambda_function.invoke("GET", "/large.parquet", {"range": "bytes=-65536"})
    size = int(answer.headers["content-range"].rpartition("/")[2])
    file = io.BytesIO(bytes(size - len(answer.body)) + answer.body)
    table.add("large: the footer of the stored file by a range", answer)
    assert answer.status == 206
    assert answer.headers["etag"] == first.headers["etag"]
    assert pq.read_metadata(file).num_rows == 60 * tables.GROUP_ROWS


def test_the_first_request_starts_the_function(start: Starter, bucket: Bucket, table: Table) -> None:
    with start(bucket.settings()) as cold:
        answer = cold.invoke("GET", "/health")
        table.add("cold start: /health", answer)
        assert (answer.status, cold.starts) == (200, 1)
    with start(bucket.settings()) as cold:
        answer = cold.invoke("GET", "/sample.csv")
        table.add("cold start: a small csv", answer)
        assert (answer.status, cold.starts) == (200, 1)


@pytest.mark.parametrize("name", ["PORT", "AWS_LWA_PORT"])
def test_a_port_of_the_functions_own_moves_service_and_adapter(
    start: Starter, bucket: Bucket, name: str
) -> None:
    with start({**bucket.settings(), name: str(free_port())}) as function:
        assert function.invoke("GET", "/health").status == 200


def test_a_variable_that_would_leave_the_adapter_waiting_ends_the_start(
    start: Starter, bucket: Bucket
) -> None:
    leftover = {"AWS_LWA_READINESS_CHECK_PORT": str(free_port())}
    with start({**bucket.settings(), **leftover}) as function:
        answer = function.invoke("GET", "/health")
        assert (answer.status, answer.ended) == (502, Ended.CRASHED)
        (line,) = [line for line in function.log.splitlines() if line.startswith("download-lambda: ")]
        assert line.startswith("download-lambda: AWS_LWA_READINESS_CHECK_PORT is ")


# Longer than the 4 s for which the adapter keeps a connection, and shorter.
@pytest.mark.parametrize("seconds", [0.5, 5.0])
def test_a_frozen_function_goes_on_as_if_no_time_had_passed(
    start: Starter, bucket: Bucket, table: Table, tmp_path: Path, seconds: float
) -> None:
    path = bucket.folder / f"changing-{seconds:.0f}.parquet"
    tables.write(tables.sample(), path)
    target = f"/{path.stem}.csv"
    with start({**bucket.settings(), "CATALOGUE_MAX_AGE": "0.2"}) as function:
        before = function.invoke("GET", target)
        assert eventually(lambda: function.sandbox.freezes == 1)
        tables.write(tables.sample(100), path)
        time.sleep(seconds)
        after = function.invoke("GET", target, {"if-none-match": before.headers["etag"]})
        table.add(f"frozen for {seconds} s, the data replaced meanwhile", after)
        assert (before.status, after.status) == (200, 200)
        assert b'100,"one"' in after.body
        assert function.starts == 1


def test_a_client_that_leaves_does_not_stop_the_function(
    lambda_function: Function, direct: Served, table: Table
) -> None:
    starts = lambda_function.starts
    left = lambda_function.invoke("GET", "/medium.csv", leave_after=1 << 20)
    assert (left.status, left.ended) == (200, Ended.LEFT)
    asked = lambda_function.invoke("GET", "/medium.json", leave_after=0)
    assert asked.ended is Ended.LEFT
    answer = lambda_function.invoke("GET", "/medium.json")
    is_equal = digest(answer.body) == digest(direct.get("/medium.json").content)
    table.add("after two clients that left", answer, is_equal=is_equal)
    assert is_equal
    assert lambda_function.starts == starts
    assert "the client left" not in lambda_function.log


def test_a_response_beyond_the_limit_is_cut_and_the_length_shows_it(
    lambda_function: Function, table: Table
) -> None:
    starts = lambda_function.starts
    # Less than the service is told, which refuses what is more than that.
    limits = replace(FAST, response_bytes=5_000_000)
    answer = lambda_function.invoke("GET", "/medium.csv", limits=limits)
    table.add("Lambda cuts what is beyond its limit", answer, is_equal=False)
    assert (answer.ended, len(answer.body), answer.is_short) == (Ended.TOO_LARGE, 5_000_000, True)
    assert lambda_function.invoke("GET", "/sample.csv").status == 200
    assert lambda_function.starts == starts


def test_what_cannot_be_sent_before_the_deadline_is_refused(
    lambda_function: Function, direct: Served, table: Table
) -> None:
    size = len(direct.get("/large.csv").content)
    answer = lambda_function.invoke("GET", "/large.csv", limits=Limits(seconds=40))
    table.add("a deadline too short for its bytes", answer)
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"], answer.ended) == (413, "result-too-large", Ended.WHOLE)
    assert f"{size:,} bytes" in problem["detail"]


def test_at_lambdas_own_pace_what_is_promised_comes_before_the_deadline(
    lambda_function: Function, direct: Served, table: Table
) -> None:
    lambda_function.invoke("HEAD", "/medium.ndjson")
    answer = lambda_function.invoke("GET", "/medium.ndjson", limits=Limits(seconds=12))
    is_equal = answer.content == content(direct.get("/medium.ndjson").content)
    table.add("Lambda's own pace, little time", answer, is_equal=is_equal)
    assert (answer.status, answer.ended, is_equal) == (200, Ended.WHOLE, True)
    assert answer.seconds > (len(answer.body) - 6_000_000) / 2_000_000 > 1


def test_a_deadline_while_it_sends_shows_in_the_length(start: Starter, bucket: Bucket, table: Table) -> None:
    # Slower than Lambda says it is, so that the time that was enough is not.
    slow = replace(FAST, burst_bytes=1 << 20, bytes_per_second=5e5, seconds=8)
    with start(bucket.settings()) as function:
        function.invoke("GET", "/medium.csv")
        answer = function.invoke("GET", "/medium.csv", limits=slow)
        table.add("the deadline passes while it sends", answer, is_equal=False)
        assert (answer.status, answer.ended, answer.is_short) == (200, Ended.DEADLINE, True)
        assert function.invoke("GET", "/sample.csv").status == 200
        assert function.starts == 2


def test_a_redirect_has_a_body(start: Starter, bucket: Bucket, table: Table) -> None:
    with start({**bucket.settings(), "NATIVE_REDIRECT_SECONDS": "60"}) as function:
        answer = function.invoke("GET", "/sample.parquet")
        table.add("a redirect to the stored file", answer)
        assert answer.status == 307
        assert answer.headers["location"].encode() in answer.body
        assert answer.headers["cache-control"] == "no-store"
        stored = httpx2.get(answer.headers["location"], trust_env=False)
        assert stored.content == (bucket.folder / "sample.parquet").read_bytes()


def test_concurrent_requests_get_sandboxes_of_their_own(
    start: Starter, bucket: Bucket, direct: Served, table: Table
) -> None:
    with start(bucket.settings(), concurrency=2) as function:
        bodies: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: bodies.append(function.invoke("GET", "/medium.csv").body))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {digest(body) for body in bodies} == {digest(direct.get("/medium.csv").content)}
        assert function.starts == 2


def test_fetch_and_verify_work_through_a_function_url(
    lambda_function: Function, direct: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "large.csv"
    with function_url(lambda_function) as url:
        assert main(["fetch", f"{url}/large.csv", "-o", str(output)]) == 0
        assert main(["verify", str(output), f"{url}/large.csv"]) == 0
    assert "complete" in capsys.readouterr().out
    assert digest(output.read_bytes()) == digest(direct.get("/large.csv").content)


def test_an_event_that_is_no_request_is_posted_to_events(lambda_function: Function, table: Table) -> None:
    answer = lambda_function.invoke_event({"kind": "unknown"})
    table.add("an event of an unknown kind", answer)
    # The line is written once the answer is out.
    assert eventually(lambda: '"resource": "events"' in lambda_function.log)
    assert 400 <= answer.status < 500


def test_the_invoke_api_takes_signed_events_only(lambda_function: Function) -> None:
    del lambda_function.events[:]
    with invoke_api(lambda_function) as url:
        address = f"{url}/2015-03-31/functions/download-lambda/invocations"
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "X-Amz-Invocation-Type": "Event"}
        assert httpx2.post(address, json={}, trust_env=False).status_code == 403
        other = address.replace("download-lambda", "another")
        assert httpx2.post(other, json={}, headers=signed, trust_env=False).status_code == 404
        large = httpx2.post(address, json="x" * (256 << 10), headers=signed, trust_env=False)
        assert large.status_code == 413
        client = botocore.session.get_session().create_client("lambda", "eu-west-2", endpoint_url=url)
        with closing(client):
            for name in ("download-lambda", ARN):
                sent = client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
                assert sent["StatusCode"] == 202
        assert eventually(lambda: len(lambda_function.events) == 2)


def test_in_buffered_mode_the_adapter_gives_the_same_bytes(
    start: Starter, bucket: Bucket, direct: Served, table: Table
) -> None:
    with start({**bucket.settings(), "AWS_LWA_INVOKE_MODE": "buffered"}) as function:
        answer = function.invoke("GET", "/sample.csv", {"accept-encoding": "gzip"})
        table.add("buffered mode, csv, gzip", answer)
        assert answer.status == 200
        with direct.client.stream("GET", "/sample.csv", headers={"accept-encoding": "gzip"}) as response:
            assert b"".join(response.iter_raw()) == answer.body
