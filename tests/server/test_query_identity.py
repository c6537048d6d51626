"""A new field of a query is seen wherever one result is told from another."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from application.formats import FORMATS
from tests.query.newcomer import add_first
from tests.support import tables
from tests.support.serving import Served, serving_folder

QUERIES = ("", "quality=some", "field=name&field=entity", "exclude_field=name&quality=some")


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> None:
    add_first(monkeypatch)


def e_tag(server: Served, path: str) -> str:
    # As one who has some version: nothing is made for the answer.
    response = server.get(path, headers={"if-none-match": "*"})
    assert response.status_code == 304
    return response.headers["etag"]


@pytest.mark.parametrize("extension", FORMATS)
def test_no_two_queries_share_an_e_tag(extension: str, server: Served, first: None) -> None:
    firsts = ("", "&first=0", "&first=1", "&first=2")
    paths = [f"/places.{extension}?{query}{more}" for query in QUERIES for more in firsts]
    assert len({e_tag(server, path) for path in paths}) == len(paths)


@pytest.mark.parametrize("extension", FORMATS)
def test_a_new_field_changes_no_e_tag_of_those_who_do_not_use_it(
    extension: str, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [f"/places.{extension}?{query}" for query in QUERIES]
    before = [e_tag(server, path) for path in paths]
    add_first(monkeypatch)
    assert [e_tag(server, path) for path in paths] == before


def test_queries_that_differ_there_only_have_results_of_their_own(server: Served, first: None) -> None:
    for _ in range(2):  # made, then from the spool
        for rows in (6, 2, 1, 0):
            assert len(server.get(f"/sample.json?first={rows}").json()) == rows
        assert len(server.get("/sample.json").json()) == 6


def test_ten_rows_are_not_the_stored_object(server: Served, folder: Path, first: None) -> None:
    stored = (folder / "sample.parquet").read_bytes()
    assert server.get("/sample.parquet").content == stored
    some = server.get("/sample.parquet?first=4")
    assert pq.read_table(io.BytesIO(some.content)).equals(tables.sample().slice(0, 4))


def test_a_whole_that_is_large_may_be_small_with_a_new_field(tmp_path: Path, first: None) -> None:
    tables.write(tables.large(4), tmp_path / "rows.parquet")
    with serving_folder(tmp_path) as server:
        assert "content-length" not in server.get("/rows.csv").headers
        assert "content-length" in server.get("/rows.csv?first=3").headers


def test_metadata_about_columns_is_kept_only_where_it_is_known_to_be_true(
    tmp_path: Path, first: None
) -> None:
    described = tables.sample().replace_schema_metadata({"pandas": "{}", "licence": "OGL"})
    tables.write(described, tmp_path / "t.parquet")
    with serving_folder(tmp_path) as server:
        for query, kept in (("quality=some", {b"pandas", b"licence"}), ("first=2", {b"licence"})):
            body = server.get(f"/t.parquet?{query}").content
            of_itself = {b"source", b"query"}
            assert set(pq.read_schema(io.BytesIO(body)).metadata) - of_itself == kept


def test_a_manifest_names_what_was_asked_for_and_always_columns_and_filters(
    server: Served, first: None
) -> None:
    path = "/datasets/sample/manifest?format=csv&field=name"
    assert server.get(path).json()["query"] == {"columns": ["name"], "filters": []}
    manifest = server.get(f"{path}&first=2").json()
    assert manifest["query"] == {"columns": ["name"], "filters": [], "first": 2}
    assert manifest["rows"] == 2


@pytest.mark.parametrize("query", ["first=", "first=x", "first=1&first=2"])
def test_a_new_parameter_that_cannot_be_read_is_a_problem(query: str, server: Served, first: None) -> None:
    response = server.get(f"/sample.csv?{query}")
    assert (response.status_code, response.json()["code"]) == (422, "query-invalid")
    assert [problem["parameter"] for problem in response.json()["errors"]] == ["first"]


def test_a_parameter_that_is_repeated_alike_is_one(server: Served, first: None) -> None:
    assert e_tag(server, "/sample.csv?first=2&first=2") == e_tag(server, "/sample.csv?first=2")


def test_a_made_file_says_its_source_and_its_query(server: Served) -> None:
    some = server.get("/sample.parquet?organisation-entity=org-1&limit=1")
    said = pq.read_metadata(io.BytesIO(some.content)).metadata
    manifest = server.get("/datasets/sample/manifest?format=parquet&organisation-entity=org-1&limit=1").json()
    assert said[b"source"].decode() == manifest["source"]["e_tag"]
    assert json.loads(said[b"query"]) == {
        "filters": [{"column": "organisation-entity", "operator": "exact", "values": ["org-1"]}],
        "limit": 1,
    }
