"""A file is complete, or verify says exactly what is wrong with it."""

import base64
import gzip
import os
import time
from pathlib import Path

import pytest
import zstandard

from application.cli import main
from tests.support import tables
from tests.support.serving import Served, serving_folder

TRAILERS = (
    b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n"
    b"Lambda-Runtime-Function-Error-Body: "
    + base64.b64encode(b'{"errorMessage": "the stream broke"}')
    + b"\r\n"
)


@pytest.fixture
def body(server: Served) -> bytes:
    return server.get("/sample.csv").content


def verified(
    server: Served, path: Path, content: bytes, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, str]:
    path.write_bytes(content)
    status = main(["verify", str(path), f"{server.url}/sample.csv", *more])
    return status, capsys.readouterr().out.strip()


def test_what_is_whole_is_complete(
    server: Served, body: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sample.csv"
    assert verified(server, file, body, capsys) == (0, "complete")
    for name, coded in (("gzip", gzip.compress(body)), ("zstd", zstandard.compress(body))):
        status, words = verified(server, file, coded, capsys)
        assert status == 0
        assert words.startswith(f"complete, compressed with {name} as it was received")


def test_what_is_wrong_is_said(
    server: Served, body: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_gzip = gzip.compress(body)[:-12]
    cases = [
        (b"", f"too short by {len(body)} of {len(body)} bytes"),
        (body[:-7], f"too short by 7 of {len(body)} bytes"),
        (body + b"more", "too long by 4 bytes, which follow the whole download"),
        (b"x" * (len(body) + 4), "too long by 4 bytes"),
        (body.replace(b"one", b"two"), "other content of the same length: SHA-256 is "),
        (cut_gzip, "compressed with gzip as it was received; its gzip is cut"),
        (gzip.compress(body) + b"more", "4 bytes follow its gzip"),
        (gzip.compress(body[:-7]), f"too short by 7 of {len(body)} bytes"),
        (zstandard.compress(body)[:-9], "compressed with zstd as it was received; its zstd is "),
    ]
    for content, said in cases:
        status, words = verified(server, tmp_path / "sample.csv", content, capsys)
        assert (status, said in words) == (1, True), words
        assert ("which follow" in words) == ("which follow" in said)


def test_the_error_text_of_lambda_is_recognised(
    server: Served, body: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sample.csv"
    status, words = verified(server, file, body[:-7] + TRAILERS, capsys)
    assert status == 1
    assert words == (
        f"too short by 7 of {len(body)} bytes; it was cut on Lambda and ends with the error's text: "
        "Runtime.StreamError: the stream broke"
    )
    status, words = verified(server, file, gzip.compress(body)[:-12] + TRAILERS, capsys)
    assert status == 1
    assert "its gzip is cut" in words
    assert "cut on Lambda" in words


def test_another_version_is_told_by_its_time_or_its_etag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    with serving_folder(tmp_path) as server:
        old = server.get("/sample.csv", headers={"Accept-Encoding": "gzip"})
        tables.write(tables.sample(6), tmp_path / "sample.parquet")
        file = tmp_path / "sample.csv"
        status, words = verified(server, file, old.content, capsys, "--etag", old.headers["etag"])
        assert (status, words.startswith("another version: the server has ")) == (1, True)
        os.utime(file, (time.time() - 100,) * 2)
        assert main(["verify", str(file), f"{server.url}/sample.csv"]) == 1
        assert capsys.readouterr().out.startswith("another version: the file is of ")


@pytest.mark.parametrize(
    ("name", "url", "said"),
    [
        ("absent.csv", "/sample.csv", "There is no file"),
        ("here.csv", "/absent.csv", "The server answers 404: There is no dataset 'absent'"),
        ("here.csv", "/health", "is not the URL of a download"),
        ("here.csv", "/sample.csv?qualty=1", "did you mean 'quality'?"),
    ],
)
def test_what_cannot_be_compared_is_said(
    server: Served,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    name: str,
    url: str,
    said: str,
) -> None:
    (tmp_path / "here.csv").write_bytes(b"")
    assert main(["verify", str(tmp_path / name), server.url + url]) == 1
    assert said in capsys.readouterr().err
