"""Parameters in the body of a POST or a QUERY: the same download as by an address, over a real socket."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pytest

from tests.support import tables
from tests.support.serving import SECONDS, Served, serving_folder

FORM = "application/x-www-form-urlencoded"
PARSERS = ("httptools", "h11")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("forms")
    tables.write(tables.sample(), root / "sample.parquet")
    tables.write(pa.table({"n": pa.array(range(200_000), pa.int64())}), root / "numbers.parquet")
    return root


@pytest.fixture(scope="module", params=PARSERS)
def served(request: pytest.FixtureRequest, root: Path) -> Iterator[Served]:
    with serving_folder(root, parser=request.param, cors_allow_origins="https://pages.example") as found:
        yield found


def send(served: Served, path: str, pairs: object, method: str = "POST", **headers: str):
    body = pairs if isinstance(pairs, bytes) else urlencode(pairs)  # type: ignore[arg-type]
    sent = {"content-type": FORM} | {name.replace("_", "-"): value for name, value in headers.items()}
    return served.client.request(method, path, content=body, headers=sent)


PAIRS = [("organisation-entity", "org-1"), ("field", "name"), ("field", "entity"), ("name__not", 'é,"')]


@pytest.mark.parametrize("method", ["POST", "QUERY"])
@pytest.mark.parametrize("path", ["/sample.csv", "/dataset/sample.json", "/sample.parquet"])
def test_a_form_gives_what_its_address_gives(path: str, method: str, served: Served) -> None:
    by_form = send(served, path, PAIRS, method)
    by_address = served.get(f"{path}?{urlencode(PAIRS)}")
    assert (by_form.status_code, by_form.content) == (200, by_address.content)
    for name in ("etag", "last-modified", "content-type", "content-disposition", "repr-digest", "vary"):
        assert by_form.headers[name] == by_address.headers[name]
    assert "accept-ranges" not in by_form.headers
    at = by_form.headers["content-location"]
    assert served.get(at).headers["etag"] == by_form.headers["etag"]


def test_parameters_of_the_address_count_too(served: Served) -> None:
    both = send(served, "/sample.csv?organisation-entity=org-1", [("field", "name")])
    assert both.content == served.get("/sample.csv?organisation-entity=org-1&field=name").content
    assert both.headers["content-location"] == "/sample.csv?organisation-entity=org-1&field=name"


def test_a_form_without_parameters_asks_for_everything(served: Served) -> None:
    assert send(served, "/sample.csv", []).content == served.get("/sample.csv").content
    assert served.client.post("/sample.csv").content == served.get("/sample.csv").content


def test_a_form_asks_for_more_values_than_an_address_can_hold(served: Served) -> None:
    wanted = range(0, 200_000, 5)
    record = [("n__in", ",".join(map(str, wanted)))]
    response = send(served, "/numbers.json", record)
    assert [row["n"] for row in response.json()] == list(wanted)
    assert "content-location" not in response.headers
    repeated = [("n", str(number)) for number in wanted[:5_000]]
    assert [row["n"] for row in send(served, "/numbers.json", repeated).json()] == list(wanted[:5_000])


def test_more_conditions_than_the_engine_plans_in_a_moment_are_refused(served: Served) -> None:
    response = send(served, "/sample.csv", [("name__contains", str(number)) for number in range(1001)])
    assert (response.status_code, response.json()["code"]) == (422, "query-invalid")
    assert "`in`" in response.json()["detail"]
    most = [("name__contains", str(number)) for number in range(1000)]
    assert send(served, "/sample.json", most).json() == []


def test_a_form_full_of_mistakes_is_told_in_a_moment(served: Served) -> None:
    wrong = [(f"mistake-{number}", "") for number in range(40_000)]
    wrong += [("sort", f"mistake-{number}") for number in range(5_000)]
    began = time.monotonic()
    response = send(served, "/sample.csv", wrong)
    assert time.monotonic() - began < SECONDS
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 201
    assert response.json()["errors"][-1]["detail"] == "and 44,800 more problems"


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_a_body_of_another_type_is_told_what_would_be_right(kind: str, served: Served) -> None:
    response = send(served, "/sample.csv", b"limit=1", content_type=kind)
    assert (response.status_code, response.json()["code"]) == (415, "form-unsupported")
    assert response.headers["accept-query"] == response.headers["accept"] == FORM
    assert FORM in response.json()["detail"]


def test_the_type_may_say_its_charset_in_any_case(served: Served) -> None:
    response = send(served, "/sample.csv", [("limit", "1")], content_type=f"{FORM.upper()}; charset=UTF-8")
    assert response.status_code == 200


def test_a_coded_body_is_refused(served: Served) -> None:
    response = send(served, "/sample.csv", b"x", content_encoding="gzip")
    assert (response.status_code, response.json()["code"]) == (415, "form-unsupported")


def test_a_body_has_at_most_a_mebibyte_whether_its_length_is_told_or_not(served: Served) -> None:
    fits = b"filename=a&filename=" + b"a" * ((1 << 20) - 20)
    assert send(served, "/sample.csv", fits).status_code == 422
    for body in (fits + b"a", iter([fits, b"a"])):
        response = served.client.post("/sample.csv", content=body, headers={"content-type": FORM})
        assert (response.status_code, response.json()["code"]) == (413, "form-too-large")
    # And the server is as it was.
    assert served.get("/sample.csv").status_code == 200


def test_what_is_no_utf8_is_a_problem(served: Served) -> None:
    for body in (b"name=%ff", b"name=\xff"):
        response = send(served, "/sample.csv", body)
        assert (response.status_code, response.json()["code"]) == (422, "query-invalid")
        assert "form" in response.json()["detail"]


def test_who_has_it_already_is_told_by_412_and_by_304_where_the_method_reads(served: Served) -> None:
    tag = send(served, "/sample.csv", PAIRS).headers["etag"]
    for given in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        assert send(served, "/sample.csv", PAIRS, if_none_match=given).status_code == 412
        assert send(served, "/sample.csv", PAIRS, "QUERY", if_none_match=given).status_code == 304
    assert send(served, "/sample.csv", PAIRS, if_none_match='"other"').status_code == 200
    assert send(served, "/sample.csv", PAIRS, if_match=tag).status_code == 200
    assert send(served, "/sample.csv", PAIRS, if_match='"other"').status_code == 412


def test_a_date_is_a_condition_of_reading_alone(served: Served) -> None:
    written = send(served, "/sample.csv", PAIRS).headers["last-modified"]
    assert send(served, "/sample.csv", PAIRS, if_modified_since=written).status_code == 200
    assert send(served, "/sample.csv", PAIRS, "QUERY", if_modified_since=written).status_code == 304


@pytest.mark.parametrize("method", ["POST", "QUERY"])
def test_there_are_no_ranges_of_what_a_form_asks_for(method: str, served: Served) -> None:
    response = send(served, "/sample.csv", PAIRS, method, range="bytes=0-3")
    assert (response.status_code, response.content) == (200, send(served, "/sample.csv", PAIRS).content)
    assert "content-range" not in response.headers


def test_other_methods_are_told_which_there_are(served: Served) -> None:
    for path, methods in {
        "/sample.csv": "GET, HEAD, POST, QUERY",
        "/dataset/sample.csv": "GET, HEAD, POST, QUERY",
        "/datasets/sample/manifest": "GET, HEAD",
        "/datasets/sample/openapi.json": "GET, HEAD",
        "/health": "GET, HEAD",
        "/ready": "GET, HEAD",
    }.items():
        for method in {"DELETE", "PUT", "OPTIONS", "POST"} - set(methods.split(", ")):
            response = served.client.request(method, path)
            assert (response.status_code, response.headers["allow"]) == (405, methods)
            assert response.json()["code"] == "method-not-allowed"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "QUERY"])
def test_pages_of_the_origins_may_ask_by_every_method(method: str, served: Served) -> None:
    asked = {
        "origin": "https://pages.example",
        "access-control-request-method": method,
        "access-control-request-headers": "content-type, x-api-key",
    }
    response = served.client.options("/sample.csv", headers=asked)
    assert response.status_code == 200
    assert method in response.headers["access-control-allow-methods"].split(", ")
    other = served.client.options("/sample.csv", headers=asked | {"access-control-request-method": "DELETE"})
    assert other.status_code == 400


def test_a_page_can_read_where_get_has_the_same(served: Served) -> None:
    response = send(served, "/sample.csv", PAIRS, origin="https://pages.example")
    assert "Content-Location" in response.headers["access-control-expose-headers"]


def test_a_form_counts_as_a_download(root: Path) -> None:
    with serving_folder(root, client_downloads=1, api_key="a-key-of-the-tests") as served:
        refused = send(served, "/sample.csv", PAIRS)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        # The body is awaited with the place taken.
        with socket.create_connection(("127.0.0.1", served.port), SECONDS) as waiting:
            waiting.sendall(head("x-api-key: a-key-of-the-tests", "expect: 100-continue"))
            assert waiting.recv(100).startswith(b"HTTP/1.1 100 ")
            second = send(served, "/sample.csv", PAIRS, x_api_key="a-key-of-the-tests")
            assert (second.status_code, second.json()["code"]) == (429, "too-many-downloads")
            waiting.sendall(b"limit=1")
            assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_does_not_come_holds_nothing_for_long(root: Path) -> None:
    with (
        serving_folder(root, client_stall_seconds=1) as served,
        socket.create_connection(("127.0.0.1", served.port), SECONDS) as waiting,
    ):
        waiting.sendall(head() + b"lim")
        assert waiting.recv(100).startswith(b"HTTP/1.1 503 ")


def head(*lines: str) -> bytes:
    """The head of a request with a form of 7 bytes."""
    fields = ("host: x", f"content-type: {FORM}", "content-length: 7", *lines)
    return "\r\n".join(["POST /sample.csv HTTP/1.1", *fields, "", ""]).encode()
