"""Behind a front end that does to answers what real ones were reported to do."""

import gzip
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from application.cli import main
from tests.lambda_runtime.conftest import Bucket, Starter
from tests.lambda_runtime.endpoints import function_url
from tests.lambda_runtime.front import RENAMED_LENGTH, Front
from tests.lambda_runtime.function import Function
from tests.lambda_runtime.invocation import Ended
from tests.lambda_runtime.test_same_answers import REQUESTS, TAG, Told, over_http
from tests.support import tables
from tests.support.readers import READERS, Reader
from tests.support.serving import SECONDS, Served, serving

pytestmark = pytest.mark.adapter

ROOT = Path(__file__).parent.parent.parent
SMOKE = ROOT / "scripts" / "smoke-test.sh"
DOCS = ROOT / "docs" / "lambda.md"
FRONTS = {
    "codings unnamed": Front(codings="unnamed"),
    "codings decoded": Front(codings="decoded"),
    "length renamed": Front(renames_length=True),
    "empty bodies hang": Front(hangs=True),
    "all of them": Front(codings="unnamed", renames_length=True, hangs=True),
}
SWITCHED = pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
# What the smoke test says of a front where nothing is set for it.
NOTES = {
    "codings unnamed": ["Content-Encoding is taken off on the way"],
    "codings decoded": ["coded answers are decoded on the way"],
    "length renamed": ["Content-Length is renamed on the way"],
    "empty bodies hang": [],
    "all of them": ["Content-Length is renamed on the way", "Content-Encoding is taken off on the way"],
}


@pytest.fixture(scope="module")
def uncoded(environment: None, bucket: Bucket) -> Iterator[Served]:
    """The service without Lambda, with the settings for such fronts."""
    with serving(**bucket.direct_settings(), codings="off") as served:
        yield served


@pytest.fixture
def behind(start: Starter, bucket: Bucket) -> Callable[..., object]:
    """A function behind a front, and its URL."""

    @contextmanager
    def begin(front: Front, **settings: str) -> Iterator[tuple[Function, str]]:
        with (
            start({**bucket.settings(), **settings}, front=front) as function,
            function_url(function) as url,
        ):
            yield function, url

    return begin


Behind = Callable[..., "contextmanager[tuple[Function, str]]"]  # type: ignore[type-arg]


@SWITCHED
def test_without_codings_every_answer_is_the_same_behind_it(
    behind: Behind, uncoded: Served, front: Front
) -> None:
    with behind(front, CODINGS="off") as (function, _):
        for asked in REQUESTS:
            headers = {"accept-encoding": "identity", "accept": "*/*", "user-agent": "test", **asked.headers}
            tag = uncoded.client.head(asked.target).headers.get("etag", "")
            headers = {name: value.replace(TAG, tag) for name, value in headers.items()}
            expected = over_http(uncoded.client, asked, headers)
            answer = function.invoke(asked.method, asked.target, headers, asked.body)
            length = "content-length"
            given = {length if name == RENAMED_LENGTH else name: it for name, it in answer.headers.items()}
            assert Told.of(answer.status, given, answer.body) == expected, asked.case
            assert answer.ended is Ended.WHOLE, asked.case
            assert (length in answer.headers) <= (not front.renames_length)
            assert "content-encoding" not in answer.headers


def test_no_answer_hangs_where_empty_bodies_do(behind: Behind) -> None:
    with behind(Front(hangs=True)) as (function, url):
        targets = ["/sample.ndjson?organisation-entity=none", "/empty.ndjson", "/empty.csv", "/nothing"]
        for target in targets:
            for coding in ("identity", "gzip", "zstd"):
                answer = function.invoke("GET", target, {"accept-encoding": coding})
                assert (answer.ended, bool(answer.body)) == (Ended.WHOLE, True)
        plain = {"accept-encoding": "identity"}
        tag = httpx2.head(f"{url}/sample.csv", headers=plain, trust_env=False).headers["etag"]
        for method, options in (("HEAD", ["--head"]), ("GET", ["--header", f"If-None-Match: {tag}"])):
            # As the adapter hands them on: without a byte. An HTTP client does not wait for one.
            answer = function.invoke(method, "/sample.csv", {"if-none-match": tag})
            assert (answer.status, answer.body, answer.ended) == (304, b"", Ended.WHOLE)
            assert curl(f"{url}/sample.csv", *options).returncode == 0


