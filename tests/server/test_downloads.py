"""Downloads from a folder, over a real socket."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest

from application.formats import FORMATS
from tests.support import tables
from tests.support.serving import Served, eventually, productions, serving_folder

ORIGIN = {"Origin": "https://submit.example"}


@pytest.fixture(scope="module")
def open_server(folder: Path) -> Iterator[Served]:
    """A server that pages of one other origin may read."""
    with serving_folder(folder, cors_allow_origins="https://submit.example") as served:
        yield served


def entities(body: str) -> list[int]:
    return [int(row["entity"]) for row in csv.DictReader(io.StringIO(body))]


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, object]:
    """What every problem has in common, checked; its members."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, object] = response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert {"type", "title", "detail"} <= body.keys()
    return body


def test_csv_quotes_text_and_tells_null_from_empty(server: Served) -> None:
    response = server.get("/sample.csv")
    assert response.headers["content-type"] == "text/csv"
    assert response.text.splitlines()[:3] == [
        '"entity","name","organisation-entity","quality"',
        '0,"one","org-1","some"',
        '1,"tw""o","org-1","authoritative"',
    ]
    assert response.text.splitlines()[4:6] == ['3,,"org-2",', '4,"","org-3","some"']


def test_json_is_one_array_of_the_rows(server: Served) -> None:
    response = server.get("/sample.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == tables.sample().to_pylist()


def test_ndjson_is_a_row_a_line(server: Served) -> None:
    response = server.get("/sample.ndjson")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in response.text.splitlines()] == tables.sample().to_pylist()


def test_parquet_is_one_file_of_the_same_table(server: Served) -> None:
    response = server.get("/sample.parquet", params={"organisation-entity": "org-1"})
    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    assert pq.read_table(io.BytesIO(response.content)).equals(tables.sample().slice(0, 2))


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_comes_with_the_headers_of_a_download(server: Served, extension: str) -> None:
    response = server.get(f"/places.{extension}")
    assert response.status_code == 200
    assert response.headers["content-type"] == FORMATS[extension].media_type
    assert response.headers["content-disposition"] == f'attachment; filename="places.{extension}"'
    assert response.headers["cache-control"] == "public, max-age=3600"
    assert "Accept-Encoding" in response.headers["vary"]
    assert response.headers["last-modified"].endswith(" GMT")
    assert re.fullmatch(r'"[0-9a-f]{32}"', response.headers["etag"])
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/sample.csv", "/dataset/sample.parquet", "/sample.json?field=name"])
def test_dataset_and_format_are_told_whatever_of_a_download_is_sent(server: Served, path: str) -> None:
    whole = server.get(path)
    answers = [
        whole,
        server.client.head(path),
        server.get(path, headers={"Range": "bytes=0-1"}),
        server.get(path, headers={"If-None-Match": whole.headers["etag"]}),
    ]
    extension = path.partition("?")[0].rpartition(".")[2]
    assert [answer.status_code for answer in answers] == [200, 200, 206, 304]
    assert {(it.headers["x-dataset"], it.headers["x-format"]) for it in answers} == {("sample", extension)}


@pytest.mark.parametrize("extension", FORMATS)
def test_the_alias_gives_the_same_download(server: Served, extension: str) -> None:
    path = f"/places.{extension}?organisation-entity=org-2"
    assert server.get(path).status_code == 200
    assert server.get(f"/dataset{path}").content == server.get(path).content


def test_a_download_of_no_rows_is_whole(server: Served) -> None:
    assert server.get("/sample.csv?name=nobody").text == '"entity","name","organisation-entity","quality"\n'
    assert server.get("/sample.json?name=nobody").json() == []
    assert server.get("/sample.ndjson?name=nobody").content == b""
    empty = pq.read_table(io.BytesIO(server.get("/sample.parquet?name=nobody").content))
    assert empty.equals(tables.sample().slice(0, 0))


