"""Writing to a real S3 server: whole objects or none, and notes."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from application.errors import ConfigurationError, EngineFailed, StorageUnavailable
from application.storage import export, open_export_storage
from application.storage.export import S3ExportStorage
from tests.storage.conftest import KEY, SECRET
from tests.support.s3_server import s3_server

pytestmark = pytest.mark.slow

MEBIBYTE = 1 << 20
ATTRIBUTES = {
    "Content-Type": "text/csv",
    "Content-Disposition": 'attachment; filename="t.csv"',
    "Content-Encoding": "gzip",
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("exports")
    (folder / "bucket").mkdir()
    with s3_server(folder, KEY, SECRET, writable=True) as endpoint:
        yield endpoint


@pytest.fixture
def store(endpoint: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> S3ExportStorage:
    # The smallest parts that S3 takes.
    monkeypatch.setattr(export, "_PART_BYTES", 5 * MEBIBYTE)
    return open_export_storage("s3://bucket/exports", endpoint_url=endpoint)


def numbered(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number]) * MEBIBYTE


def test_an_object_of_several_parts_has_all_bytes_and_its_attributes(store: S3ExportStorage) -> None:
    store.write("a/t.csv", numbered(12), ATTRIBUTES)
    opener = build_opener(ProxyHandler({}))
    with opener.open(store.presign("a/t.csv", 60)) as response:
        assert response.read() == b"".join(numbered(12))
        assert {name: response.headers[name] for name in ATTRIBUTES} == ATTRIBUTES


@pytest.mark.parametrize("count", [0, 1])
def test_a_small_object_is_written_too(store: S3ExportStorage, count: int) -> None:
    store.write("a/small.csv", numbered(count), ATTRIBUTES)
    written = store.head("a/small.csv")
    assert written
    assert written.size == count * MEBIBYTE


@pytest.mark.parametrize("count", [1, 12])
def test_pieces_that_fail_leave_no_object_and_tell_why(store: S3ExportStorage, count: int) -> None:
    def failing() -> Iterator[bytes]:
        yield from numbered(count)
        raise EngineFailed("the engine failed")

    with pytest.raises(EngineFailed):
        store.write("a/failed.csv", failing(), ATTRIBUTES)
    assert store.head("a/failed.csv") is None


def test_notes_are_written_read_and_removed(store: S3ExportStorage) -> None:
    assert store.noted("n.json") is None
    assert store.note("n.json", b"1", only_if_new=True)
    assert store.note("n.json", b"2")
    assert store.noted("n.json") == b"2"
    store.remove("n.json")
    assert store.noted("n.json") is None


def test_only_one_of_many_makes_a_new_note(keys: None) -> None:
    """A server that heeds If-None-Match as S3 documents it; rclone does not."""
    there, lock = set[str](), threading.Lock()

    class Conditional(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                refused = self.headers.get("If-None-Match") == "*" and self.path in there
                there.add(self.path)
            self.send_response(412 if refused else 200)
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Conditional) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        store = open_export_storage("bucket", endpoint_url=f"http://127.0.0.1:{server.server_port}")
        assert [store.note("n.json", b"1", only_if_new=True) for _ in range(3)] == [True, False, False]
        server.shutdown()
        thread.join()


def test_a_bucket_that_is_not_there_is_told(endpoint: str, keys: None, tmp_path: Path) -> None:
    store = open_export_storage("absent", endpoint_url=endpoint)
    with pytest.raises(StorageUnavailable):
        store.write("a/t.csv", numbered(1), ATTRIBUTES)


@pytest.mark.parametrize("location", ["./folder", "/srv/exports", "file:///srv", "a bucket", "s3://"])
def test_what_is_no_bucket_is_refused(location: str) -> None:
    with pytest.raises(ConfigurationError, match="EXPORT_BUCKET"):
        open_export_storage(location)
