"""A manifest says what the download is, whether it was made before or not."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from application.formats import FORMATS
from tests.support import tables
from tests.support.serving import Served, eventually, productions, serving_folder


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("query", ["", "organisation-entity=org-1&field=name&field=point"])
def test_a_manifest_is_of_the_download(server: Served, extension: str, query: str) -> None:
    manifest = server.get(f"/datasets/places/manifest?format={extension}&{query}").json()
    download = server.get(f"/places.{extension}?{query}")
    assert manifest["e_tag"] == download.headers["etag"]
    assert manifest["bytes"] == len(download.content)
    assert manifest["sha256"] == hashlib.sha256(download.content).hexdigest()
    assert manifest["rows"] == (2 if query else 6)
    assert (manifest["dataset"], manifest["format"]) == ("places", extension)


def test_the_query_is_told_in_its_canonical_form(server: Served, folder: Path) -> None:
    path = "/datasets/sample/manifest?quality=some&format=csv&entity=3&entity=1&entity=3&field=name"
    manifest = server.get(path).json()
    assert manifest["query"] == {
        "columns": ["name"],
        "filters": [
            {"column": "entity", "operator": "exact", "values": ["1", "3"]},
            {"column": "quality", "operator": "exact", "values": ["some"]},
        ],
    }
    assert manifest["source"]["bytes"] == (folder / "sample.parquet").stat().st_size
    assert "licence" not in manifest


def test_a_coding_of_the_answer_changes_nothing(server: Served) -> None:
    plain = server.get("/datasets/sample/manifest?format=csv").json()
    assert (
        server.get("/datasets/sample/manifest?format=csv", headers={"Accept-Encoding": "gzip"}).json()
        == plain
    )
    assert plain["e_tag"] == server.get("/sample.csv").headers["etag"]


def test_the_licence_is_the_files_own(tmp_path: Path) -> None:
    for key in ("licence", "license"):
        pq.write_table(tables.sample().replace_schema_metadata({key: "OGL-3.0"}), tmp_path / f"{key}.parquet")
    with serving_folder(tmp_path) as server:
        for key in ("licence", "license"):
            assert server.get(f"/datasets/{key}/manifest?format=csv").json()["licence"] == "OGL-3.0"


def test_a_result_that_is_not_kept_has_a_manifest(tmp_path: Path) -> None:
    tables.write(tables.large(2), tmp_path / "rows.parquet")
    with serving_folder(tmp_path, spool_max_result=1 << 16) as server:
        manifest = server.get("/datasets/rows/manifest?format=csv").json()
        body = server.get("/rows.csv").content
    assert manifest["sha256"] == hashlib.sha256(body).hexdigest()
    assert (manifest["bytes"], manifest["rows"]) == (len(body), 2 * tables.GROUP_ROWS)


def test_validators_need_no_query(tmp_path: Path) -> None:
    tables.write(tables.large(1), tmp_path / "spoilt.parquet")
    tables.spoil(tmp_path / "spoilt.parquet", 0)
    path = "/datasets/spoilt/manifest?format=csv"
    with serving_folder(tmp_path) as server:
        head = server.client.head(path)
        assert (head.status_code, head.headers["content-type"]) == (200, "application/json")
        assert head.headers["cache-control"] == "public, max-age=3600"
        assert server.get(path, headers={"If-None-Match": head.headers["etag"]}).status_code == 304
        failed = server.get(path)
        assert (failed.status_code, failed.json()["code"]) == (500, "dataset-invalid")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/datasets/sample/manifest", 422, "query-invalid"),
        ("/datasets/sample/manifest?format=", 422, "query-invalid"),
        ("/datasets/sample/manifest?format=csv&format=json", 422, "query-invalid"),
        ("/datasets/sample/manifest?format=pdf", 404, "format-unknown"),
        ("/datasets/absent/manifest?format=csv", 404, "dataset-not-found"),
        ("/datasets/sample/manifest?format=csv&qualty=some", 422, "query-invalid"),
    ],
)
def test_what_has_no_manifest_is_a_problem(server: Served, path: str, status: int, code: str) -> None:
    response = server.get(path)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_client_that_leaves_stops_its_production(tmp_path: Path) -> None:
    import socket

    tables.write(tables.large(24), tmp_path / "rows.parquet")
    with serving_folder(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /datasets/rows/manifest?format=json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert eventually(lambda: productions() == 1)
        assert eventually(lambda: productions() == 0, 5)
