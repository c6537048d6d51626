"""Every way a production can fail on Lambda: the client sees a status, never a part that looks whole."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from application.client.verify import verify
from tests.lambda_runtime.conftest import FAST, KEY, SECRET, Bucket, Starter
from tests.lambda_runtime.endpoints import function_url
from tests.lambda_runtime.function import Function, Image, function
from tests.lambda_runtime.invocation import Answer, Ended, content
from tests.lambda_runtime.report import Table
from tests.support import tables
from tests.support.proxy import Proxy, proxying
from tests.support.s3_server import start_s3_server
from tests.support.serving import SECONDS, eventually, serving

pytestmark = pytest.mark.adapter

GROUPS = 20
# Enough for the footer and the first pages, and by far not for all of the file.
MIDWAY_BYTES = 4 << 20
# As it would be without the care that is taken on Lambda.
STREAMED = {"WHOLE_RESULTS": "false", "RESPONSE_MAX_BYTES": "0", "PRODUCTION_STALL_SECONDS": "1"}


@dataclass(frozen=True, slots=True)
class Store:
    """A bucket of one dataset, *rows*, with a proxy before it that can hold what the service reads."""

    path: Path
    proxy: Proxy
    process: "subprocess.Popen[bytes]"

    def settings(self, **more: str) -> dict[str, str]:
        settings = Bucket(self.path.parent, self.proxy.url).settings()
        return {**settings, "CATALOGUE_MAX_AGE": "0", "DUCKDB_THREADS": "2", **more}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 MB of CSV in 17 MB of Parquet: more than a tape runs ahead of its reader."""
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    tables.write(tables.large(GROUPS), path)
    return path


