"""The campaign's servers, and its table at the end."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.data import Library
from tests.faults.law import LINE, Court
from tests.faults.storage import StorageProxy, faulty_storage
from tests.support.s3_server import s3_server
from tests.support.serving import Served, serving, serving_folder

KEY, SECRET = "AKIATESTKEY00001", "a-secret-of-the-tests"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table: one line a case."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    lines = [value for report in reports for name, value in report.user_properties if name == LINE]
    if lines:
        terminalreporter.section("fault | format | coding | what the client saw | freed | the next request")
        for line in sorted(lines):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"{len(lines)} cases")


@pytest.fixture(autouse=True, scope="session")
def _hold() -> Iterator[None]:
    """What is made for readers of ranges outlives the last of them: here by less than a case lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("application.downloads.terms.HOLD_SECONDS", 0.3)
        yield


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The files of each version."""
    return Library(tmp_path_factory.mktemp("campaign") / "versions")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A server over a bucket behind a proxy that plays faults, and the folder that the bucket is."""

    served: Served
    proxy: StorageProxy
    folder: Path
    spool: Path


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    root, spool = tmp_path_factory.mktemp("bucket"), tmp_path_factory.mktemp("spool")
    (root / "bucket").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        with (
            s3_server(root, KEY, SECRET) as endpoint,
            faulty_storage(endpoint, root) as proxy,
            serving(
                dataset_bucket="bucket",
                dataset_prefix="",
                aws_region="eu-west-2",
                aws_endpoint_url=proxy.url,
                catalogue_max_age=0,
                spool_dir=spool,
                # Patience costs the campaign time.
                production_stall_seconds=3.0,
                storage_seconds=4.0,
                plan_seconds=8.0,
                log_level="CRITICAL",
            ) as served,
        ):
            yield Bucket(served, proxy, root / "bucket", spool)


@dataclass(frozen=True, slots=True)
class Folder:
    """A server over a folder, whose productions wait for their readers where there is no spool."""

    served: Served
    folder: Path


@pytest.fixture(scope="session")
def unspooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    root = tmp_path_factory.mktemp("unspooled")
    with serving_folder(root, spool_dir=None, client_stall_seconds=1.0, log_level="CRITICAL") as served:
        # So that a stalled client shows, and a production that waits for one, with some megabytes.
        served.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        yield Folder(served, root)


@pytest.fixture
def bucket_court(bucket: Bucket, tmp_path: Path, request: pytest.FixtureRequest) -> Court:
    return Court(bucket.served, bucket.spool, bucket.folder, tmp_path, request.node)


@pytest.fixture
def folder_court(unspooled: Folder, tmp_path: Path, request: pytest.FixtureRequest) -> Court:
    return Court(unspooled.served, None, unspooled.folder, tmp_path, request.node)
