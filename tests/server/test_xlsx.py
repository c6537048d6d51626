"""Workbooks over HTTP: whole before their headers or refused, with the numbers."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support import tables, workbooks
from tests.support.gate import Gate
from tests.support.serving import Served, eventually, productions, serving_folder

ROWS = tables.GROUP_ROWS
NUMBERS = count(1)
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets")
    rows = tables.large(1).append_column("spare", [[0] * ROWS])
    tables.write(rows, folder / "large.parquet")
    long = pa.table({"n": range(3), "geometry": ["POINT (1 2)", "x" * 40_000, None]})
    tables.write(long, folder / "long.parquet")
    tables.write(pa.table({"n": pa.array([0] * 1_048_576, pa.int8())}), folder / "many.parquet")
    return folder


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    with serving_folder(root) as found:
        yield found


def fresh() -> str:
    """A query that nobody has asked before: all rows match it."""
    return f"/large.xlsx?spare=0&spare=-{next(NUMBERS)}"


def test_a_workbook_is_whole_before_its_headers(served: Served, gate: Gate) -> None:
    path = fresh()
    response = served.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == TYPE
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-disposition"].endswith('large.xlsx"')
    with zipfile.ZipFile(io.BytesIO(response.content)) as package:
        assert package.testzip() is None
        assert package.read("xl/worksheets/sheet1.xml").count(b"<row ") == ROWS + 1
    about = {label: text for (_, label), (_, text) in workbooks.sheet(response.content, 2)}
    assert about["Dataset"] == "large"
    assert '"spare"' in about["Query"]
    assert f'"{about["Version of this file (ETag)"]}"' == response.headers["etag"]
    head = served.client.head(path)
    assert head.headers["content-length"] == response.headers["content-length"]
    tail = served.get(path, headers={"range": "bytes=-22"})
    assert (tail.status_code, tail.content[:4]) == (206, b"PK\x05\x06")
    assert len(gate.came) == 1


def test_head_makes_it(served: Served) -> None:
    path = fresh()
    head = served.client.head(path)
    assert int(head.headers["content-length"]) == len(served.get(path).content)


def test_a_manifest_tells_the_bytes(served: Served) -> None:
    manifest = served.get("/datasets/large/manifest?format=xlsx&limit=5").json()
    body = served.get("/large.xlsx?limit=5").content
    assert (manifest["bytes"], manifest["rows"]) == (len(body), 5)
    assert manifest["sha256"] == hashlib.sha256(body).hexdigest()


def test_what_takes_long_is_made_for_who_asks_again(root: Path, gate: Gate) -> None:
    gate.shut()
    path = fresh()
    with serving_folder(root, whole_seconds=0.05) as served:
        for _ in range(2):
            refused = served.get(path)
            assert (refused.status_code, refused.json()["code"]) == (503, "making")
            assert int(refused.headers["retry-after"]) > 0
        assert productions() == 1
        # One more for the same client would outlive its readers, too, so it ends with them.
        busy = served.get(fresh())
        assert (busy.status_code, busy.json()["code"]) == (503, "busy")
        gate.open()
        assert eventually(lambda: productions() == 0)
        assert served.get(path).status_code == 200
    assert len(gate.came) == 2


def test_many_are_made_at_once_while_their_readers_wait(root: Path, gate: Gate) -> None:
    with serving_folder(root) as served:
        gate.shut()
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(served.get, fresh()) for _ in range(3)]
            assert eventually(lambda: productions() == 3)
            gate.open()
            assert [one.result().status_code for one in asked] == [200] * 3


def test_what_has_no_place_is_refused_to_all_ways_of_asking(root: Path) -> None:
    with serving_folder(root, spool_max_result=1 << 20) as served:
        path = fresh()
        refused = served.get(path)
        assert (refused.status_code, refused.json()["code"]) == (413, "result-too-large")
        assert "1,048,576 bytes" in refused.json()["detail"]
        assert "Range" not in refused.json()["detail"]
        assert eventually(lambda: productions() == 0)
        assert served.client.head(path).status_code == 413
        assert eventually(lambda: productions() == 0)
        assert served.get(path, headers={"range": "bytes=0-0"}).status_code == 413
        assert eventually(lambda: productions() == 0)


def test_an_estimate_says_what_becomes_of_it(root: Path, served: Served) -> None:
    def told(server: Served, name: str = "large", query: str = "") -> dict[str, str]:
        formats = server.get(f"/datasets/{name}/estimate{query}").json()["formats"]
        return next(row for row in formats if row["extension"] == "xlsx")

    assert told(served)["answer"] == "whole"
    assert "if that is quick" not in told(served)["reason"]
    assert told(served, "many")["answer"] == "refused"
    assert "1,048,575" in told(served, "many")["reason"]
    # The rows that a filter leaves are counted.
    for query in ("?n=0", "?n=0&n=5&sort=n"):
        assert told(served, "many", query) == told(served, "many")
    assert told(served, "many", "?n=0&limit=9")["answer"] == "whole"
    with serving_folder(root, spool_max_result=1 << 20) as small:
        assert told(small)["answer"] == "refused"


def test_a_page_says_why_so_many_rows_are_no_workbook(served: Served) -> None:
    assert eventually(lambda: "All 1,048,576 rows" in served.get("/many?n=0").text)
    text = served.get("/many?n=0").text
    assert "a file of xlsx holds 1,048,575" in text
    assert 'href="/many.csv?n=0' in text
    assert "/many.xlsx" not in text


def test_without_a_spool_it_streams(root: Path) -> None:
    with serving_folder(root, spool_dir="off", whole_seconds=0) as served:
        response = served.get(fresh())
        assert response.status_code == 200
        assert "content-length" not in served.client.head(fresh()).headers
        with zipfile.ZipFile(io.BytesIO(response.content)) as package:
            assert package.testzip() is None


def test_a_cell_that_is_too_long_is_refused_by_column_and_row(served: Served) -> None:
    refused = served.get("/long.xlsx")
    assert (refused.status_code, refused.json()["code"]) == (413, "result-too-large")
    for words in ("'geometry'", "40,000", "row 3", "32,767", "exclude_field=geometry"):
        assert words in refused.json()["detail"]
    words = "has a text of 40,000 UTF-16 units; a cell of an xlsx holds 32,767: leave the column out"
    # A page that is sent before this is known says it to who asks again.
    assert eventually(lambda: words in served.get("/long").text)
    assert "/long.xlsx" not in served.get("/long").text
    body = served.get("/long.xlsx?exclude_field=geometry").content
    assert [int(value) for _, value in workbooks.columns(body)["n"]] == [0, 1, 2]


def test_more_rows_than_a_sheet_has_are_refused_before_anything_runs(served: Served, gate: Gate) -> None:
    for query in ("", "?sort=n", "?limit=1048576", "?field=n"):
        refused = served.get(f"/many.xlsx{query}")
        assert (refused.status_code, refused.json()["code"]) == (413, "result-too-large")
        for words in ("1,048,576 rows", "1,048,575", "limit=1048575"):
            assert words in refused.json()["detail"]
        assert served.client.head(f"/many.xlsx{query}").status_code == 413
    assert not gate.came
    for query in ("?n=1", "?limit=2", "?offset=1048570"):
        assert served.get(f"/many.xlsx{query}").status_code == 200
