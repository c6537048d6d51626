"""A fetched file is the download, however often the connection breaks."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from application.cli import main
from application.client.fetch import fetch
from application.client.remote import Address, RemoteFailed
from application.errors import DownloadError
from tests.support import tables
from tests.support.proxy import proxying
from tests.support.serving import Served, serving_folder


@pytest.fixture(scope="module")
def rows_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    tables.write(tables.large(4), folder / "rows.parquet")
    return folder


@pytest.fixture(scope="module")
def rows(rows_folder: Path) -> Iterator[Served]:
    with serving_folder(rows_folder) as served:
        yield served


def no_wait(seconds: float) -> None:
    """Tests need not wait."""


def test_fetch_writes_the_download(
    server: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.csv"
    assert main(["fetch", f"{server.url}/sample.csv?organisation-entity=org-1", "-o", str(output)]) == 0
    assert output.read_bytes() == server.get("/sample.csv?organisation-entity=org-1").content
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert "complete" in capsys.readouterr().err


def test_fetch_and_verify_send_the_key_of_the_environment(
    rows_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "rows.csv"
    with serving_folder(rows_folder, api_key="a-key-of-the-tests") as served:
        asked = f"{served.url}/rows.csv?entity=7"
        assert main(["fetch", asked, "-o", str(output)]) == 1
        monkeypatch.setenv("DOWNLOAD_API_KEY", "a-key-of-the-tests")
        assert main(["fetch", asked, "-o", str(output)]) == 0
        assert main(["verify", str(output), asked]) == 0


def test_the_key_does_not_follow_a_redirect_to_another_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("127.0.0.1", 0)) as first:
        heard: list[bytes] = []

        def answer(listener: socket.socket, head: bytes) -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(1 << 16))
                connection.sendall(b"HTTP/1.1 " + head + b"\r\nContent-Length: 0\r\n\r\n")

        place = f"http://127.0.0.1:{other.getsockname()[1]}/x".encode()
        heads = ((first, b"307 There\r\nLocation: " + place), (other, b"404 No"))
        threads = [threading.Thread(target=answer, args=pair, daemon=True) for pair in heads]
        for thread in threads:
            thread.start()
        url = f"http://127.0.0.1:{first.getsockname()[1]}/t.csv"
        with pytest.raises(RemoteFailed):
            fetch(url, tmp_path / "t.csv", wait=no_wait, key="a-key-of-the-tests")
        for thread in threads:
            thread.join(10)
    assert b"a-key-of-the-tests" in heard[0]
    assert b"a-key-of-the-tests" not in heard[1]


@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_a_fetch_that_is_cut_goes_on_where_it_was(rows: Served, tmp_path: Path, extension: str) -> None:
    whole = rows.get(f"/rows.{extension}").content
    with proxying(rows.url, len(whole) // 3, len(whole) // 3) as proxy:
        output, size = fetch(f"{proxy.url}/rows.{extension}", tmp_path / "rows", wait=no_wait)
        asked = [request for request in proxy.requests if request.startswith(b"GET /rows.")]
    assert (output.read_bytes() == whole, size) == (True, len(whole))
    assert [b"range: bytes=" in request.lower() for request in asked] == [False, True, True]
    assert b"if-range: " in asked[1].lower()
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_a_stream_that_is_cut_starts_over_and_is_compared_with_the_manifest(
    rows_folder: Path, tmp_path: Path
) -> None:
    with serving_folder(rows_folder, spool_dir=None) as server:
        with proxying(server.url, 2 << 20) as proxy:
            output, _ = fetch(f"{proxy.url}/rows.csv", tmp_path / "rows.csv", wait=no_wait)
            assert any(b"/datasets/rows/manifest" in request for request in proxy.requests)
        assert output.read_bytes() == server.get("/rows.csv").content


def test_a_later_run_goes_on_with_the_part(rows: Served, tmp_path: Path) -> None:
    whole, output = rows.get("/rows.csv").content, tmp_path / "rows.csv"
    # The proxy's port is part of the URL, so both runs go through one.
    with proxying(rows.url, 3 << 20, *[0] * 6) as proxy:
        with pytest.raises(RemoteFailed, match="run it again to go on"):
            fetch(f"{proxy.url}/rows.csv", output, wait=no_wait)
        part = tmp_path / "rows.csv.part"
        assert whole.startswith(part.read_bytes())
        # A broken connection loses what lies in its buffers, so how much came is left open.
        assert part.stat().st_size > 0
        assert not output.exists()
        proxy.requests.clear()
        fetch(f"{proxy.url}/rows.csv", output, wait=no_wait)
        assert b"range: bytes=" in proxy.requests[0].lower()
    assert output.read_bytes() == whole


def test_a_part_that_is_all_there_needs_no_more_bytes(rows: Served, tmp_path: Path) -> None:
    response, url = rows.get("/rows.csv"), f"{rows.url}/rows.csv"
    (tmp_path / "rows.csv.part").write_bytes(response.content)
    note = {"url": url, "e_tag": response.headers["etag"]}
    (tmp_path / "rows.csv.part.json").write_text(json.dumps(note))
    fetch(url, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_bytes() == response.content


@pytest.mark.parametrize("note", [None, "{", '{"url": "other", "e_tag": "x"}', '{"old": true}'])
def test_a_part_of_another_or_unknown_version_is_not_kept(
    rows: Served, tmp_path: Path, note: str | None
) -> None:
    url = f"{rows.url}/rows.csv"
    (tmp_path / "rows.csv.part").write_bytes(b"something else")
    if note is not None:
        text = note.replace('{"old": true}', json.dumps({"url": url, "e_tag": '"old"'}))
        (tmp_path / "rows.csv.part.json").write_text(text)
    fetch(url, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_bytes() == rows.get("/rows.csv").content


def test_a_damaged_part_never_gets_the_name(rows: Served, tmp_path: Path) -> None:
    url = f"{rows.url}/rows.csv"
    (tmp_path / "rows.csv.part").write_bytes(b"x" * 1000)
    note = {"url": url, "e_tag": rows.get("/rows.csv").headers["etag"]}
    (tmp_path / "rows.csv.part.json").write_text(json.dumps(note))
    with pytest.raises(DownloadError, match="Try again"):
        fetch(url, tmp_path / "rows.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [("/absent.csv", "404: There is no dataset"), ("/sample.csv?qualty=1", "did you mean 'quality'?")],
)
def test_a_refusal_is_told_at_once(
    server: Served, tmp_path: Path, path: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", server.url + path, "-o", str(tmp_path / "out.csv")]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_busy_is_waited_for_as_long_as_it_says_and_not_for_ever(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    waits: list[float] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            for _ in range(6):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(RemoteFailed, match=r"Given up after 6 tries\. The server answers 503"):
            fetch(f"http://127.0.0.1:{port}/rows.csv", tmp_path / "rows.csv", wait=waits.append)
        thread.join(5)
    assert len(waits) == 5
    assert min(waits) >= 7


def test_a_file_that_cannot_be_written_is_said(server: Served, tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(DownloadError, match=r"out\.csv cannot be written"):
        fetch(f"{server.url}/sample.csv", tmp_path / "out.csv")
    with pytest.raises(DownloadError, match="There is no folder"):
        fetch(f"{server.url}/sample.csv", tmp_path / "absent" / "out.csv")


def test_the_manifest_of_a_url() -> None:
    address = Address.of("https://example.org/data/dataset/tree.csv?format=x&field=a%20b&quality=#top")
    assert address.manifest_url == (
        "https://example.org/data/datasets/tree/manifest?format=csv&format__exact=x&field=a%20b&quality="
    )
    assert address.filename == "tree.csv"
