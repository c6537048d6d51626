"""Faults on the way: a client never takes a part for the whole, and nothing is left behind."""

import csv
import io
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support import tables
from tests.support.s3_server import start_s3_server
from tests.support.serving import BROKEN_OFF, Served, eventually, productions, serving, serving_folder
from tests.support.sockets import read_to_end

pytestmark = pytest.mark.slow

TEXT_FORMATS = ("csv", "json", "ndjson")
KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"


@pytest.fixture(scope="module")
def spoilt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose first row groups can be read and whose last ones cannot, and a good one."""
    folder = tmp_path_factory.mktemp("spoilt")
    tables.write(tables.large(8), folder / "spoilt.parquet")
    tables.spoil(folder / "spoilt.parquet", 6)
    tables.write(tables.sample(), folder / "sample.parquet")
    return folder


@pytest.fixture(scope="module")
def spoilt(spoilt_folder: Path) -> Iterator[Served]:
    """A server over them."""
    # Without a spool a producer runs little ahead of its reader: the failure comes after the headers.
    with serving_folder(spoilt_folder, spool_dir=None) as served:
        yield served


@pytest.fixture
def large_folder(tmp_path: Path) -> Path:
    """A dataset that is larger than the buffers between the service and a client that does not read."""
    tables.write(tables.large(16), tmp_path / "rows.parquet")
    return tmp_path


@pytest.fixture
def server(large_folder: Path) -> Iterator[Served]:
    """A server whose productions wait for their readers, as those of results beyond the spool do."""
    with serving_folder(large_folder, spool_dir=None) as served:
        yield served


@pytest.fixture
def bucket_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a bucket, and the environment with its keys."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    tables.write(tables.sample(), tmp_path / "bucket/dataset/sample.parquet")
    tables.write(tables.large(16), tmp_path / "bucket/dataset/rows.parquet")
    return tmp_path


@pytest.mark.parametrize("extension", TEXT_FORMATS)
def test_a_failed_download_never_ends_cleanly(spoilt: Served, extension: str) -> None:
    with spoilt.client.stream("GET", f"/spoilt.{extension}") as response:
        assert response.status_code == 200
        assert response.headers["transfer-encoding"] == "chunked"
        pieces = response.iter_raw()
        taken = len(next(pieces))
        with pytest.raises(BROKEN_OFF):
            sum(len(piece) for piece in pieces)
    assert taken > 0


@pytest.mark.parametrize("extension", TEXT_FORMATS)
def test_curl_sees_a_failed_download(spoilt: Served, extension: str) -> None:
    finished = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", "--output", "/dev/null", f"{spoilt.url}/spoilt.{extension}"],
        timeout=30,
        check=False,
    )
    assert finished.returncode != 0


def test_the_last_bytes_of_a_failed_download_close_nothing(spoilt: Served) -> None:
    with socket.create_connection(("127.0.0.1", spoilt.port), timeout=15) as connection:
        connection.sendall(b"GET /spoilt.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received, was_reset = read_to_end(connection)
    assert was_reset
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not received.endswith(b"0\r\n\r\n")
    assert not received.rstrip().endswith(b"]")


def test_a_failure_before_the_first_row_has_a_status(spoilt_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    tables.write(tables.large(1), path)
    tables.spoil(path, 0)
    with serving_folder(tmp_path) as server:
        for extension in (*TEXT_FORMATS, "parquet"):
            response = server.get(
                f"/rows.{extension}?entity=5" if extension == "parquet" else f"/rows.{extension}"
            )
            assert response.status_code == 500
            assert response.headers["content-type"] == "application/problem+json"
            assert str(tmp_path) not in response.text


def test_a_fault_stays_in_its_dataset(spoilt: Served) -> None:
    with pytest.raises(BROKEN_OFF):
        spoilt.get("/spoilt.csv")
    assert spoilt.get("/sample.json").json() == tables.sample().to_pylist()


def replace_whole(path: Path) -> None:
    tables.write(tables.large(16, seed=2), path)


def overwrite_in_place(path: Path) -> None:
    other = path.with_suffix(".other")
    tables.write(tables.large(16, seed=2), other)
    path.write_bytes(other.read_bytes())


def cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("change", [replace_whole, overwrite_in_place, cut_off, Path.unlink])
def test_a_file_changed_during_a_download_breaks_it_off(
    server: Served, large_folder: Path, change: Callable[[Path], None]
) -> None:
    with server.client.stream("GET", "/rows.csv") as response:
        assert response.status_code == 200
        change(large_folder / "rows.parquet")
        with pytest.raises(BROKEN_OFF):
            response.read()


def test_a_replaced_file_is_served_anew_with_another_tag(server: Served, large_folder: Path) -> None:
    before = server.get("/rows.csv?entity=5")
    replace_whole(large_folder / "rows.parquet")
    after = server.get("/rows.csv?entity=5", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    (row,) = csv.DictReader(io.StringIO(after.text))
    assert row["text"] == tables.large(16, seed=2)["text"][5].as_py()


def test_a_file_replaced_after_it_was_looked_at_is_planned_once_more(large_folder: Path) -> None:
    with serving_folder(large_folder, catalogue_max_age=3600) as server:
        server.client.head("/rows.csv")
        replace_whole(large_folder / "rows.parquet")
        response = server.get("/rows.csv?entity=5")
        assert tables.large(16, seed=2)["text"][5].as_py() in response.text
        assert response.headers["etag"] == server.client.head("/rows.csv?entity=5").headers["etag"]


@pytest.mark.parametrize("path", ["/rows.csv?entity=5", "/rows.parquet"])
def test_a_client_that_resumes_another_version_is_refused_when_that_shows_late(
    large_folder: Path, path: str
) -> None:
    with serving_folder(large_folder, catalogue_max_age=3600) as server:
        known = server.client.head(path).headers["etag"]
        replace_whole(large_folder / "rows.parquet")
        response = server.get(path, headers={"If-Match": known, "Range": "bytes=10-"})
        assert (response.status_code, response.json()["code"]) == (412, "precondition-failed")


@pytest.mark.parametrize("size", [0, 10, 5000])
def test_a_truncated_file_has_a_status(server: Served, large_folder: Path, size: int) -> None:
    with (large_folder / "rows.parquet").open("r+b") as file:
        file.truncate(size)
    response = server.get("/rows.csv")
    assert response.status_code == 500
    assert response.json()["code"] == "dataset-invalid"


def test_a_client_that_leaves_frees_its_production_within_a_second(server: Served) -> None:
    with server.client.stream("GET", "/rows.csv") as response:
        assert response.status_code == 200
        assert productions() == 1
    assert eventually(lambda: productions() == 0, 1.0)


def test_a_client_that_leaves_while_it_waits_frees_its_place(large_folder: Path) -> None:
    with serving_folder(large_folder, spool_dir=None, production_limit=1) as server:
        with server.client.stream("GET", "/rows.csv") as running:
            assert running.status_code == 200
            with pytest.raises(httpx2.ReadTimeout):
                server.get("/rows.json", timeout=0.3)
            assert eventually(lambda: productions() == 1, 1.0)
        assert server.get("/rows.csv?entity=5").status_code == 200


def test_one_of_two_clients_may_leave(server: Served) -> None:
    with server.client.stream("GET", "/rows.csv") as staying:
        with server.client.stream("GET", "/rows.csv") as leaving:
            assert leaving.status_code == 200
        assert sum(len(piece) for piece in staying.iter_raw()) > 16 * tables.GROUP_ROWS * 80


def test_a_full_service_says_when_to_come_again(large_folder: Path) -> None:
    settings = {"spool_dir": None, "production_limit": 1, "production_queue_seconds": 0.2}
    with (
        serving_folder(large_folder, **settings) as server,
        server.client.stream("GET", "/rows.csv") as running,
    ):
        assert running.status_code == 200
        response = server.get("/rows.json")
        assert (response.status_code, response.json()["code"]) == (503, "busy")
        assert int(response.headers["retry-after"]) > 0


def test_a_server_that_stops_breaks_off_what_it_cannot_finish(large_folder: Path) -> None:
    with (
        serving_folder(large_folder, spool_dir=None) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection,
    ):
        connection.sendall(b"GET /rows.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = connection.recv(1 << 16)
        server.lifespan.get().close()
        received += read_to_end(connection)[0]
    assert received.startswith(b"HTTP/1.1 200 ")
    assert not received.endswith(b"0\r\n\r\n")


def test_dead_storage_is_told_with_a_status_and_the_service_lives_on(bucket_folder: Path) -> None:
    with start_s3_server(bucket_folder, KEY, SECRET) as (endpoint, process):
        settings = {"dataset_bucket": "bucket", "aws_endpoint_url": endpoint, "catalogue_max_age": 0}
        with serving(**settings) as server:
            assert server.get("/sample.csv").status_code == 200
            process.kill()
            process.wait()
            for path in ("/sample.csv", "/rows.csv", "/ready"):
                response = server.get(path)
                assert (response.status_code, response.json()["code"]) == (503, "storage-unavailable")
                assert int(response.headers["retry-after"]) > 0
                assert endpoint not in response.text
            assert server.get("/health").status_code == 200


def test_storage_that_dies_during_a_download_breaks_it_off(bucket_folder: Path) -> None:
    with start_s3_server(bucket_folder, KEY, SECRET) as (endpoint, process):
        settings = {"dataset_bucket": "bucket", "aws_endpoint_url": endpoint, "spool_dir": None}
        with serving(**settings) as server, server.client.stream("GET", "/rows.csv") as response:
            assert response.status_code == 200
            process.kill()
            started = time.monotonic()
            with pytest.raises(BROKEN_OFF):
                response.read()
            assert time.monotonic() - started < 30
