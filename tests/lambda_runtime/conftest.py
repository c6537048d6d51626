"""The service in a played Lambda, behind the real adapter, over a real S3 server."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from application.settings import LAMBDA_BYTES
from tests.lambda_runtime.function import Function, Image, function
from tests.lambda_runtime.image import image
from tests.lambda_runtime.invocation import Limits
from tests.lambda_runtime.report import Table
from tests.support import tables
from tests.support.s3_server import s3_server
from tests.support.serving import Served, serving

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"
# Lambda's own pace would make the campaign last for minutes; one test keeps to it.
FAST = Limits(bytes_per_second=1e9)
TABLE = Table()

Starter = Callable[..., AbstractContextManager[Function]]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TABLE.rows:
        terminalreporter.section("Lambda, through the real adapter")
        for line in TABLE.lines():
            terminalreporter.write_line(line)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A served bucket: its files, and its server's endpoint."""

    folder: Path
    endpoint: str

    def settings(self) -> dict[str, str]:
        """The environment of a function that reads it."""
        return {
            "DATASET_BUCKET": "bucket",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "PATH": os.defpath,
        }

    def direct_settings(self) -> dict[str, Any]:
        """The settings of a service in this process that answers as it does on Lambda."""
        return {
            "dataset_bucket": "bucket",
            "aws_endpoint_url": self.endpoint,
            "aws_region": "eu-west-2",
            "whole_results": True,
            "empty_bodies": False,
            "response_max_bytes": LAMBDA_BYTES,
        }


@pytest.fixture(scope="session")
def environment() -> Iterator[None]:
    """Nobody's own settings; the keys of the test's bucket for what runs in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "DATASET_", "SPOOL_"))]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield


@pytest.fixture(scope="session")
def adapter(environment: None) -> Path:
    """The real adapter's program; only with it are a session's tests all of Lambda."""
    if "LAMBDA_ADAPTER" not in os.environ:
        pytest.fail("LAMBDA_ADAPTER names no adapter; `make lambda` builds one and runs these tests")
    return Path(os.environ["LAMBDA_ADAPTER"])


@pytest.fixture(scope="session")
def service_image() -> Image:
    """What the Dockerfile says is run."""
    return image()


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """Datasets that no test changes; CSV of *medium* is 9 MB, of *large* 108 MB, of *huge* 216 MB."""
    root = tmp_path_factory.mktemp("served")
    folder = root / "bucket" / "dataset"
    tables.write(tables.sample(), folder / "sample.parquet")
    tables.write(tables.sample().slice(0, 0), folder / "empty.parquet")
    tables.write(tables.sample(), folder / "parts/1.parquet")
    tables.write(tables.sample(10), folder / "parts/2.parquet")
    tables.write(tables.large(5), folder / "medium.parquet")
    tables.write(tables.large(60), folder / "large.parquet")
    for part in ("1", "2"):
        (folder / "huge").mkdir(exist_ok=True)
        (folder / f"huge/{part}.parquet").hardlink_to(folder / "large.parquet")
    with s3_server(root, KEY, SECRET) as endpoint:
        yield Bucket(folder, endpoint)


@pytest.fixture
def start(adapter: Path, service_image: Image, tmp_path: Path) -> Starter:
    """Starts a function of its own for a test, with an environment and limits."""
    return partial(_start, adapter, service_image, tmp_path / "log")


@pytest.fixture(scope="session")
def lambda_function(
    adapter: Path, service_image: Image, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Function]:
    """The service over that bucket, as it is deployed."""
    log = tmp_path_factory.mktemp("function") / "log"
    with _start(adapter, service_image, log, bucket.settings()) as started:
        yield started


@pytest.fixture(scope="session")
def direct(environment: None, bucket: Bucket) -> Iterator[Served]:
    """The service over that bucket in this process, without Lambda."""
    with serving(**bucket.direct_settings()) as served:
        # A large result is whole before its headers.
        served.client.timeout = 120
        yield served


@pytest.fixture
def table() -> Table:
    """Where the campaign's rows go."""
    return TABLE


def _start(
    adapter: Path, image: Image, log: Path, environment: dict[str, str], **options: Any
) -> AbstractContextManager[Function]:
    return function(adapter, image, environment, log, **{"limits": FAST, **options})