@pytest.fixture
def store(rows: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "s3" / "bucket" / "dataset" / "rows.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(rows.read_bytes())
    with (
        start_s3_server(tmp_path / "s3", KEY, SECRET) as (endpoint, process),
        proxying(endpoint) as proxy,
    ):
        yield Store(path, proxy, process)


@contextmanager
def held_midway(function: Function, store: Store) -> Iterator["Future[Answer]"]:
    """A download of all rows whose production has read a part of them, and gets no more for now."""
    assert function.invoke("HEAD", "/rows.csv").status == 200
    with ThreadPoolExecutor(1) as pool:
        store.proxy.hold_after(MIDWAY_BYTES)
        asked = pool.submit(function.invoke, "GET", "/rows.csv")
        assert eventually(lambda: not store.proxy.flowing.is_set())
        try:
            yield asked
        finally:
            store.proxy.release()


def told(answer: Answer, status: int, code: str) -> bool:
    """True for a whole problem of that status and code."""
    assert answer.status == status, answer.body[:500]
    problem = json.loads(answer.body)
    assert answer.headers["cache-control"] == "no-store"
    assert not answer.is_short
    return bool(problem["code"] == code) and answer.ended is Ended.WHOLE


def test_storage_that_is_gone_has_a_status(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings()) as running:
        assert running.invoke("GET", "/health").status == 200
        store.process.kill()
        store.process.wait()
        answer = running.invoke("GET", "/rows.csv")
        table.add("storage is gone before", answer)
        assert told(answer, 503, "storage-unavailable")
        assert running.starts == 1


def test_storage_that_dies_midway_has_a_status(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings()) as running:
        with held_midway(running, store) as asked:
            store.proxy.close()
        answer = asked.result()
        table.add("storage dies midway", answer)
        assert told(answer, 503, "storage-unavailable")
        assert running.invoke("GET", "/health").status == 200


def test_storage_that_stalls_midway_has_a_status(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings(PRODUCTION_STALL_SECONDS="1")) as running:
        with held_midway(running, store) as asked:
            answer = asked.result()
        table.add("storage stalls midway", answer)
        assert told(answer, 503, "storage-stalled")


def test_refused_credentials_have_a_status(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings(AWS_SECRET_ACCESS_KEY="a-wrong-secret")) as running:
        answer = running.invoke("GET", "/rows.csv")
        table.add("storage refuses the keys", answer)
        assert told(answer, 503, "storage-unavailable")


def test_data_replaced_midway_is_read_anew(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings()) as running:
        with held_midway(running, store) as asked:
            tables.write(tables.large(GROUPS, seed=2), store.path)
            store.proxy.release()
            answer = asked.result()
        again = running.invoke("GET", "/rows.csv")
        table.add("data is replaced midway", answer, is_equal=answer.content == again.content)
        assert (answer.status, answer.ended) == (200, Ended.WHOLE)
        assert answer.content == again.content
        assert answer.headers["etag"] == again.headers["etag"]
        assert tables.large(1, seed=2)["text"][5].as_py().encode() in answer.body


@pytest.mark.parametrize("extension", ["csv", "json", "ndjson"])
def test_a_damaged_object_has_a_status(start: Starter, store: Store, table: Table, extension: str) -> None:
    tables.spoil(store.path, GROUPS - 2)
    with start(store.settings()) as running:
        answer = running.invoke("GET", f"/rows.{extension}")
        table.add(f"{extension} of a damaged object", answer)
        assert answer.status == 500
        assert told(answer, 500, json.loads(answer.body)["code"])
        assert running.invoke("GET", "/health").status == 200


def test_a_result_larger_than_the_spool_is_refused(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings(SPOOL_MAX_RESULT=str(1 << 20))) as running:
        answer = running.invoke("GET", "/rows.csv")
        table.add("the spool is too small", answer)
        assert told(answer, 413, "result-too-large")


def test_no_spool_at_all_is_refused_rather_than_streamed(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings(SPOOL_DIR="off")) as running:
        answer = running.invoke("GET", "/rows.csv")
        table.add("the spool is off", answer)
        assert told(answer, 413, "result-too-large")


def test_an_engine_without_memory_has_a_status(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings(DUCKDB_MEMORY_LIMIT="1MB")) as running:
        answer = running.invoke("GET", "/rows.csv")
        table.add("the engine has no memory", answer)
        assert told(answer, 413, "result-too-large")


def test_a_full_disk_has_a_status(
    adapter: Path, service_image: Image, store: Store, tmp_path: Path, table: Table
) -> None:
    # No file of the process may grow beyond that, which the system tells as it tells of a full disk.
    limited = Image(("prlimit", "--fsize=1000000", *service_image.command), service_image.environment)
    with function(adapter, limited, store.settings(), tmp_path / "log", limits=FAST) as running:
        answer = running.invoke("GET", "/rows.csv")
        table.add("the disk is full", answer)
        assert told(answer, 413, "result-too-large")


def test_a_stop_midway_has_a_status(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings(GRACE_SECONDS="0.3")) as running:
        with held_midway(running, store) as asked:
            running.sandbox.send(signal.SIGTERM)
            answer = asked.result()
        table.add("SIGTERM midway, no time left", answer)
        assert told(answer, 503, "stopping")


def test_a_stop_midway_with_time_left_is_answered_as_if_there_were_none(
    start: Starter, store: Store, table: Table
) -> None:
    with start(store.settings(GRACE_SECONDS="20", SPOOL_MAX_BYTES="0")) as running:
        whole = running.invoke("GET", "/rows.csv")
        with held_midway(running, store) as asked:
            running.sandbox.send(signal.SIGTERM)
            assert eventually(lambda: "Shutting down" in running.log)
            store.proxy.release()
            answer = asked.result()
        table.add("SIGTERM midway, time left", answer, is_equal=answer.content == whole.content)
        assert answer.status == 200
        for name in ("etag", "content-length", "repr-digest"):
            assert answer.headers[name] == whole.headers[name]
        # The application ends when it has handed over the last byte. Lambda ends the sandbox then, with what
        # the adapter has still to send: the length that is promised tells that something is missing.
        assert answer.ended is Ended.CRASHED or not answer.is_short
        assert answer.is_short or answer.content == whole.content
        assert answer.content == content(whole.body[: len(answer.body)])


def test_a_process_killed_midway_is_a_502(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings()) as running:
        with held_midway(running, store) as asked:
            running.sandbox.send(signal.SIGKILL)
            answer = asked.result()
        table.add("the process is killed midway", answer)
        assert (answer.status, answer.body) == (502, b"")
        assert eventually(lambda: not running.sandboxes)
        assert running.invoke("GET", "/rows.csv").status == 200


def test_a_result_that_is_not_made_in_time_is_refused(start: Starter, store: Store, table: Table) -> None:
    with start(store.settings()) as running:
        running.limits = replace(FAST, seconds=10)
        with held_midway(running, store) as asked:
            answer = asked.result()
        table.add("too little time to make it", answer)
        assert told(answer, 413, "result-too-large")
        assert running.starts == 1


def test_a_deadline_that_passes_before_the_headers_is_a_502(
    start: Starter, store: Store, table: Table
) -> None:
    with start(store.settings()) as running:
        running.limits = replace(FAST, seconds=10)
        with held_midway(running, store) as asked:
            # It hangs, so it cannot tell that its time is up.
            running.sandbox.send(signal.SIGSTOP)
            answer = asked.result()
        table.add("the deadline passes midway", answer)
        assert (answer.status, answer.body) == (502, b"")
        running.limits = FAST
        assert running.invoke("GET", "/rows.csv").status == 200
        assert running.starts == 2


def after_headers(how: Callable[[Function], object]) -> Callable[[Function], None]:
    """Do it to a function that is sending, soon after it began."""

    def act(running: Function) -> None:
        timer = threading.Timer(1.5, how, (running,))
        timer.daemon = True
        timer.start()

    return act


def kill(running: Function) -> None:
    running.sandbox.send(signal.SIGKILL)


def stop(running: Function) -> None:
    running.sandbox.send(signal.SIGTERM)


@pytest.mark.parametrize(
    ("case", "how", "settings"),
    [
        ("the process is killed while it sends", kill, {}),
        ("SIGTERM while it sends, no time left", stop, {"GRACE_SECONDS": "0.3"}),
    ],
)
def test_what_cuts_a_whole_result_while_it_is_sent_shows_in_its_length(
    start: Starter,
    store: Store,
    table: Table,
    *,
    case: str,
    how: Callable[[Function], None],
    settings: Mapping[str, str],
) -> None:
    # No production can fail then; what is left is the end of the process itself.
    with start(store.settings(**settings)) as running:
        whole = running.invoke("GET", "/rows.csv")
        slow = replace(FAST, burst_bytes=1 << 20, bytes_per_second=8e6)
        after_headers(how)(running)
        answer = running.invoke("GET", "/rows.csv", limits=slow)
        table.add(case, answer, is_equal=answer.content == whole.content)
        assert answer.status == 200
        assert answer.is_short
        assert answer.headers["content-length"] == str(len(whole.body))


def test_a_function_without_a_bucket_does_not_come_up(start: Starter, store: Store) -> None:
    with start({**store.settings(), "DATASET_BUCKET": ""}) as running:
        answer = running.invoke("GET", "/rows.csv")
        assert (answer.status, answer.ended) == (502, Ended.CRASHED)
        assert "DATASET_BUCKET is not set" in running.log


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_without_whole_results_a_failure_midway_would_look_like_the_end(
    start: Starter, store: Store, tmp_path: Path, table: Table, coding: str
) -> None:
    """The danger that whole results are there for, and how `verify` tells it."""
    with start(store.settings(**STREAMED)) as running:
        running.invoke("GET", "/rows.csv?entity=5")
        store.proxy.hold_after(2 * MIDWAY_BYTES)
        answer = running.invoke("GET", "/rows.csv", {"accept-encoding": coding})
        store.proxy.release()
        table.add(f"streamed instead of whole, {coding}: fails midway", answer, is_equal=False)
        assert answer.status == 200
        assert answer.ended is Ended.WHOLE
        assert not answer.is_short
        assert b"Lambda-Runtime-Function-Error-Type: " in answer.body[-1000:]
    file = tmp_path / "rows.csv"
    file.write_bytes(answer.body)
    with serving(
        dataset_bucket="bucket", aws_endpoint_url=store.proxy.url, aws_region="eu-west-2"
    ) as healthy:
        verdict = verify(file, f"{healthy.url}/rows.csv")
    assert not verdict.is_complete
    assert "it was cut on Lambda and ends with the error's text" in verdict.words
    assert ("too short by" in verdict.words) or (f"its {coding} is cut" in verdict.words)


def test_an_http_client_takes_such_a_stream_for_whole(start: Starter, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    with (
        start(store.settings(**STREAMED)) as running,
        function_url(running) as url,
    ):
        running.invoke("GET", "/rows.csv?entity=5")
        store.proxy.hold_after(2 * MIDWAY_BYTES)
        curl = ["curl", "--silent", "--fail", "--noproxy", "*", "--output", str(file), f"{url}/rows.csv"]
        finished = subprocess.run(curl, timeout=SECONDS * 2, check=False)
        store.proxy.release()
        assert finished.returncode == 0
        assert b"Lambda-Runtime-Function-Error-Type: " in file.read_bytes()[-1000:]
        assert "it was cut on Lambda" in verify(file, f"{url}/rows.csv").words
