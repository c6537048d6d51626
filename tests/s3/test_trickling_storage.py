"""Storage that answers by a byte now and then: it costs those who ask for it, and nobody else."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest

from application.errors import StorageUnavailable
from application.storage import open_storage
from tests.s3.conftest import KEY, SECRET
from tests.support import tables
from tests.support.proxy import Proxy, proxying
from tests.support.s3_server import s3_server
from tests.support.serving import SECONDS, Served, eventually, productions, serving

pytestmark = pytest.mark.slow

MANY = 45
# What nobody waits for who is not held up, on a machine that has more to do; in seconds.
LATE = 5.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A served bucket: its files, and the proxy that stands before its server."""

    folder: Path
    proxy: Proxy


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    root = tmp_path_factory.mktemp("served")
    folder = root / "bucket" / "dataset"
    for name in ("slow", "quick", "other"):
        tables.write(tables.large(4), folder / f"{name}.parquet")
    for number in range(200):
        tables.write(tables.sample(), folder / f"many/{number:03}.parquet")
    for number in range(3):
        tables.write(tables.sample(), folder / f"few/{number}.parquet")
    with s3_server(root, KEY, SECRET) as endpoint, proxying(endpoint) as proxy:
        yield Bucket(folder, proxy)


@pytest.fixture
def bucket(served: Bucket) -> Iterator[Bucket]:
    yield served
    served.proxy.release()


@contextmanager
def serving_bucket(bucket: Bucket, **settings: object) -> Iterator[Served]:
    given = {"storage_seconds": 1.0, "plan_seconds": 2.0, "catalogue_max_age": 0, **settings}
    with serving(
        dataset_bucket="bucket", aws_endpoint_url=bucket.proxy.url, aws_region="eu-west-2", **given
    ) as server:
        yield server


def ask(server: Served, path: str) -> httpx2.Response:
    with httpx2.Client(timeout=SECONDS, trust_env=False) as client:
        return client.get(server.url + path)


@pytest.mark.parametrize("max_age", [0, 3600])
def test_many_requests_for_a_dataset_that_trickles_leave_the_others_answering(
    bucket: Bucket, max_age: int
) -> None:
    bucket.proxy.trickle("/slow.parquet")
    settings = {"catalogue_max_age": max_age, "storage_seconds": 2 * LATE}
    with serving_bucket(bucket, **settings) as server, ThreadPoolExecutor(MANY) as clients:
        slow = [clients.submit(ask, server, f"/slow.csv?entity={number}") for number in range(MANY)]
        assert eventually(lambda: any(b"/slow.parquet" in asked for asked in bucket.proxy.requests))
        for path in ("/quick.csv?entity=5", "/other.parquet", "/quick.json?entity=1", "/ready"):
            began = time.monotonic()
            assert server.get(path).status_code == 200
            assert time.monotonic() - began < LATE
        for answer in slow:
            response = answer.result()
            assert (response.status_code, response.json()["code"]) == (503, "storage-stalled")
            assert int(response.headers["retry-after"]) > 0


def test_a_dataset_of_many_parts_that_trickle_leaves_the_others_answering(bucket: Bucket) -> None:
    bucket.proxy.trickle("GET /bucket/dataset/many/")
    with serving_bucket(bucket, storage_seconds=2 * LATE) as server, ThreadPoolExecutor(4) as clients:
        slow = [clients.submit(ask, server, f"/many.csv?entity={number}") for number in range(4)]
        assert eventually(
            lambda: sum(b"GET /bucket/dataset/many/" in it for it in bucket.proxy.requests) >= 64
        )
        began = time.monotonic()
        assert len(server.get("/few.csv?entity=5").text.splitlines()) == 4
        assert time.monotonic() - began < LATE
        assert {answer.result().json()["code"] for answer in slow} == {"storage-stalled"}


def test_a_dataset_that_trickled_is_served_when_it_does_not_any_more(bucket: Bucket) -> None:
    with serving_bucket(bucket, storage_seconds=5.0, plan_seconds=0.5) as server:
        bucket.proxy.trickle("/slow.parquet")
        assert server.get("/slow.csv?entity=5").json()["code"] == "storage-stalled"
        bucket.proxy.release()
        assert eventually(lambda: server.get("/slow.csv?entity=5").status_code == 200)


