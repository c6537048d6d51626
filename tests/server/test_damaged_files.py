"""A damaged file is told as what it is, by the name of what is damaged, whatever storage it lies in."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support import edits
from tests.support.s3_server import s3_server
from tests.support.serving import Served, serving, serving_folder

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"
PLACES = {"beyond the end": 10**9, "negative": -5, "elsewhere": 5}


def placed(offset: int) -> bytes:
    """A file whose column v lies elsewhere than its footer says."""

    def move(footer: edits.Struct) -> None:
        edits.chunks(footer)[1][9] = (6, offset)

    return edits.edited(edits.plain(pa.table({"k": [1, 2], "v": ["a", "b"]})), move)


def without_values() -> bytes:
    """A file whose map has keys only, which its annotation forbids."""

    def cut(footer: edits.Struct) -> None:
        elements = edits.elements(footer)
        del elements[5]
        elements[3][5] = (5, 1)
        footer.pop(7, None)
        for group in footer[4][1][1]:
            del group[1][1][1][2]

    table = pa.table({"k": [1, 2], "m": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64()))})
    return edits.edited(edits.plain(table), cut)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("damaged") / "bucket"
    (root / "parts").mkdir(parents=True)
    for name, offset in PLACES.items():
        (root / f"{name.replace(' ', '-')}.parquet").write_bytes(placed(offset))
    (root / "map.parquet").write_bytes(without_values())
    whole = edits.plain(pa.table({"k": [0], "v": ["c"]}))
    (root / "parts/1.parquet").write_bytes(whole)
    (root / "parts/2.parquet").write_bytes(placed(5))
    return root


@pytest.fixture(scope="module", params=["folder", "s3"])
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[Served]:
    if request.param == "folder":
        with serving_folder(folder, log_level="CRITICAL", page_checksums="off") as served:
            yield served
        return
    with pytest.MonkeyPatch.context() as patch, s3_server(folder.parent, KEY, SECRET) as url:
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_ENDPOINT_URL", url)
        settings = {"dataset_bucket": folder.name, "dataset_prefix": "", "log_level": "CRITICAL"}
        settings |= {"page_checksums": "off", "spool_dir": str(folder.parent)}
        with serving(**settings, catalogue_max_age=0) as served:
            yield served


@pytest.mark.parametrize("name", PLACES)
def test_a_column_that_is_not_where_the_footer_says_is_named(server: Served, name: str) -> None:
    file = name.replace(" ", "-")
    for path in (".csv", ".json", ".ndjson", ".parquet?k=1", ".csv?field=v"):
        answer = server.get(f"/{file}{path}")
        assert (answer.status_code, answer.json()["code"]) == (500, "dataset-invalid"), path
        assert "'v'" in answer.json()["detail"]
        assert "retry-after" not in answer.headers
    assert server.get(f"/{file}.csv?exclude_field=v").text == '"k"\n"1"\n"2"\n'


def test_the_part_that_is_damaged_is_named(server: Served) -> None:
    answer = server.get("/parts.csv")
    assert (answer.status_code, answer.json()["code"]) == (500, "dataset-invalid")
    assert "Column 'v' of part '2.parquet'" in answer.json()["detail"]
    assert server.get("/parts.csv?field=k").text == '"k"\n"0"\n"1"\n"2"\n'


def test_a_map_without_values_is_no_fault_of_the_storage(server: Served) -> None:
    answer = server.get("/map.csv")
    assert (answer.status_code, answer.json()["code"]) == (500, "dataset-invalid")
    assert "retry-after" not in answer.headers
