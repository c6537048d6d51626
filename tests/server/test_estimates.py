"""What a download would be, and how far it is."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from application.api.openapi.descriptions import SCHEMAS
from application.formats import FORMATS, Encoder, Format
from tests.support import tables
from tests.support.serving import Served, eventually, serving_folder

ROWS = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("estimated")
    dice = random.Random(5)
    rows: dict[str, Any] = {
        "n": pa.array(range(ROWS), pa.int64()),
        "group": [f"g{number // 15_000}" for number in range(ROWS)],
        "kind": [dice.choice(("a", "b", "c", None)) for _ in range(ROWS)],
        "text": [f"{dice.getrandbits(64):x} of some {dice.randint(0, 9)}" for _ in range(ROWS)],
    }
    tables.write(pa.table(rows), root / "many.parquet")
    tables.write(tables.sample(), root / "sample.parquet")
    for part in range(3):
        tables.write(
            pa.table({"n": pa.array(range(part * 10, part * 10 + 10))}), root / f"parts/{part}.parquet"
        )
    with serving_folder(root, catalogue_max_age=60) as served:
        yield served


def estimate(server: Served, path: str) -> dict[str, Any]:
    response = server.get(path)
    assert response.status_code == 200, response.text
    found = response.json()
    Draft202012Validator(SCHEMAS["Estimate"]).validate(found)
    return found


def whole_estimate(server: Served, path: str) -> dict[str, Any]:
    """With the bytes of every format that is not refused: on a busy machine they come one by one."""

    def is_whole() -> bool:
        formats = estimate(server, path)["formats"]
        return all("bytes" in item or item["answer"] == "refused" for item in formats)

    assert eventually(is_whole)
    return estimate(server, path)


def status(server: Served, path: str) -> dict[str, Any]:
    response = server.get(path)
    assert response.headers["cache-control"] == "no-store"
    found = response.json()
    Draft202012Validator(SCHEMAS["Status"]).validate(found)
    return found


@pytest.mark.parametrize(
    "query",
    [
        *("", "n__lt=30000", "kind=b", "group=g2&kind__isnull", "text__contains=99&field=text", "n=-1"),
        *(
            "limit=10",
            "limit=10&offset=59995",
            "sort=-text&limit=5",
            "group=g1&field=n&sort=kind",
            "offset=70000",
        ),
    ],
)
def test_estimates_are_near_the_truth(server: Served, query: str) -> None:
    found = whole_estimate(server, f"/datasets/many/estimate?{query}")
    rows = server.get(f"/many.ndjson?{query}").content.count(b"\n")
    assert found["rows"] == rows
    for item in found["formats"]:
        if FORMATS[item["extension"]].geometry:
            continue
        size = len(server.get(f"/many.{item['extension']}?{query}").content)
        assert item["bytes"] == size if item["exact"] else abs(item["bytes"] - size) <= 0.25 * size, item
        assert item["exact"] == (item["answer"] == "stored")


def test_row_groups_that_no_row_can_be_in_are_not_counted(server: Served) -> None:
    whole = estimate(server, "/datasets/many/estimate?format=csv")
    some = estimate(server, "/datasets/many/estimate?format=csv&n__lt=100&field=n")
    assert (whole["row_groups"], some["row_groups"]) == ({"read": 3, "of": 3}, {"read": 1, "of": 3})
    assert 0 < some["bytes_read"] < whole["bytes_read"] / 3
    parts = estimate(server, "/datasets/parts/estimate?format=csv&n=15")
    assert (parts["row_groups"], parts["rows"]) == ({"read": 1, "of": 3}, 1)


def test_a_fault_in_one_format_costs_the_others_nothing(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Format.open_encoder

    def open_encoder(self: Format, *given: Any) -> Encoder:
        if self.extension == "tsv":
            raise RuntimeError("broken on purpose")
        return original(self, *given)

    monkeypatch.setattr(Format, "open_encoder", open_encoder)
    formats = {
        item["extension"]: item
        for item in estimate(server, "/datasets/many/estimate?kind=a&field=text")["formats"]
    }
    assert "bytes" not in formats["tsv"]
    assert formats["csv"]["bytes"] > 0


def test_what_was_made_is_estimated_exactly(server: Served) -> None:
    path = "/datasets/many/estimate?format=csv&kind=c&field=n"
    (before,) = estimate(server, path)["formats"]
    size = len(server.get("/many.csv?kind=c&field=n").content)
    (after,) = estimate(server, path)["formats"]
    assert not before["exact"]
    assert (after["bytes"], after["exact"], after["answer"]) == (size, True, "whole")


def test_an_estimate_says_how_it_would_be_answered(server: Served) -> None:
    found = estimate(server, "/datasets/many/estimate?sort=-n")["formats"]
    answers = {item["extension"]: item["answer"] for item in found}
    assert (answers["json"], answers["parquet"]) == ("stream", "whole")
    few = {
        item["extension"]: item
        for item in estimate(server, "/datasets/many/estimate?n=5&bom=true")["formats"]
    }
    assert few["csv"]["answer"] == "whole"
    assert few["json"]["answer"] == "refused"
    assert "bom" in few["json"]["reason"]


def test_limits_of_answers_are_told(tmp_path: Path) -> None:
    tables.write(tables.large(1), tmp_path / "a.parquet")
    with serving_folder(tmp_path, response_max_bytes=100_000) as server:
        (large,) = estimate(server, "/datasets/a/estimate?format=csv")["formats"]
        (small,) = estimate(server, "/datasets/a/estimate?format=csv&limit=5")["formats"]
        assert (large["answer"], small["answer"]) == ("refused", "whole")
        assert server.get("/a.csv").status_code == 413
        assert server.get("/a.csv?limit=5").status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("nope=1", "query-invalid"),
        ("format=x", "format-unknown"),
        ("format=csv&format=json", "query-invalid"),
    ],
)
def test_what_is_wrong_is_refused_as_for_a_download(server: Served, query: str, code: str) -> None:
    assert server.get(f"/datasets/many/estimate?{query}").json()["code"] == code
    assert server.get("/datasets/nothing/estimate").json()["code"] == "dataset-not-found"


def test_an_estimate_has_a_version_and_head_makes_none(server: Served) -> None:
    path = "/datasets/sample/estimate?quality=some"
    tag = server.get(path).headers["etag"]
    assert server.get(path, headers={"if-none-match": tag}).status_code == 304
    assert server.client.head(path).status_code == 200


def test_a_status_makes_nothing_and_says_what_is_there(server: Served) -> None:
    path = "/datasets/many/status?format=csv&kind=a"
    assert status(server, path)["state"] == "absent"
    assert status(server, path)["state"] == "absent"
    response = server.get("/many.csv?kind=a", headers={"accept-encoding": "gzip"})
    assert response.status_code == 200
    found = status(server, path)
    assert (found["state"], found["coding"]) == ("ready", "gzip")
    assert found["rows"] == found["rows_in_all"] == response.content.count(b"\n") - 1
    stored = status(server, "/datasets/many/status?format=parquet")
    assert (stored["state"], stored["rows_in_all"]) == ("ready", ROWS)


def test_a_status_says_how_far_a_result_is(tmp_path: Path) -> None:
    tables.write(tables.large(12), tmp_path / "a.parquet")
    # The tape's window is full until its reader takes more.
    with serving_folder(tmp_path, spool_max_result=0) as server:
        with server.client.stream("GET", "/a.csv") as response:
            assert response.status_code == 200
            assert eventually(lambda: status(server, "/datasets/a/status?format=csv").get("rows", 0) > 0)
            found = status(server, "/datasets/a/status?format=csv")
            assert found["state"] == "making"
            assert 0 < found["rows"] <= found["rows_in_all"] == 240_000
        assert eventually(lambda: status(server, "/datasets/a/status?format=csv")["state"] == "absent")


def test_a_status_says_why_a_result_failed(tmp_path: Path) -> None:
    tables.write(tables.large(2), tmp_path / "a.parquet")
    tables.spoil(tmp_path / "a.parquet", 0)
    with serving_folder(tmp_path, page_checksums="off", catalogue_max_age=60) as server:
        problem = server.get("/a.csv").json()
        found = status(server, "/datasets/a/status?format=csv")
        assert (found["state"], found["problem"]) == ("failed", problem["detail"])
        # What cannot be read is estimated as far as the footer goes.
        estimated = estimate(server, "/datasets/a/estimate?format=csv")
        assert estimated["rows"] == 40_000
        assert json.dumps(estimated["formats"]).count("bytes") == 0


def test_rows_in_an_area_are_counted_by_its_test(tmp_path: Path) -> None:
    rows = {"n": range(100), "geometry": [f"POINT ({n} {n})" for n in range(100)]}
    tables.write(pa.table(rows), tmp_path / "a.parquet")
    with serving_folder(tmp_path) as server:
        found = whole_estimate(server, "/datasets/a/estimate?bbox=9.5,9.5,29.5,29.5")
        assert found["rows"] == 20
        for item in found["formats"]:
            size = len(server.get(f"/a.{item['extension']}?bbox=9.5,9.5,29.5,29.5").content)
            assert abs(item["bytes"] - size) <= 0.25 * size, item
