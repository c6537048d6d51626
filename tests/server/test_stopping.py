"""What ends a download from outside: a stop, a client that takes nothing, storage that gives nothing."""

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest
from starlette.types import Message

from application.errors import ClientStalled, StorageUnavailable
from application.main import create_app
from application.service.assembly import LANE_SHARE
from application.settings import Settings
from tests.support import tables
from tests.support.proxy import proxying
from tests.support.s3_server import s3_server
from tests.support.serving import BROKEN_OFF, SECONDS, eventually, productions, serving, serving_folder

pytestmark = pytest.mark.slow


@contextmanager
def process(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command `serve` in a process of its own, and its port."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DATASET_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "application", "serve", "--port", "0"],
        env={**clean, "DATASET_BUCKET": folder.as_uri(), "DATASET_PREFIX": "", **environment},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        try:
            port = next(int(found[1]) for line in running.stderr if (found := re.search(r":(\d+) \(", line)))
            drain = threading.Thread(target=running.stderr.read, daemon=True)
            drain.start()
            yield running, port
        finally:
            running.kill()
            running.wait(SECONDS)
            drain.join(SECONDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tables.write(tables.large(24), tmp_path / "large.parquet")
    return tmp_path


def test_at_a_stop_a_running_download_finishes_and_new_ones_are_refused(folder: Path) -> None:
    with process(folder) as (running, port):
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        kept.request("GET", "/health")
        kept.getresponse().read()
        with httpx2.stream("GET", f"http://127.0.0.1:{port}/large.json", timeout=SECONDS) as response:
            pieces = response.iter_bytes()
            body = next(pieces)
            running.send_signal(signal.SIGTERM)
            eventually(lambda: refuses(port))
            # The server has closed what was idle: nothing is half begun.
            assert kept.sock.recv(1) == b""
            kept.close()
            body += b"".join(pieces)
        assert body.count(b"\n") == 24 * tables.GROUP_ROWS - 1
        assert body.endswith(b"]\n") or body.endswith(b"]")
        running.wait(SECONDS)


def test_at_a_stop_a_result_that_is_made_whole_first_still_comes_whole(tmp_path: Path) -> None:
    key, secret = "AKIATESTKEY00001", "a-secret-of-the-tests"
    tables.write(tables.large(4), tmp_path / "bucket" / "large.parquet")
    with (
        s3_server(tmp_path, key, secret) as endpoint,
        proxying(endpoint) as proxy,
        process(
            tmp_path,
            DATASET_BUCKET="bucket",
            AWS_ENDPOINT_URL=proxy.url,
            AWS_ACCESS_KEY_ID=key,
            AWS_SECRET_ACCESS_KEY=secret,
            WHOLE_RESULTS="true",
            SPOOL_MAX_BYTES="0",
        ) as (running, port),
        ThreadPoolExecutor(1) as pool,
    ):
        url = f"http://127.0.0.1:{port}/large.csv"
        whole = httpx2.get(url, timeout=SECONDS)
        proxy.hold_after(1 << 20)
        asked = pool.submit(httpx2.get, url, timeout=2 * SECONDS)
        try:
            assert eventually(lambda: not proxy.flowing.is_set())
            running.send_signal(signal.SIGTERM)
            assert eventually(lambda: refuses(port))
        finally:
            proxy.release()
        answer = asked.result()
        assert answer.status_code == 200
        assert answer.headers["content-length"] == whole.headers["content-length"]
        assert sha256(answer.content).digest() == sha256(whole.content).digest()
        assert running.wait(SECONDS) is not None


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return True
    return False


def test_after_the_grace_period_what_is_left_breaks_off(folder: Path) -> None:
    with process(folder, GRACE_SECONDS="0.5") as (running, port):
        with httpx2.stream("GET", f"http://127.0.0.1:{port}/large.json", timeout=SECONDS) as response:
            pieces = response.iter_raw()
            next(pieces)
            running.send_signal(signal.SIGTERM)
            eventually(lambda: refuses(port))
            threading.Event().wait(1.5)  # longer than the grace period, while nothing is read
            with pytest.raises(BROKEN_OFF):
                for _ in pieces:
                    pass
        assert running.wait(SECONDS) is not None


def test_a_client_that_takes_nothing_is_dropped(folder: Path) -> None:
    with serving_folder(folder, client_stall_seconds=0.5, spool_max_result=1 << 20) as served:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(SECONDS)
            client.connect(("127.0.0.1", served.port))
            client.sendall(b"GET /large.csv HTTP/1.1\r\nHost: x\r\n\r\n")
            assert eventually(lambda: productions() == 1)
            assert eventually(lambda: productions() == 0)
            data = b""
            try:
                while piece := client.recv(1 << 20):
                    data += piece
            except ConnectionError:
                pass
        assert data
        assert not data.endswith(b"0\r\n\r\n")
        assert served.get("/health").status_code == 200


def test_a_client_that_does_not_take_the_end_is_dropped(folder: Path) -> None:
    app = create_app(
        Settings(
            dataset_bucket=folder.as_uri(), dataset_prefix="", client_stall_seconds=0.2, log_level="CRITICAL"
        )
    )
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/large.csv",
        "query_string": b"entity=7",
        "headers": [(b"host", b"here")],
        "http_version": "1.1",
    }

    async def receive() -> Message:
        return await asyncio.Future()

    async def send(message: Message) -> None:
        # As uvicorn does while the last bytes before it are still to be taken.
        if message["type"] == "http.response.body" and not message.get("more_body"):
            await asyncio.Future()

    async def ask() -> None:
        async with asyncio.timeout(SECONDS):
            await app(scope, receive, send)

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(ask())
    assert isinstance(caught.value.__cause__, ClientStalled)
    app.state.lifespan.stop()


def test_storage_that_stalls_holds_up_nothing_that_is_in_the_spool(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled: list[object] = []
    over = threading.Event()

    def stall(*asked: object) -> Iterator[bytes]:
        stalled.append(asked)
        over.wait(4 * SECONDS)
        raise StorageUnavailable("It stalled.")

    with serving_folder(folder) as served, ExitStack() as clients:
        whole = served.get("/large.csv?entity=7").content
        monkeypatch.setattr(served.lifespan.get().storage, "chunks", stall)
        for _ in range(40):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            client.sendall(b"GET /large.parquet HTTP/1.1\r\nHost: x\r\n\r\n")
        clients.callback(over.set)
        # As many as one dataset's reads get.
        assert eventually(lambda: len(stalled) >= LANE_SHARE)
        assert served.get("/large.csv?entity=7").content == whole


def test_storage_that_stops_in_the_middle_ends_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTKEY00001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-tests")
    tables.write(tables.large(24), tmp_path / "bucket" / "large.parquet")
    with (
        s3_server(tmp_path, "AKIATESTKEY00001", "a-secret-of-the-tests") as endpoint,
        proxying(endpoint) as proxy,
        serving(
            dataset_bucket="bucket",
            dataset_prefix="",
            aws_region="eu-west-2",
            aws_endpoint_url=proxy.url,
            production_stall_seconds=1.0,
        ) as served,
    ):
        served.client.head("/large.csv")
        proxy.hold_after(1 << 20)
        try:
            answer = served.get("/large.csv")
        except BROKEN_OFF:
            return
        finally:
            proxy.close()
        assert (answer.status_code, answer.json()["code"]) == (503, "storage-stalled")


def test_a_stopping_service_refuses_new_downloads_by_name(folder: Path) -> None:
    with serving_folder(folder) as served:
        served.lifespan.drain()
        refused = served.get("/large.csv")
        assert (refused.status_code, refused.json()["code"]) == (503, "stopping")
        assert refused.headers["retry-after"]
        ready = served.get("/ready")
        assert (ready.status_code, ready.json()["code"]) == (503, "stopping")
        assert served.get("/health").status_code == 200
