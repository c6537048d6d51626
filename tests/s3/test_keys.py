"""Keys of S3 may hold what URLs and patterns have another meaning for: there, too, they are names."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.s3.conftest import KEY, SECRET, SOURCELESS
from tests.support import tables
from tests.support.s3_server import s3_server
from tests.support.serving import Served, serving, serving_folder

KEYS = (
    "%.parquet", "%5B.parquet", "a?b.parquet", "a?s3_region=x.parquet", "b+c.parquet", "b c.parquet",
    "c#d.parquet", "d%20e.parquet", "dir [old]/p.parquet", "dir ?/p.parquet", "e&f=1;g,h@i:j$k!(l)'m.parquet",
    'f"g|h^i`j<k>l~.parquet', "p[1].parquet", "p1.parquet", "s\\t.parquet", "u*.parquet", "u1.parquet",
    "v{w,x}.parquet", "é/日本.parquet",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "bucket" / "dataset"
    for key in KEYS:
        tables.write(pa.table({"key": [key], "n": [len(key)]}), folder / "parts" / key)
        tables.write(pa.table({"key": [key]}), folder / f"alone-{KEYS.index(key)}" / key)
    return folder


@pytest.fixture(scope="module")
def bucket(folder: Path) -> Iterator[Served]:
    with (
        s3_server(folder.parent.parent, KEY, SECRET) as endpoint,
        serving(dataset_bucket="bucket", aws_endpoint_url=endpoint, catalogue_max_age=0) as served,
    ):
        yield served


def test_parts_under_any_key_are_read_in_the_order_of_the_keys(bucket: Served) -> None:
    rows = bucket.get("/parts.json").json()
    assert [row["key"] for row in rows] == sorted(KEYS, key=str.encode)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_a_name_and_no_pattern_and_no_url(bucket: Served, key: str) -> None:
    assert bucket.get(f"/alone-{KEYS.index(key)}.json").json() == [{"key": key}]
    assert bucket.get("/parts.json", params={"key": key}).json() == [{"key": key, "n": len(key)}]


@pytest.mark.parametrize("extension", SOURCELESS)
def test_a_bucket_gives_the_bytes_that_a_folder_gives(bucket: Served, folder: Path, extension: str) -> None:
    with serving_folder(folder) as local:
        assert bucket.get(f"/parts.{extension}").content == local.get(f"/parts.{extension}").content
