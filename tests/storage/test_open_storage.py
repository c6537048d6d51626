"""Which place a location names, and what opening it costs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from application.errors import ConfigurationError
from application.storage import open_storage
from application.storage.local import LocalStorage
from application.storage.s3 import S3Storage


@pytest.mark.parametrize(
    ("location", "prefix", "root"),
    [
        ("data", "dataset", "s3://data/dataset/"),
        ("data", "", "s3://data/"),
        ("s3://data", "dataset", "s3://data/dataset/"),
        ("s3://data/a/b/", "/dataset/", "s3://data/a/b/dataset/"),
        ("s3://data/a//b", "", "s3://data/a/b/"),
    ],
)
def test_a_bare_name_or_an_s3_url_is_a_bucket(location: str, prefix: str, root: str, keys: None) -> None:
    storage = open_storage(location, prefix)
    assert isinstance(storage, S3Storage)
    assert storage.engine_access().root == root
    assert storage.description == root.rstrip("/")
    assert storage.engine_access().root + "x.parquet" == f"{root}x.parquet"


def test_a_bare_name_is_a_bucket_though_a_folder_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_storage("data"), S3Storage)


@pytest.mark.parametrize(
    ("location", "root"),
    [
        ("/srv/data", "/srv/data/dataset/"),
        ("file:///srv/my%20data", "/srv/my data/dataset/"),
        ("./data", "{here}/data/dataset/"),
        ("data/", "{here}/data/dataset/"),
        ("~/data", "{home}/data/dataset/"),
    ],
)
def test_anything_with_a_slash_is_a_folder(location: str, root: str) -> None:
    storage = open_storage(location, "dataset")
    assert isinstance(storage, LocalStorage)
    assert storage.engine_access().root == root.format(here=Path.cwd(), home=os.environ["HOME"])
    assert storage.engine_access().root + "x.parquet" == storage.engine_access().root + "x.parquet"
    assert storage.engine_access().secret is None
    assert storage.presign("x.parquet", 60) is None


@pytest.mark.parametrize(
    "location", ["", "s3://", "s3:///x", "a b", "https://host/x", "gs://x/y", "file://host/x"]
)
def test_a_location_that_names_nothing_is_refused(location: str) -> None:
    with pytest.raises(ConfigurationError, match="DATASET_BUCKET"):
        open_storage(location)


@pytest.mark.parametrize("location", ["data", "/srv/data", "s3://data/.."])
def test_a_prefix_cannot_lead_out(location: str) -> None:
    with pytest.raises(ConfigurationError, match="DATASET_PREFIX"):
        open_storage(location, "../other")


def test_an_endpoint_without_a_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL"):
        open_storage("data", endpoint_url="localhost:9000")


def test_import_and_construction_load_no_client() -> None:
    """Nothing connects, and neither obstore nor botocore is imported, before first use."""
    code = (
        "import sys; from application.storage import open_storage; open_storage('b', profile='p');"
        "print([m for m in ('obstore', 'botocore', 'http.client', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]", done.stderr
