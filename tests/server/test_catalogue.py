"""The catalogue and descriptions, over a socket."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from application.api.openapi.descriptions import SCHEMAS
from application.datasets import background
from application.formats import FORMATS
from tests.support import tables
from tests.support.serving import Served, eventually, serving_folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving_folder(folder) as served:
        yield served


def names(server: Served) -> list[str]:
    return [item["name"] for item in server.get("/datasets").json()["datasets"]]


def valid(answer: Any, schema: str) -> Any:
    Draft202012Validator(SCHEMAS[schema]).validate(answer)
    return answer


def test_every_dataset_is_listed_and_those_that_cannot_be_read_with_their_problem(server: Served) -> None:
    listed = valid(server.get("/datasets").json(), "Catalogue")["datasets"]
    found = {item["name"]: item for item in listed}
    assert list(found) == sorted(found)
    assert set(found) >= {"sample", "parts", "disagreeing", "unfinished", "case", "twice", "text"}
    assert {name for name, item in found.items() if "problem" in item} == {"disagreeing", "twice", "text"}
    assert (found["sample"]["rows"], found["parts"]["rows"]) == (6, 18)
    for item in found.values():
        response = server.get(item["links"]["self"])
        if "problem" in item:
            assert (response.status_code, response.json()["detail"]) == (500, item["problem"])
        else:
            described = valid(response.json(), "Description")
            assert {described[key] == item[key] for key in ("name", "rows", "bytes", "modified")} == {True}


def test_the_list_is_that_of_now(tmp_path: Path) -> None:
    tables.write(tables.sample(), tmp_path / "a.parquet")
    with serving_folder(tmp_path, catalogue_max_age=0) as server:
        assert names(server) == ["a"]
        tables.write(tables.sample(), tmp_path / "b/1.parquet")
        (tmp_path / "a.parquet").unlink()
        assert eventually(lambda: names(server) == ["b"])


def test_an_empty_folder_has_an_empty_list(tmp_path: Path) -> None:
    with serving_folder(tmp_path) as server:
        assert valid(server.get("/datasets").json(), "Catalogue")["datasets"] == []


@pytest.mark.parametrize("path", ["/datasets", "/datasets/sample"])
def test_what_is_told_has_a_version(server: Served, path: str) -> None:
    first = server.get(path)
    tag = {"if-none-match": first.headers["etag"]}
    assert first.headers["cache-control"] == "public, max-age=0"
    assert server.client.head(path).headers["etag"] == first.headers["etag"]
    assert server.client.head(path).content == b""
    again = server.get(path, headers=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert server.get(path, headers={"if-match": '"another"'}).status_code == 412


@pytest.mark.parametrize("path", ["/datasets?q=trees", "/datasets/sample?format=csv"])
def test_parameters_are_refused_where_none_means_anything(server: Served, path: str) -> None:
    problem = server.get(path)
    assert (problem.status_code, problem.json()["code"]) == (422, "query-invalid")


def test_what_is_no_dataset_has_no_description(server: Served) -> None:
    assert server.get("/datasets/nothing").json()["code"] == "dataset-not-found"


def test_every_download_leads_to_its_description(server: Served) -> None:
    for extension in (row.extension for row in FORMATS.values() if not row.geometry):
        link = server.client.head(f"/sample.{extension}").headers["link"]
        assert link == '</datasets/sample>; rel="describedby"'
    assert 'rel="collection"' in server.get("/datasets/sample").headers["link"]


def test_words_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests run beside this one.
    monkeypatch.setattr(background, "LEAST_PRIORITY", 0)
    tables.write(tables.sample(), tmp_path / "a.parquet")
    said = {
        **{"title": "Trees", "description": "All.\nOf them.", "licence": "OGL", "attribution": "© us"},
        **{"publisher": "us", "contact": "a@example.org", "key": "entity"},
        "labels": {"organisation-entity": "organisation:entity:name"},
        "columns": [{"name": "name", "description": "what it is called"}],
        "geometry": {"column": "name", "crs": "EPSG:27700"},
    }
    (tmp_path / "a.json").write_text(json.dumps(said))
    with serving_folder(tmp_path) as server:
        (listed,) = server.get("/datasets").json()["datasets"]
        told = valid(server.get("/datasets/a").json(), "Description")
        assert (listed["title"], listed["licence"]) == ("Trees", "OGL")
        assert {name: told[name] for name in said if name != "columns"} | {"columns": 0} == {
            **said,
            "columns": 0,
        }
        assert [column.get("description") for column in told["columns"]] == [
            *(None, "what it is called", None, None)
        ]
        # What was told may be published as it is.
        assert eventually(lambda: "profile" in server.get("/datasets/a").json())
        told = server.get("/datasets/a").json()
        (tmp_path / "a.json").write_text(json.dumps(told))
        again = server.get("/datasets/a").json()
        # The bytes of formats are told as soon as they are known.
        assert {**again, "formats": []} == {**told, "formats": []}


def test_a_column_named_as_a_parameter_says_how_it_is_filtered(tmp_path: Path) -> None:
    tables.write(pa.table({"limit": [1, 2], "x": [1, 2]}), tmp_path / "a.parquet")
    with serving_folder(tmp_path) as server:
        limit, x = server.get("/datasets/a").json()["columns"]
        assert "parameter" not in x
        assert server.get(f"/a.json?{limit['parameter']}=2").json() == [{"limit": 2, "x": 2}]


def test_a_format_that_cannot_hold_a_dataset_says_why(tmp_path: Path) -> None:
    tables.write(pa.table({"a": pa.array([1], pa.duration("s"))}), tmp_path / "a.parquet")
    with serving_folder(tmp_path) as server:
        for item in server.get("/datasets/a").json()["formats"]:
            assert server.client.head(item["url"]).status_code == (422 if "problem" in item else 200)


def test_the_bytes_of_the_stored_object_are_known_at_once(server: Served, folder: Path) -> None:
    formats = {item["extension"]: item for item in server.get("/datasets/sample").json()["formats"]}
    size = (folder / "sample.parquet").stat().st_size
    assert (formats["parquet"]["bytes"], formats["parquet"]["exact"]) == (size, True)
