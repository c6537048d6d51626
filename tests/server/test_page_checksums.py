"""Damaged pages of files with checksums are found beside serving, and nothing of such a file ends cleanly."""

import threading
from pathlib import Path

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import tables
from tests.support.flips import flip
from tests.support.serving import BROKEN_OFF, Served, eventually, serving_folder


def write(path: Path, table: pa.Table, *, checksums: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        row_group_size=tables.GROUP_ROWS,
        compression="none",
        use_dictionary=False,
        write_page_checksum=checksums,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A damaged file with checksums, one without, a folder with a damaged part, and a good file."""
    write(tmp_path / "damaged.parquet", tables.large(2))
    flip(tmp_path / "damaged.parquet", 0)
    write(tmp_path / "unmarked.parquet", tables.large(2), checksums=False)
    flip(tmp_path / "unmarked.parquet", 0)
    for part in range(2):
        write(tmp_path / f"parts/{part}.parquet", tables.large(1, part))
    flip(tmp_path / "parts/1.parquet", 1)
    write(tmp_path / "good.parquet", tables.large(2))
    return tmp_path


def is_invalid(response: httpx2.Response) -> bool:
    return response.status_code == 500 and response.json()["code"] == "dataset-invalid"


@pytest.mark.parametrize("catalogue_max_age", [0, 3600])
def test_a_damaged_file_is_refused_once_that_is_known(folder: Path, catalogue_max_age: float) -> None:
    with serving_folder(folder, catalogue_max_age=catalogue_max_age) as server:
        for name in ("damaged", "parts"):
            for path in (
                f"/{name}.csv?entity=5",
                f"/{name}.parquet",
                f"/datasets/{name}/manifest?format=csv",
            ):
                assert eventually(lambda path=path: is_invalid(server.get(path)))
        detail = server.get("/parts.csv").json()["detail"]
        assert "'text'" in detail
        assert "'1.parquet'" in detail
        assert server.get("/good.csv?entity=5").status_code == 200
        assert server.get("/unmarked.csv?entity=5").status_code == 200


def test_a_file_that_was_replaced_is_served_again(folder: Path) -> None:
    with serving_folder(folder) as server:
        assert eventually(lambda: is_invalid(server.get("/damaged.csv?entity=5")))
        write(folder / "damaged.new", tables.large(2))
        (folder / "damaged.new").replace(folder / "damaged.parquet")
        assert server.get("/damaged.csv?entity=5").status_code == 200


@pytest.mark.parametrize("path", ["/damaged.csv", "/damaged.csv?entity=5", "/damaged.parquet", "/parts.json"])
def test_always_makes_the_first_answer_wait(folder: Path, path: str) -> None:
    with serving_folder(folder, page_checksums="always") as server:
        assert is_invalid(server.get(path))
        assert server.get("/good.csv").status_code == 200
        assert server.get("/unmarked.csv").status_code == 200


@pytest.mark.parametrize("settings", [{"page_checksums": "off"}, {"aws_lambda_function_name": "f"}])
def test_where_nothing_is_checked_no_thread_is(folder: Path, settings: dict[str, str]) -> None:
    with serving_folder(folder, **settings) as server:
        assert server.get("/damaged.csv?entity=5").status_code == 200
        assert all(thread.name != "page checks" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("path", "settings"), [("/damaged.json", {"spool_dir": None}), ("/damaged.parquet", {})]
)
def test_what_streams_of_a_damaged_file_is_broken_off(
    tmp_path: Path, path: str, settings: dict[str, object]
) -> None:
    write(tmp_path / "damaged.parquet", tables.large(40))
    flip(tmp_path / "damaged.parquet", 0)
    with serving_folder(tmp_path, page_checksums="off", **settings) as server:
        size = len(server.get(path, timeout=60).content)
    with serving_folder(tmp_path, **settings) as server, server.client.stream("GET", path) as response:
        assert response.status_code == 200
        assert eventually(lambda: is_invalid(_alone(server, "/damaged.csv?entity=5")))
        read: list[int] = []
        with pytest.raises(BROKEN_OFF):
            read.extend(len(piece) for piece in response.iter_raw())
        assert sum(read) < size


def _alone(server: Served, path: str) -> httpx2.Response:
    return httpx2.get(server.url + path, trust_env=False)