@pytest.mark.parametrize("asked", ["HEAD /bucket/dataset/slow.parquet", "GET /bucket/dataset/slow.parquet"])
def test_a_request_to_storage_ends_with_its_deadline(bucket: Bucket, asked: str) -> None:
    bucket.proxy.trickle(asked)
    # For each of four attempts.
    with serving_bucket(bucket, plan_seconds=60, storage_seconds=0.3) as server:
        began = time.monotonic()
        response = server.get("/slow.csv?entity=5")
        assert (response.status_code, response.json()["code"]) == (503, "storage-unavailable")
        assert int(response.headers["retry-after"]) > 0
        assert time.monotonic() - began < 12


def test_a_listing_ends_with_its_deadline(bucket: Bucket) -> None:
    bucket.proxy.trickle("list-type=2")
    storage = open_storage("bucket", "dataset", endpoint_url=bucket.proxy.url, seconds=0.2)
    for ask_it in (storage.list, storage.level):
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            ask_it("")
        assert time.monotonic() - began < 12


@pytest.mark.parametrize(("stall_seconds", "code"), [(1.0, "storage-stalled"), (60.0, "storage-unavailable")])
def test_data_that_trickles_ends_the_download_and_frees_what_it_held(
    bucket: Bucket, stall_seconds: float, code: str
) -> None:
    size = (bucket.folder / "slow.parquet").stat().st_size
    with serving_bucket(bucket, catalogue_max_age=3600, production_stall_seconds=stall_seconds) as server:
        assert server.get("/slow.csv?entity=5").status_code == 200
        # Larger than a footer is, so that it is data which trickles.
        bucket.proxy.trickle("GET /bucket/dataset/slow.parquet", after=size // 8)
        response = server.get("/slow.csv")
        assert (response.status_code, response.json()["code"]) == (503, code)
        assert eventually(lambda: productions() == 0)


def test_data_that_trickles_leaves_the_other_datasets_a_place(bucket: Bucket) -> None:
    settings = {"catalogue_max_age": 3600, "storage_seconds": 4 * LATE}
    with serving_bucket(bucket, **settings) as server, ThreadPoolExecutor(MANY) as clients:
        assert server.get("/slow.csv?entity=5").status_code == 200
        bucket.proxy.trickle("GET /bucket/dataset/slow.parquet")
        slow = [clients.submit(ask, server, f"/slow.csv?entity={number}") for number in range(10, 10 + MANY)]
        assert eventually(lambda: productions() >= 4)
        began = time.monotonic()
        assert server.get("/quick.csv?entity=6").status_code == 200
        assert time.monotonic() - began < LATE
        bucket.proxy.release()
        assert {answer.result().status_code for answer in slow} == {200}


def test_downloads_of_a_stored_object_that_trickle_leave_the_others_answering(bucket: Bucket) -> None:
    with serving_bucket(bucket, catalogue_max_age=3600, storage_seconds=2 * LATE) as server:
        server.get("/slow.csv?entity=5")
        bucket.proxy.trickle("GET /bucket/dataset/slow.parquet")
        with ThreadPoolExecutor(MANY) as clients:
            before = len(bucket.proxy.requests)
            slow = [clients.submit(ask, server, "/slow.parquet") for _ in range(MANY)]
            assert eventually(lambda: len(bucket.proxy.requests) > before)
            began = time.monotonic()
            response = server.get("/other.parquet")
            assert pq.read_metadata(io.BytesIO(response.content)).num_rows == 4 * tables.GROUP_ROWS
            assert time.monotonic() - began < LATE
            bucket.proxy.release()
            assert {answer.result().status_code for answer in slow} <= {200, 503}


def test_a_slow_answer_that_comes_fast_enough_is_waited_for(bucket: Bucket) -> None:
    with serving_bucket(bucket, catalogue_max_age=3600) as server:
        size = int(server.client.head("/slow.parquet").headers["content-length"])
        # In three seconds, which is more than a request may take.
        bucket.proxy.trickle("GET /bucket/dataset/slow.parquet", size=size // 30)
        began = time.monotonic()
        rows = server.get("/slow.csv?field=text").text.splitlines()
        assert time.monotonic() - began > 2
    assert rows[1:] == [f'"{text}"' for text in tables.large(4)["text"].to_pylist()]
