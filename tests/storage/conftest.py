"""A real S3 server with datasets in it, and an environment without anyone's AWS settings."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from application.models import ObjectMeta
from application.storage import Storage, open_storage
from tests.support.s3_server import s3_server

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A served bucket: its files, and the endpoint."""

    folder: Path
    endpoint: str

    def open(self, name: str = "bucket", prefix: str = "dataset") -> Storage:
        return open_storage(name, prefix, endpoint_url=self.endpoint)


def fill(folder: Path) -> None:
    """Write the files that the tests of both kinds of storage look for."""
    for name in (
        "b.parquet",
        "parts/2 b+c%20.parquet",
        "parts/1.parquet",
        "parts/Z.parquet",
        "partsX/z.parquet",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"the bytes of {name}".encode())


def known(storage: Storage, path: str) -> ObjectMeta:
    meta = storage.head(path)
    assert meta is not None
    return meta


def paths(storage: Storage, prefix: str = "") -> list[str]:
    return [meta.path for meta in storage.list(prefix)]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "bucket" / "dataset").mkdir(parents=True)
    with s3_server(folder, KEY, SECRET) as endpoint:
        yield folder, endpoint


@pytest.fixture
def bucket(served: tuple[Path, str], keys: None) -> Bucket:
    folder, endpoint = served
    dataset = folder / "bucket" / "dataset"
    fill(dataset)
    return Bucket(dataset, endpoint)