def test_an_empty_body_that_is_sent_as_such_would_hang(behind: Behind) -> None:
    with behind(Front(hangs=True), EMPTY_BODIES="true") as (function, url):
        assert function.invoke("GET", "/empty.ndjson").ended is Ended.HANGS
        # 28 is curl's word for a time that ran out.
        assert curl(f"{url}/empty.ndjson", "--max-time", "1").returncode == 28


def test_with_codings_an_unnamed_one_would_be_taken_for_data(behind: Behind, uncoded: Served) -> None:
    with behind(Front(codings="unnamed")) as (_, url):
        done = curl(f"{url}/sample.csv", "--header", "Accept-Encoding: gzip")
    assert done.returncode == 0
    assert gzip.decompress(done.stdout) == uncoded.get("/sample.csv").content


@pytest.mark.parametrize("name", FRONTS)
def test_the_smoke_test_tells_what_is_done_on_the_way_and_does_not_fail(behind: Behind, name: str) -> None:
    with behind(FRONTS[name]) as (_, url):
        done = smoke(url)
    assert done.returncode == 0, done.stderr
    notes = done.stderr.splitlines()
    assert len(notes) == len(NOTES[name])
    for note, words in zip(notes, NOTES[name], strict=True):
        assert note.startswith("smoke test: note: ")
        assert words in note


@pytest.mark.parametrize("name", FRONTS)
def test_with_codings_off_the_smoke_test_has_no_more_to_say_of_them(behind: Behind, name: str) -> None:
    with behind(FRONTS[name], CODINGS="off") as (_, url):
        done = smoke(url)
    assert done.returncode == 0, done.stderr
    assert "CODINGS" not in done.stderr


@SWITCHED
def test_fetch_and_verify_work_behind_it(
    behind: Behind, uncoded: Served, front: Front, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "medium.csv"
    with behind(front) as (_, url):
        assert main(["fetch", f"{url}/medium.csv", "-o", str(output)]) == 0
        assert main(["verify", str(output), f"{url}/medium.csv"]) == 0
    expected = uncoded.get("/medium.csv").content
    assert hashlib.sha256(output.read_bytes()).digest() == hashlib.sha256(expected).digest()


def by_pandas_alone(url: str, columns: Sequence[str]) -> pa.Table:
    return pa.Table.from_pandas(pd.read_parquet(url, columns=list(columns)), preserve_index=False)


def by_polars(url: str, columns: Sequence[str]) -> pa.Table:
    return pl.scan_parquet(url).select(columns).collect().to_arrow()


# As docs/lambda.md has it: with the length as it was given, and renamed. Bodies are chunked in both.
BY_URL: dict[str, tuple[Reader, bool, bool]] = {
    "DuckDB": (READERS["duckdb"], True, True),
    "pandas": (by_pandas_alone, True, True),
    "pandas over fsspec": (READERS["pandas"], True, False),
    "pyarrow over fsspec": (READERS["pyarrow"], True, False),
    "polars": (by_polars, False, False),
}


@pytest.mark.parametrize("is_renamed", [False, True])
def test_which_tools_read_by_url_is_as_documented(
    behind: Behind, monkeypatch: pytest.MonkeyPatch, is_renamed: bool
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with behind(Front(renames_length=is_renamed), CODINGS="off") as (_, url):
        for name, (reader, *reads) in BY_URL.items():
            address = f"{url}/sample.parquet"
            if reads[is_renamed]:
                assert reader(address, ["entity"]).num_rows == tables.sample().num_rows, name
            else:
                with pytest.raises((OSError, ValueError), match=r"Content-Length|seek"):
                    reader(address, ["entity"])
            shown = ["reads" if each else "no" for each in reads]
            assert f"| {name} | {shown[0]} | {shown[1]} |" in DOCS.read_text()


def curl(url: str, *options: str) -> "subprocess.CompletedProcess[bytes]":
    command = ["curl", "--silent", "--noproxy", "*", "--max-time", str(int(SECONDS)), *options, url]
    return subprocess.run(command, capture_output=True, check=False)


def smoke(url: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(
        [str(SMOKE), url, "sample", "quality=some"],
        env={**clean, "RETRIES": "0", "GITHUB_ACTIONS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
