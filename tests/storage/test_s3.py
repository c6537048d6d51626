"""A real S3 server as storage."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from application.errors import DatasetChanged, StorageUnavailable
from application.storage import Storage, open_storage, s3
from tests.storage.conftest import KEY, SECRET, Bucket, fill, known, paths
from tests.support.s3_server import start_s3_server


@contextmanager
def before(bucket: Bucket, *, strict: bool = True, tagged: bool = True) -> Iterator[Storage]:
    """The same server behind one that heeds ranges and If-Match as AWS does, or gives no tags."""
    target = urlsplit(bucket.endpoint).netloc

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = HTTPConnection(target)
            connection.request(self.command, self.path, headers=dict(self.headers))
            with connection.getresponse() as answer:
                body, headers, status = answer.read(), dict(answer.headers), answer.status
            connection.close()
            tag = self.headers.get("If-Match")
            if strict and tag and status == 200 and tag != headers.get("Etag"):
                body, headers, status = b"", {"Content-Length": "0"}, 412
            if not tagged:
                headers.pop("Etag", None)
                body = re.sub(rb"<ETag>.*?</ETag>", b"", body)
                headers |= {"Content-Length": str(len(body))} if self.command == "GET" else {}
            self.send_response(206 if strict and status == 200 and "Content-Range" in headers else status)
            for name, value in headers.items():
                if name not in ("Server", "Date"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        # rclone verifies signatures over the Host that it was asked for, which the headers carry on.
        yield open_storage("bucket", "dataset", endpoint_url=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


@pytest.fixture(params=["as it is", "strict"])
def storage(request: pytest.FixtureRequest, bucket: Bucket) -> Iterator[Storage]:
    """The server as rclone is (ranges answered 200, If-Match ignored) and as AWS is."""
    if request.param == "strict":
        with before(bucket) as strict:
            yield strict
    else:
        yield bucket.open()


@pytest.fixture(params=["as it is", "strict"])
def untagged(request: pytest.FixtureRequest, bucket: Bucket) -> Iterator[Storage]:
    """The same two without entity tags."""
    with before(bucket, strict=request.param == "strict", tagged=False) as found:
        yield found


def test_a_listing_is_in_the_order_of_bytes(bucket: Bucket) -> None:
    storage = bucket.open()
    parts = ["parts/1.parquet", "parts/2 b+c%20.parquet", "parts/Z.parquet"]
    assert paths(storage, "parts/") == parts
    assert paths(storage, "parts") == [*parts, "partsX/z.parquet"]
    assert paths(storage, "parts/1") == ["parts/1.parquet"]
    assert [path for path in paths(storage) if path in parts] == parts
    for absent in ("nothing/", "b.parquet/", "../", "/", "parts/../"):
        assert paths(storage, absent) == []


def test_the_prefix_may_be_empty(bucket: Bucket) -> None:
    storage = bucket.open(prefix="")
    assert paths(storage, "dataset/partsX/") == ["dataset/partsX/z.parquet"]
    assert storage.head("dataset/b.parquet") is not None


def test_listed_and_asked_for_are_the_same(bucket: Bucket) -> None:
    storage = bucket.open()
    for meta in storage.list("parts/"):
        assert storage.head(meta.path) == meta
        assert meta.e_tag
        assert '"' not in meta.e_tag


@pytest.mark.parametrize("path", ["", ".", "x", "parts", "../dataset/b.parquet", "parts/../b.parquet", "a\0b",
                                  "b.parquet/", "/b.parquet", "a//b", "x" * 2000, "\udc80"])  # fmt: skip
def test_what_is_no_object_is_absent(bucket: Bucket, path: str) -> None:
    assert bucket.open().head(path) is None


def test_ranges_and_chunks_give_the_objects_bytes(storage: Storage, bucket: Bucket) -> None:
    content = os.urandom((9 << 20) + 7)
    (bucket.folder / "big.parquet").write_bytes(content)
    meta = known(storage, "big.parquet")
    assert storage.read(meta, 5, 17) == content[5:17]
    assert storage.read(meta, meta.size - 8, meta.size) == content[-8:]
    assert storage.read(meta, 9, 9) == b""
    pieces = list(storage.chunks(meta, 3, meta.size))
    assert b"".join(pieces) == content[3:]
    assert max(map(len, pieces)) == 1 << 20
    with pytest.raises(ValueError, match="not within"):
        storage.read(meta, 0, meta.size + 1)


@pytest.mark.parametrize("change", ["same size", "shorter", "longer", "deleted"])
def test_an_object_that_was_replaced_is_noticed(storage: Storage, bucket: Bucket, change: str) -> None:
    path = bucket.folder / "b.parquet"
    meta, before = known(storage, "b.parquet"), path.read_bytes()
    if change == "deleted":
        path.unlink()
    else:
        path.write_bytes({"same size": before.upper(), "shorter": b"x", "longer": before * 2}[change])
    with pytest.raises(DatasetChanged):
        storage.read(meta, meta.size - 4, meta.size)


def test_without_tags_an_object_that_was_replaced_is_told_apart_by_its_time(
    untagged: Storage, bucket: Bucket
) -> None:
    path = bucket.folder / "parts" / "1.parquet"
    os.utime(path, (1_700_000_000, 1_700_000_000))
    meta, (listed, *_) = known(untagged, "parts/1.parquet"), untagged.list("parts/")
    assert (listed, meta.e_tag) == (meta, "")
    assert untagged.read(meta, 0, meta.size) == path.read_bytes()
    path.write_bytes(path.read_bytes().upper())
    os.utime(path, (1_700_000_001, 1_700_000_001))
    assert known(untagged, "parts/1.parquet").version != meta.version
    assert next(untagged.list("parts/")).version != meta.version
    with pytest.raises(DatasetChanged):
        untagged.read(meta, 0, 4)


def test_a_tag_that_only_some_answers_have_makes_no_change(bucket: Bucket) -> None:
    storage = bucket.open()
    with before(bucket, tagged=False) as untagged:
        for one, other in ((storage, untagged), (untagged, storage)):
            assert one.read(known(other, "b.parquet"), 0, 3) == b"the"


def test_a_change_between_chunks_is_noticed(storage: Storage, bucket: Bucket) -> None:
    path = bucket.folder / "big.parquet"
    path.write_bytes(bytes(9 << 20))
    meta = known(storage, "big.parquet")
    pieces = storage.chunks(meta, 0, meta.size)
    next(pieces)
    path.write_bytes(b"\1" * (9 << 20))
    with pytest.raises(DatasetChanged):
        list(pieces)


def test_a_presigned_url_can_be_fetched_by_anyone(bucket: Bucket) -> None:
    url = bucket.open().presign("parts/2 b+c%20.parquet", 60)
    assert url is not None
    with build_opener(ProxyHandler({})).open(url, timeout=5) as answer:
        assert answer.read() == b"the bytes of parts/2 b+c%20.parquet"


def test_duckdb_reads_with_the_secret_and_within_the_root(bucket: Bucket) -> None:
    """What ``url``, ``allowed`` and ``secret`` give is what a locked-down DuckDB takes."""
    duckdb = pytest.importorskip("duckdb")
    extension = pytest.importorskip("duckdb_extension_httpfs")
    found = next(Path(extension.__file__).parent.rglob("httpfs.duckdb_extension"))
    storage = bucket.open()
    secret = storage.engine_access().secret
    assert secret is not None
    # Without s3_url_compatibility_mode these are globs, and what follows "?" are settings.
    names = ("n b+c%20", "g[1]x", "q?x", "a*b")
    with duckdb.connect() as database:
        for name in names:
            database.execute(f"COPY (SELECT 42 AS a) TO '{bucket.folder}/{name}.parquet'")
        database.execute(f"LOAD '{found}'; SET s3_url_compatibility_mode = true")
        database.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{secret.key}', SECRET '{secret.secret}',"
            f" REGION '{secret.region}', ENDPOINT '{secret.endpoint}', USE_SSL {secret.use_ssl},"
            f" URL_STYLE '{secret.url_style}')"
        )
        database.execute(
            f"SET allowed_directories = ['{storage.engine_access().root}'];SET enable_external_access = false"
        )
        for name in names:
            url = storage.engine_access().root + f"{name}.parquet"
            assert database.execute("SELECT a FROM read_parquet(?)", [url]).fetchall() == [(42,)]
        with pytest.raises(duckdb.PermissionException):
            database.execute("SELECT * FROM read_parquet('s3://bucket/other.parquet')")


def test_a_secret_shows_nothing_in_its_repr(bucket: Bucket) -> None:
    secret = bucket.open().engine_access().secret
    assert secret is not None
    assert SECRET not in repr(secret)
    assert KEY not in repr(secret)
    assert (secret.endpoint, secret.use_ssl, secret.url_style) == (
        urlsplit(bucket.endpoint).netloc,
        False,
        "path",
    )


@pytest.mark.parametrize(
    ("name", "host", "style"), [("data", "s3.eu-west-2.amazonaws.com", "vhost"), ("a.b", None, "path")]
)
def test_aws_itself_is_the_default(keys: None, name: str, host: str | None, style: str) -> None:
    secret = open_storage(name).engine_access().secret
    assert secret is not None
    assert (secret.region, secret.use_ssl, secret.url_style) == ("eu-west-2", True, style)
    assert host in (None, secret.endpoint)


def test_a_region_is_taken_from_the_setting_or_else_the_environment(
    keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    default = open_storage("data").engine_access().secret
    chosen = open_storage("data", region="eu-north-1").engine_access().secret
    assert default is not None
    assert chosen is not None
    assert (default.region, chosen.region) == ("us-east-1", "eu-north-1")


def test_many_threads_share_one_client_from_their_first_call(bucket: Bucket) -> None:
    storage = bucket.open()
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(storage.head, ["b.parquet"] * 64))) == 1


ASKING: list[Callable[[Storage], object]] = [
    lambda storage: storage.head("b.parquet"),
    lambda storage: storage.list(),
]


def refused(storage: Storage, ask: Callable[[Storage], object], *secrets: str) -> str:
    with pytest.raises(StorageUnavailable) as caught:
        ask(storage)
    for text in (*secrets, KEY, SECRET, "127.0.0.1", "http"):
        assert text not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ask", ASKING)
@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_wrong_key_makes_storage_unavailable(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, name: str, ask: Callable[[Storage], object]
) -> None:
    monkeypatch.setenv(name, "wrong-wrong-wrong")
    assert "refused" in refused(bucket.open(), ask, "wrong-wrong")


@pytest.mark.parametrize("ask", ASKING)
def test_a_missing_bucket_makes_storage_unavailable(bucket: Bucket, ask: Callable[[Storage], object]) -> None:
    assert "no bucket" in refused(bucket.open("nobucket"), ask)


@pytest.mark.parametrize("ask", ASKING)
def test_a_bucket_in_another_region_is_told(keys: None, ask: Callable[[Storage], object]) -> None:
    with redirecting() as endpoint:
        said = refused(open_storage("bucket", endpoint_url=endpoint), ask)
    assert "DATASET_REGION" in said


@contextmanager
def redirecting() -> Iterator[str]:
    """A server that answers as S3 does in a region where the bucket is not: 301, and nowhere to go."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(301)
            self.send_header("x-amz-bucket-region", "eu-west-1")
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_dies_makes_storage_unavailable_soon(tmp_path: Path, keys: None) -> None:
    fill(tmp_path / "bucket" / "dataset")
    with start_s3_server(tmp_path, KEY, SECRET) as (endpoint, process):
        storage = open_storage("bucket", endpoint_url=endpoint)
        meta = known(storage, "b.parquet")
        assert storage.read(meta, 0, 3) == b"the"
        process.kill()
        process.wait()
        began = time.monotonic()
        for ask in (*ASKING, lambda storage: storage.read(meta, 0, 3)):
            refused(storage, ask)
        assert time.monotonic() - began < 5


def test_a_silent_server_makes_storage_unavailable_in_bounded_time(
    keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two attempts: ten seconds as it is shipped, two here."""
    monkeypatch.setattr(s3, "_SILENCE", timedelta(seconds=1))
    monkeypatch.setattr(s3, "_LAST_RETRY", timedelta(seconds=1.6))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        storage = open_storage("bucket", endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        refused(storage, ASKING[0])
        assert 1.5 < time.monotonic() - began < 4


def test_a_level_is_what_lies_directly_in_a_folder(bucket: Bucket) -> None:
    storage = bucket.open()
    top = storage.level()
    assert {"b.parquet"} <= {meta.path for meta in top.objects}
    assert not any("/" in meta.path for meta in top.objects)
    assert {"parts/", "partsX/"} <= set(top.folders)
    within = storage.level("parts/")
    assert [meta.path for meta in within.objects] == paths(storage, "parts/")
    assert (within.folders, storage.level("nothing/").objects, storage.level("../").folders) == ((), (), ())
    assert [storage.head(meta.path) for meta in within.objects] == list(within.objects)