def test_head_and_if_none_match_run_no_query(tmp_path: Path) -> None:
    path = tmp_path / "spoilt.parquet"
    tables.write(tables.large(1), path)
    tables.spoil(path, 0)
    with serving_folder(tmp_path) as server:
        # Any query over this data fails, so what answers ran none.
        head = server.client.head("/spoilt.csv")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == "text/csv"
        tag = head.headers["etag"]
        for header in (tag, f'"other", W/{tag}', "*"):
            response = server.get("/spoilt.csv", headers={"If-None-Match": header})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["etag"] == tag
        assert server.get("/spoilt.csv", headers={"If-None-Match": '"other"'}).status_code == 500


def test_head_says_what_get_says(server: Served) -> None:
    got, head = server.get("/sample.csv?field=name"), server.client.head("/sample.csv?field=name")
    shared = ("etag", "last-modified", "content-type", "content-disposition", "cache-control", "vary")
    assert [head.headers[name] for name in shared] == [got.headers[name] for name in shared]


@pytest.mark.parametrize("path", ["/absent.csv", "/a.b.csv", "/..%5Cx.csv", "/%00.csv", "/.sample.csv"])
def test_what_is_no_dataset_is_not_found(server: Served, path: str) -> None:
    problem(server.get(path), 404, "dataset-not-found")


@pytest.mark.parametrize(
    "path",
    ["/nothing/here", "/sample/", "/sample.csv/", "/health/", "/docs", "/redoc", "/openapi.json"],
)
def test_what_is_no_download_is_not_found(server: Served, path: str) -> None:
    problem(server.get(path), 404, "not-found")


def test_a_format_that_there_is_not_is_named_with_those_there_are(server: Served) -> None:
    body = problem(server.get("/sample.pdf"), 404, "format-unknown")
    assert all(extension in str(body["detail"]) for extension in ("pdf", *FORMATS))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "allowed"), [("/sample.csv", {"GET", "HEAD", "POST", "QUERY"}), ("/health", {"GET", "HEAD"})]
)
def test_other_methods_are_told_which_are_allowed(
    server: Served, method: str, path: str, allowed: set[str]
) -> None:
    response = server.client.request(method, path)
    problem(response, 405, "method-not-allowed")
    assert {part.strip() for part in response.headers["allow"].split(",")} == allowed


def test_a_path_that_is_only_posted_to_says_so(server: Served) -> None:
    assert server.get("/events").headers["allow"] == "POST"


def test_a_wrong_parameter_is_named(server: Served) -> None:
    body = problem(server.get("/sample.csv?nmae=x&entity=122.7&quality=fine"), 422, "query-invalid")
    errors = body["errors"]
    assert isinstance(errors, list)
    assert {error["parameter"] for error in errors} == {"nmae", "entity", "quality"}
    assert "'name'" in next(error["detail"] for error in errors if error["parameter"] == "nmae")


@pytest.mark.parametrize("query", ["name=%ff", "name=%ED%A0%80", "&".join(["name=x"] * 1001)])
def test_a_query_string_that_cannot_be_read_is_refused(server: Served, query: str) -> None:
    problem(server.get(f"/sample.csv?{query}"), 422, "query-invalid")


def test_problems_answer_head_without_a_body(server: Served) -> None:
    response = server.client.head("/absent.csv")
    assert (response.status_code, response.content) == (404, b"")


def test_a_plain_request_id_is_kept_and_another_replaced(server: Served) -> None:
    kept = server.get("/absent.csv", headers={"X-Request-ID": "abc-123.DEF_9"})
    assert problem(kept, 404, "dataset-not-found")["request_id"] == "abc-123.DEF_9"
    replaced = server.get("/health", headers={"X-Request-ID": "<script>alert(1)</script>"})
    assert re.fullmatch("[0-9a-f]{32}", replaced.headers["x-request-id"])


def test_chosen_fields_come_in_their_order_and_missing_ones_are_told(server: Served) -> None:
    response = server.get("/sample.csv?field=name&field=%22no%20such,field%22&field=entity&field=%C3%A9")
    assert response.text.splitlines()[:2] == ['"name","entity"', '"one",0']
    assert response.headers["x-missing-fields"] == "no%20such%2Cfield,%C3%A9"
    assert "x-missing-fields" not in server.get("/sample.csv?field=name").headers


def test_fields_of_which_none_exists_are_refused(server: Served) -> None:
    problem(server.get("/sample.csv?field=nothing"), 422, "query-invalid")


