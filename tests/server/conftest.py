"""Folders of datasets, and servers over them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support import tables
from tests.support.gate import Gate, gated
from tests.support.serving import Served, eventually, productions, serving_folder

SETTINGS = ("AWS_", "DATASET_", "CORS_", "SPOOL_", "API_KEY", "TRUSTED_", "RATE_", "CLIENT_")


@pytest.fixture(autouse=True, scope="session")
def _environment() -> Iterator[None]:
    """Nobody's own settings: those that the service reads are taken away."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(SETTINGS)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets that no test changes."""
    root = tmp_path_factory.mktemp("datasets")
    tables.write(tables.sample(), root / "sample.parquet")
    tables.write(tables.places(), root / "places.parquet")
    for first, name in ((20, "parts/b"), (0, "parts/B"), (10, "parts/a")):
        tables.write(tables.sample(first), root / f"{name}.parquet")
    tables.write(tables.sample(), root / "disagreeing/1.parquet")
    tables.write(pa.table({"entity": ["a text"]}), root / "disagreeing/2-odd.parquet")
    tables.write(tables.sample(), root / "unfinished/1.parquet")
    tables.write(pa.table({"x": [1]}), root / "unfinished/_temporary/0/2.parquet")
    tables.write(pa.table({"a": [1, 2], "A": [3, 4]}), root / "case.parquet")
    tables.write(
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"]), root / "twice.parquet"
    )
    (root / "text.parquet").write_bytes(b"no Parquet at all, but long enough to be one")
    places = ["POINT (0 51)", "", None, "POLYGON ((0 0, 1 0, 1 1, 0 0))", "no geometry", "POINT (1 2 3)"]
    tables.write(tables.sample().append_column("geometry", [places]), root / "places.parquet")
    return root


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[Served]:
    """A server over those datasets."""
    with serving_folder(folder) as served:
        yield served


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 44 MB as JSON, to be copied."""
    path = tmp_path_factory.mktemp("large") / "large.parquet"
    tables.write(tables.large(24), path)
    return path


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate before every production, of which none is left at the end."""
    with gated(monkeypatch) as found:
        yield found
    assert eventually(lambda: productions() == 0)
