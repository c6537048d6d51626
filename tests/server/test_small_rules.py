"""Small rules of HTTP and of settings that clients and publishers meet."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.api.middleware.cors import EXPOSED
from application.errors import ConfigurationError
from application.lifespan import check_settings
from application.settings import read_settings
from tests.support import tables
from tests.support.serving import SECONDS, Served, serving_folder

ROOT = Path(__file__).parent.parent.parent
ORIGIN = "https://www.example.org"
# For browsers, caches and proxies, or readable by every script.
NOT_FOR_SCRIPTS = {
    *("access-control-allow-origin", "access-control-expose-headers", "connection", "date", "server"),
    *("content-security-policy", "cross-origin-resource-policy", "referrer-policy", "vary"),
    *("strict-transport-security", "transfer-encoding", "x-content-type-options"),
    *("cache-control", "content-language", "content-type", "expires", "pragma"),
}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    for name in ("sample", "openapi"):
        tables.write(tables.sample(), root / f"{name}.parquet")
    return root


@pytest.fixture(scope="module")
def server(datasets: Path) -> Iterator[Served]:
    with serving_folder(datasets, cors_allow_origins=ORIGIN, rate_limit="100/second") as served:
        yield served


def sent(server: Served, text: str) -> bytes:
    """All that comes back for a request as it is written here."""
    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as connection:
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [("1.1", 0, 400), ("1.1", 1, 200), ("1.1", 2, 400), ("1.0", 0, 200), ("1.0", 1, 200)],
)
def test_http_1_1_has_one_host(server: Served, version: str, hosts: int, status: int) -> None:
    lines = ["GET /sample.csv HTTP/" + version, *["Host: x"] * hosts, "Connection: close", "", ""]
    answer = sent(server, "\r\n".join(lines))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b'"code": "bad-request"' in answer) == (status == 400)


@pytest.mark.parametrize("environment", ["production", "development"])
def test_a_dataset_named_openapi_is_reachable(datasets: Path, environment: str) -> None:
    with serving_folder(datasets, environment=environment, client_downloads=1) as served:
        rows = served.get("/sample.json").json()
        assert served.get("/dataset/openapi.json").json() == rows
        assert served.get("/openapi.csv").content == served.get("/sample.csv").content
        assert served.get("/datasets/openapi/manifest?format=json").json()["rows"] == len(rows)
        document = served.get("/openapi.json")
        if environment == "development":
            assert "/{dataset}.{extension}" in document.json()["paths"]
        else:
            assert document.status_code == 404
            assert "/dataset/openapi.json" in document.json()["detail"]


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "text/csv"), ("utf-8", "text/csv; charset=utf-8"), ("off", "text/csv")]
)
def test_text_says_its_charset_where_that_is_set(
    datasets: Path, value: str | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {} if value is None else {"csv_charset": value}
    with serving_folder(datasets, **given) as served:
        for path in ("/sample.csv", "/sample.csv?entity=1"):
            response = served.get(path)
            assert response.headers["content-type"] == shown
            assert served.client.head(path).headers["content-type"] == shown
            again = served.get(path, headers={"if-none-match": response.headers["etag"]})
            assert (again.status_code, again.headers["content-type"]) == (304, shown)
        assert served.get("/sample.json").headers["content-type"] == "application/json"


def test_the_charset_changes_no_e_tag(datasets: Path) -> None:
    tags = set()
    for value in (True, False):
        with serving_folder(datasets, csv_charset=value) as served:
            tags.add(served.get("/sample.csv").headers["etag"])
    assert len(tags) == 1


@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_a_blank_key_is_refused_and_opens_nothing(
    datasets: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATASET_BUCKET", datasets.as_uri())
    monkeypatch.setenv("API_KEY", value)
    with pytest.raises(ConfigurationError, match="API_KEY is set, but no key is in it"):
        check_settings(read_settings())


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/sample.csv", {}),
        ("/sample.csv", {"accept-encoding": "gzip"}),
        ("/sample.csv?field=name&field=absent", {}),
        ("/sample.parquet", {"range": "bytes=0-3"}),
        ("/sample.parquet", {"range": "bytes=99999999-"}),
        ("/sample.csv", {"if-none-match": "*"}),
        ("/sample.csv?no=1", {}),
        ("/datasets/sample/manifest?format=csv", {}),
        ("/absent.csv", {}),
        ("/health", {}),
    ],
)
def test_scripts_can_read_all_that_is_meant_for_them(
    server: Served, path: str, headers: dict[str, str]
) -> None:
    response = server.get(path, headers={"origin": ORIGIN, **headers})
    exposed = [name.strip() for name in response.headers["access-control-expose-headers"].split(",")]
    assert exposed == list(EXPOSED)
    assert set(response.headers) - NOT_FOR_SCRIPTS <= {name.lower() for name in EXPOSED}


def test_a_method_that_is_not_there_tells_scripts_which_are(server: Served) -> None:
    response = server.client.delete("/sample.csv", headers={"origin": ORIGIN})
    assert response.status_code == 405
    assert {"allow"} <= set(response.headers) - NOT_FOR_SCRIPTS <= {name.lower() for name in EXPOSED}


def test_what_scripts_can_read_is_documented() -> None:
    page = (ROOT / "docs/api.md").read_text()
    (sentence,) = re.findall(r"scripts of those origins can read ([^.]+)\.", page)
    named = re.findall(r"`([^`]+)`", sentence)
    assert [name for name in named if name in EXPOSED] == list(EXPOSED)
