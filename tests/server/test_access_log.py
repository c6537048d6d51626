"""One line a request: what was asked, what came of it, and where its bytes came from."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from application import __version__
from application.errors import EngineFailed, StorageUnavailable
from tests.query.newcomer import add_first
from tests.support import tables
from tests.support.serving import BROKEN_OFF, Served, eventually, serving, serving_folder

Asked = Callable[..., dict[str, Any]]


class Log:
    """What a server of this process has written on standard error so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.text = ""

    def records(self) -> list[dict[str, Any]]:
        self.text += self._capsys.readouterr().err
        return [json.loads(line) for line in self.text.splitlines()]

    def request(self, identity: str) -> dict[str, Any]:
        """The access line of one request, which may come a little after its end."""

        def found() -> list[dict[str, Any]]:
            lines = [record for record in self.records() if record["message"] == "request"]
            return [line for line in lines if line["request_id"] == identity]

        assert eventually(found)
        (line,) = found()
        return line


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


@pytest.fixture
def folder(tmp_path: Path, large: Path) -> Path:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    shutil.copy(large, tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path, log: Log) -> Iterator[Served]:
    with serving_folder(folder, log_level="INFO", log_format="json") as served:
        yield served


@pytest.fixture
def asked(server: Served, log: Log) -> Asked:
    """What the log says of a GET."""

    def ask(path: str, **headers: str) -> dict[str, Any]:
        response = server.get(path, headers=headers)
        return log.request(response.headers["x-request-id"])

    return ask


def test_a_complete_download(asked: Asked, server: Served) -> None:
    size = len(server.get("/sample.csv?quality=some&field=entity").content)
    line = asked("/sample.csv?quality=some&field=entity", **{"x-request-id": "chosen-by-client"})
    took = line.pop("duration"), line.pop("first_byte")
    assert 0 < took[1] <= took[0]
    assert line.pop("time")
    assert len(line.pop("e_tag")) == 32
    assert line == {
        "level": "INFO",
        "message": "request",
        "logger": "download",
        "request_id": "chosen-by-client",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/sample.csv",
        "resource": "download",
        "dataset": "sample",
        "format": "csv",
        "filters": ["quality__exact=some"],
        "status": 200,
        "outcome": "complete",
        "source": "spool",
        "rows": 3,
        "bytes": size,
    }


def test_where_the_bytes_came_from(asked: Asked) -> None:
    assert [asked("/sample.csv")["source"] for _ in range(2)] == ["made", "spool"]
    assert asked("/sample.parquet")["source"] == "object"
    assert asked("/sample.parquet")["rows"] == 6


def test_a_production_that_is_joined(server: Served, log: Log) -> None:
    with server.client.stream("GET", "/large.json") as first:
        pieces = first.iter_raw()
        next(pieces)
        # 44 MB take the engine longer than a request takes to come.
        with server.client.stream("GET", "/large.json") as second:
            for _ in second.iter_raw():
                pass
        for _ in pieces:
            pass
    lines = [log.request(each.headers["x-request-id"]) for each in (first, second)]
    assert [line["source"] for line in lines] == ["made", "joined"]
    assert lines[0]["e_tag"] == lines[1]["e_tag"]
    assert lines[0]["bytes"] == lines[1]["bytes"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/sample.csv?qualty=some", 422, "query-invalid"),
        ("/absent.csv", 404, "dataset-not-found"),
        ("/sample.odt", 404, "format-unknown"),
        ("/nothing/here", 404, "not-found"),
    ],
)
def test_what_is_refused_has_the_problems_code(asked: Asked, path: str, status: int, code: str) -> None:
    line = asked(path)
    assert (line["outcome"], line["status"], line["code"]) == ("refused", status, code)
    assert "source" not in line


def test_what_is_not_modified(asked: Asked, server: Served) -> None:
    tag = server.client.head("/sample.csv").headers["etag"]
    line = asked("/sample.csv", **{"if-none-match": tag})
    assert (line["outcome"], line["status"], line["bytes"]) == ("not-modified", 304, 0)


def test_a_head_sends_no_bytes(server: Served, log: Log) -> None:
    for path in ("/sample.csv", "/absent.csv"):
        line = log.request(server.client.head(path).headers["x-request-id"])
        assert (line["method"], line["bytes"]) == ("HEAD", 0)


def test_a_range_has_its_bytes_and_no_rows(asked: Asked) -> None:
    asked("/sample.csv")
    line = asked("/sample.csv", range="bytes=0-9")
    assert (line["status"], line["outcome"], line["bytes"]) == (206, "complete", 10)
    assert "rows" not in line


def test_a_coding_is_named(asked: Asked) -> None:
    assert asked("/sample.csv", **{"accept-encoding": "gzip"})["coding"] == "gzip"


def test_a_client_that_leaves(server: Served, log: Log) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /large.json HTTP/1.1\r\nHost: x\r\nX-Request-ID: the-one-that-left\r\n\r\n")
        received = b""
        while len(received) < 4096:
            received += client.recv(1 << 16)
    line = log.request("the-one-that-left")
    assert (line["outcome"], line["status"]) == ("cancelled", 200)
    assert line["bytes"] > 0
    assert "code" not in line


def test_a_download_that_breaks_off(folder: Path, server: Served, log: Log) -> None:
    tables.spoil(folder / "large.parquet", first_group=20)
    with (
        pytest.raises(BROKEN_OFF),
        server.client.stream("GET", "/large.csv") as response,
    ):
        for _ in response.iter_raw():
            pass
    line = log.request(response.headers["x-request-id"])
    assert (line["outcome"], line["status"]) == ("aborted", 200)
    assert line["code"] in ("engine-failed", "dataset-invalid")
    assert line["bytes"] > 0
    assert "rows" not in line


