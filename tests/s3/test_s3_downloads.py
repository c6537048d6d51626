"""Downloads from a real S3 server, over a real socket."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.s3.conftest import KEY, SECRET, SOURCELESS
from tests.support import tables
from tests.support.proxy import Proxy, proxying
from tests.support.s3_server import s3_server
from tests.support.serving import Served, eventually, serving, serving_folder


@dataclass(frozen=True, slots=True)
class Bucket:
    """A served bucket: its files, and the proxy that stands before its server."""

    folder: Path
    proxy: Proxy


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    root = tmp_path_factory.mktemp("served")
    folder = root / "bucket" / "dataset"
    tables.write(tables.sample(), folder / "sample.parquet")
    tables.write(tables.sample(10), folder / "parts/env=b/2 b+c%20.parquet")
    tables.write(tables.sample(), folder / "parts/1.parquet")
    rows = tables.large(6)
    groups = [f"org-{row // tables.GROUP_ROWS}" for row in range(len(rows))]
    rows = rows.append_column("organisation-entity", pa.array(groups))
    tables.write(rows, folder / "sorted.parquet")
    with s3_server(root, KEY, SECRET) as endpoint, proxying(endpoint) as proxy:
        yield Bucket(folder, proxy)


@pytest.fixture(scope="module")
def server(bucket: Bucket) -> Iterator[Served]:
    with serving(
        dataset_bucket="bucket",
        aws_endpoint_url=bucket.proxy.url,
        aws_region="eu-west-2",
        catalogue_max_age=0,
    ) as served:
        yield served


@pytest.mark.parametrize("extension", SOURCELESS)
def test_a_bucket_gives_the_bytes_that_a_folder_gives(server: Served, bucket: Bucket, extension: str) -> None:
    with serving_folder(bucket.folder) as local:
        for path in (f"/sample.{extension}", f"/sample.{extension}?organisation-entity=org-1"):
            assert server.get(path).content == local.get(path).content
            assert server.get(path).status_code == 200


def test_parts_come_in_the_order_of_their_keys(server: Served) -> None:
    rows = server.get("/parts.json").json()
    before = [{**row, "env": None} for row in tables.sample().to_pylist()]
    assert rows == before + [{**row, "env": "b"} for row in tables.sample(10).to_pylist()]


def test_row_groups_that_cannot_match_are_not_read(server: Served, bucket: Bucket) -> None:
    size = (bucket.folder / "sorted.parquet").stat().st_size
    before = bucket.proxy.received
    body = server.get("/sorted.parquet?organisation-entity=org-3").content
    read = bucket.proxy.received - before
    assert pq.read_table(io.BytesIO(body)).num_rows == tables.GROUP_ROWS
    assert size / 12 < read < size / 3
    before = bucket.proxy.received
    assert server.get("/sorted.json?organisation-entity=org-none").json() == []
    assert bucket.proxy.received - before < size / 12


def test_columns_that_are_not_asked_for_are_not_read(server: Served, bucket: Bucket) -> None:
    size = (bucket.folder / "sorted.parquet").stat().st_size
    before = bucket.proxy.received
    assert server.get("/sorted.csv?field=organisation-entity").status_code == 200
    assert bucket.proxy.received - before < size / 6


def test_head_reads_no_data(server: Served, bucket: Bucket) -> None:
    before = bucket.proxy.received
    assert server.client.head("/sorted.csv").status_code == 200
    assert bucket.proxy.received - before < (bucket.folder / "sorted.parquet").stat().st_size / 12


def test_a_replaced_object_is_served_anew_with_another_tag(server: Served, bucket: Bucket) -> None:
    path = bucket.folder / "changing.parquet"
    tables.write(tables.sample(), path)
    first = server.get("/changing.csv")
    tag = {"If-None-Match": first.headers["etag"]}
    assert server.get("/changing.csv", headers=tag).status_code == 304
    tables.write(tables.sample(100), path)
    second = server.get("/changing.csv", headers=tag)
    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]
    assert '100,"one"' in second.text


def test_an_absent_dataset_is_not_found_and_an_absent_bucket_unavailable(
    server: Served, bucket: Bucket
) -> None:
    assert server.get("/absent.csv").status_code == 404
    with serving(dataset_bucket="no-such-bucket", aws_endpoint_url=bucket.proxy.url) as other:
        for path in ("/sample.csv", "/ready"):
            response = other.get(path)
            assert (response.status_code, response.json()["code"]) == (503, "storage-unavailable")


def test_however_many_ask_whether_it_is_ready_storage_is_asked_once_a_second(
    server: Served, bucket: Bucket
) -> None:
    def asked() -> int:
        return sum(b"/ready-check.parquet" in request for request in bucket.proxy.requests)

    before, began = asked(), time.monotonic()
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: httpx2.get(f"{server.url}/ready", trust_env=False), range(64)))
    seconds = time.monotonic() - began
    assert {answer.status_code for answer in answers} == {200}
    assert 1 <= asked() - before <= 1 + seconds
    assert eventually(lambda: server.get("/ready").status_code == 200 and asked() - before > 1)


def test_refused_credentials_make_storage_unavailable_and_stay_secret(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    with serving(dataset_bucket="bucket", aws_endpoint_url=bucket.proxy.url) as other:
        response = other.get("/sample.csv")
    assert response.status_code == 503
    assert "a-wrong-secret" not in response.text
    assert KEY not in response.text


def test_by_setting_the_stored_file_is_a_redirect_to_where_it_lies(bucket: Bucket) -> None:
    with serving(
        dataset_bucket="bucket",
        aws_endpoint_url=bucket.proxy.url,
        aws_region="eu-west-2",
        native_redirect_seconds=60,
    ) as redirecting:
        answer = redirecting.get("/sample.parquet")
        assert answer.status_code == 307
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {"location": answer.headers["location"]}
        stored = redirecting.get(answer.headers["location"])
        assert stored.content == (bucket.folder / "sample.parquet").read_bytes()
        assert redirecting.client.head("/sample.parquet").status_code == 200
        assert redirecting.get("/sample.parquet?organisation-entity=org-1").status_code == 200
        again = {"if-none-match": redirecting.client.head("/sample.parquet").headers["etag"]}
        assert redirecting.get("/sample.parquet", headers=again).status_code == 304