def test_the_list_of_missing_fields_stays_small(server: Served) -> None:
    query = "&".join(["field=name", *(f"field=missing-{number:04}" for number in range(900))])
    told = server.get(f"/sample.csv?{query}").headers["x-missing-fields"]
    assert 1900 < len(told) <= 2048
    assert told.split(",")[-1] == f"missing-{told.count(','):04}"


def test_an_empty_quality_is_no_filter(server: Served) -> None:
    plain, empty = server.get("/sample.csv"), server.get("/sample.csv?quality=&organisation-entity=")
    assert (empty.content, empty.headers["etag"]) == (plain.content, plain.headers["etag"])


def test_parts_come_in_the_order_of_their_keys(server: Served) -> None:
    body = server.get("/parts.csv").text
    assert entities(body) == [*range(6), *range(10, 16), *range(20, 26)]


def test_parts_that_disagree_are_refused_by_name(server: Served) -> None:
    body = problem(server.get("/disagreeing.csv"), 500, "dataset-invalid")
    assert all(word in str(body["detail"]) for word in ("'1.parquet'", "'2-odd.parquet'", "'entity'"))


def test_what_a_writer_keeps_to_itself_is_no_part(server: Served) -> None:
    assert entities(server.get("/unfinished.csv").text) == [*range(6)]


def test_columns_that_differ_in_case_keep_apart(server: Served) -> None:
    assert server.get("/case.json").json() == [{"a": 1, "A": 3}, {"a": 2, "A": 4}]
    assert server.get("/case.csv?A=4").text == '"a","A"\n2,4\n'
    assert server.get("/case.csv?field=A&field=a&a=1").text == '"A","a"\n3,1\n'


def test_two_columns_of_one_name_are_refused_by_name(server: Served) -> None:
    body = problem(server.get("/twice.csv"), 500, "dataset-invalid")
    assert "'n'" in str(body["detail"])


def test_what_is_no_parquet_is_refused(server: Served) -> None:
    problem(server.get("/text.csv"), 500, "dataset-invalid")


def test_without_origins_there_is_no_cors(server: Served) -> None:
    for path in ("/sample.csv", "/absent.csv"):
        response = server.get(path, headers=ORIGIN)
        assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/sample.csv", 200), ("/absent.csv", 404), ("/sample.csv?x=1", 422), ("/text.csv", 500)],
)
def test_an_allowed_origin_reads_headers_of_downloads_and_of_errors(
    open_server: Served, path: str, status: int
) -> None:
    response = open_server.get(path, headers=ORIGIN)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    exposed = {name.strip() for name in response.headers["access-control-expose-headers"].split(",")}
    assert {"Content-Disposition", "Content-Length", "ETag", "X-Request-ID"} <= exposed
    assert {"X-Dataset", "X-Format", "X-Missing-Fields"} <= exposed


def test_another_origin_gets_no_permission(open_server: Served) -> None:
    response = open_server.get("/sample.csv", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def test_a_preflight_request_is_answered(open_server: Served) -> None:
    asked = {**ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}
    response = open_server.client.options("/sample.csv", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]


def test_health_and_readiness_answer(server: Served) -> None:
    assert server.get("/health").json() == {"status": "healthy", "service": "download-lambda"}
    assert server.get("/ready").json() == {"status": "ready", "service": "download-lambda"}


def test_a_folder_that_is_gone_is_not_ready_but_healthy(tmp_path: Path) -> None:
    with serving_folder(tmp_path / "gone") as server:
        response = server.get("/ready")
        body = problem(response, 503, "storage-unavailable")
        assert int(response.headers["retry-after"]) > 0
        assert str(tmp_path) not in str(body)
        assert server.get("/health").status_code == 200


def test_a_server_without_a_bucket_does_not_start() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATASET_BUCKET"}
    finished = subprocess.run(
        [sys.executable, "-m", "uvicorn", "application.main:app", "--port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert finished.returncode != 0
    assert "DATASET_BUCKET is not set" in finished.stderr


def test_nothing_is_left_running(server: Served) -> None:
    server.get("/sample.csv?entity=1")
    assert eventually(lambda: productions() == 0)
