"""Which datasets there are."""

from pathlib import Path

import pytest

from application.datasets.catalogue import Catalogue
from application.engine.database import Database
from application.engine.scan import Engine
from application.storage import open_storage


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """The datasets of a folder."""
    storage = open_storage(f"{tmp_path}/", "")
    database = Database(storage, memory_limit="64MB", threads=1, temp_directory=None, temp_limit="1GB")
    return Catalogue(storage, Engine(storage, database), max_age=0)


def test_a_dataset_is_an_object_or_a_folder_with_a_part(catalogue: Catalogue, tmp_path: Path) -> None:
    for path in (
        *("single.parquet", "parts/1.parquet", "hive/year=2024/month=1/p.parquet", "_own/1.parquet"),
        *("unfinished/_temporary/1.parquet", "empty/readme.txt", "words.json", "odd name.parquet"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    assert catalogue.names() == ["_own", "hive", "parts", "single"]