def test_a_stored_object_that_breaks_off(server: Served, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def chunks(*_: object) -> Iterator[bytes]:
        yield bytes(1 << 20)
        raise StorageUnavailable("planted") from OSError("the cause")

    # What is known of the dataset is of now, so that only its bytes are read.
    server.client.head("/large.parquet")
    monkeypatch.setattr(server.lifespan.get().storage, "chunks", chunks)
    with server.client.stream("GET", "/large.parquet") as response, pytest.raises(BROKEN_OFF):
        response.read()
    identity = response.headers["x-request-id"]
    line = log.request(identity)
    assert (line["outcome"], line["code"], line["source"]) == ("aborted", "storage-unavailable", "object")
    (cause,) = [each for each in log.records() if each.get("request_id") == identity and each is not line][:1]
    assert (cause["level"], cause["code"]) == ("ERROR", "storage-unavailable")
    assert "OSError: the cause" in cause["traceback"]


def test_what_nobody_expected(server: Served, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("planted X-Amz-Signature=0a1b2c3d")

    monkeypatch.setattr(server.lifespan.get().downloads, "planned", fail)
    line = log.request(server.get("/sample.csv").headers["x-request-id"])
    assert (line["outcome"], line["status"], line["code"]) == ("refused", 500, "internal")
    (cause,) = [record for record in log.records() if record["message"] == "unexpected failure"]
    assert cause["request_id"] == line["request_id"]
    assert "KeyError" in cause["traceback"]
    assert "0a1b2c3d" not in log.text


def test_a_cause_has_the_requests_id(server: Served, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise EngineFailed("The engine failed.")

    monkeypatch.setattr(server.lifespan.get().downloads, "planned", fail)
    identity = server.get("/sample.csv").headers["x-request-id"]
    (cause,) = [record for record in log.records() if record["message"].startswith("refused")]
    assert (cause["request_id"], cause["code"]) == (identity, "engine-failed")


def test_a_manifest_names_the_download_that_it_is_of(asked: Asked) -> None:
    line = asked("/datasets/sample/manifest?format=csv&quality=some")
    assert (line["resource"], line["dataset"], line["format"]) == ("manifest", "sample", "csv")
    assert line["filters"] == ["quality__exact=some"]


def test_probes_are_logged_for_debugging_only(server: Served, log: Log) -> None:
    for path in ("/health", "/ready", "/sample.csv"):
        last = server.get(path).headers["x-request-id"]
    log.request(last)
    paths = [record["path"] for record in log.records() if record["message"] == "request"]
    assert paths == ["/sample.csv"]


def test_a_probe_that_fails_is_logged(server: Served, folder: Path, log: Log) -> None:
    folder.rename(folder.with_name(f"{folder.name}-elsewhere"))
    response = server.get("/ready")
    assert response.status_code == 503
    assert log.request(response.headers["x-request-id"])["code"] == "storage-unavailable"


def test_long_things_are_cut(asked: Asked) -> None:
    line = asked("/sample.csv?name=" + "n" * 500)
    (shown,) = line["filters"]
    assert len(shown) == 100
    assert len(asked("/" + "p" * 5000)["path"]) == 200


def test_what_else_a_query_asks_for_follows_its_filters(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_first(monkeypatch)
    line = asked("/sample.csv?first=2&field=name&quality=some")
    assert line["filters"] == ["quality__exact=some", "first=2"]


def test_api_keys_and_unknown_parameters_are_not_logged(asked: Asked, log: Log) -> None:
    asked("/sample.csv?api_key=planted-in-query", **{"x-api-key": "planted-in-header"})
    asked("/sample.csv?name=x", authorization="Bearer planted-in-authorization")
    log.records()
    assert "planted" not in log.text


def test_a_line_has_no_line_ends_of_the_client(asked: Asked) -> None:
    assert asked("/sample.csv?name=%0Aforged%20line")["filters"] == ["name__exact=\nforged line"]
    assert asked("/%0Aforged")["path"] == "/\nforged"


def test_nothing_is_written_for_each_batch(asked: Asked, log: Log) -> None:
    before = len(log.records())
    asked("/large.csv")
    assert len(log.records()) == before + 1


def test_the_first_lines_say_what_runs(server: Served, log: Log, folder: Path) -> None:
    messages = [record["message"] for record in log.records()]
    assert messages[:2] == [
        f"Starting download-lambda {__version__}, production",
        f"Dataset bucket: {folder}",
    ]
    assert [line.split(":")[0] for line in messages[2:6]] == [
        "Engine",
        "Spool",
        "Productions",
        "Telemetry",
    ]


def test_a_spool_in_memory_is_warned_of(folder: Path, log: Log) -> None:
    memory = Path("/dev/shm")
    with serving(dataset_bucket=folder.as_uri(), spool_dir=memory, log_level="INFO", log_format="json"):
        pass
    (warning,) = [record for record in log.records() if record["level"] == "WARNING"]
    assert "SPOOL_DIR is in memory" in warning["message"]


def test_text_has_the_same_fields(folder: Path, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    with serving_folder(folder, log_level="INFO", log_format="text") as served:
        served.get("/sample.csv?quality=some", headers={"x-request-id": "a-text-line"})
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "a-text-line" in each]
    for shown in ("INFO request ", " path=/sample.csv ", ' filters=["quality__exact=some"] ', " rows=3 "):
        assert shown in line
