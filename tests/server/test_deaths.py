"""A file that ends the engine's process does so once or twice, and nothing else is condemned for it."""

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.support import tables
from tests.support.processes import Running, running
from tests.support.serving import eventually

ODD = Path(__file__).parent.parent / "data" / "odd"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "datasets"
    tables.write(tables.sample(), root / "sample.parquet")
    shutil.copy(ODD / "kills-the-engine.parquet", root / "killer.parquet")
    return root


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def dies(server: Running, path: str) -> bool:
    """Ask, and see whether the server's process ends."""
    with suppress(httpx2.TransportError):
        server.get(path)
        return False
    return eventually(lambda: server.process.poll() is not None)


def condemned(response: httpx2.Response) -> bool:
    return response.status_code == 500 and response.json()["code"] == "dataset-invalid"


def test_a_server_that_a_file_has_ended_reads_it_no_more(folder: Path, spool: Path) -> None:
    deaths = 0
    for path in ("/killer.csv", "/killer.json", "/killer.ndjson?field=s", "/killer.parquet"):
        with running(folder, SPOOL_DIR=str(spool)) as server:
            if dies(server, path):
                deaths += 1
                continue
            assert condemned(server.get(path))
            assert server.get("/sample.json").json() == tables.sample().to_pylist()
    assert 1 <= deaths <= 2
    shutil.copy(folder / "sample.parquet", folder / "killer.parquet")
    with running(folder, SPOOL_DIR=str(spool)) as server:
        assert server.get("/killer.json").json() == tables.sample().to_pylist()


def test_what_was_read_beside_it_is_not_condemned(folder: Path, spool: Path) -> None:
    tables.write(tables.large(24), folder / "popular.parquet")
    # A small place, so that the popular dataset is still read while its client takes nothing.
    small = {"SPOOL_DIR": str(spool), "SPOOL_MAX_RESULT": "0"}
    with (
        running(folder, **small) as server,
        httpx2.stream("GET", f"{server.url}/popular.json", timeout=15, trust_env=False) as popular,
    ):
        assert popular.status_code == 200
        assert dies(server, "/killer.csv")
        with pytest.raises(httpx2.TransportError):
            popular.read()
    with running(folder, **small) as server:
        answered: list[httpx2.Response] = []
        asking = threading.Thread(target=lambda: answered.append(server.get("/popular.csv?entity=5")))
        asking.start()
        assert server.get("/sample.json").json() == tables.sample().to_pylist()
        asking.join()
        assert answered[0].status_code == 200
        assert len(answered[0].text.splitlines()) == 2
        assert condemned(server.get("/killer.csv"))
        assert server.process.poll() is None


def test_workers_share_the_journals_and_the_verdict(folder: Path, spool: Path) -> None:
    with running(folder, workers=3, SPOOL_DIR=str(spool)) as server:
        first = set(server.workers())
        answers: list[httpx2.Response] = []
        for _ in range(12):
            with suppress(httpx2.TransportError):
                answers.append(server.get("/killer.csv"))
        assert answers
        assert all(map(condemned, answers))
        assert 12 - len(answers) <= 2
        for _ in range(12):
            assert server.get("/sample.json").json() == tables.sample().to_pylist()
        assert len(set(server.workers()) - first) <= 2


def test_a_server_that_ends_leaves_no_journal(folder: Path, spool: Path) -> None:
    with running(folder, SPOOL_DIR=str(spool)) as server:
        assert server.get("/sample.csv").status_code == 200
        assert len(list(spool.rglob("*.journal"))) == 1
        server.process.terminate()
        server.process.wait(15)
    assert not list(spool.rglob("*.journal"))


def test_a_file_that_spoils_the_database_is_told_each_time_and_harms_nobody(
    folder: Path, spool: Path
) -> None:
    shutil.copy(ODD / "spoils-the-database.parquet", folder / "spoiler.parquet")
    with running(folder, SPOOL_DIR=str(spool)) as server:
        for _ in range(5):
            assert server.get("/spoiler.csv").status_code == 500
            assert server.get("/sample.json").json() == tables.sample().to_pylist()
        assert server.process.poll() is None


def test_without_a_folder_there_is_no_journal(folder: Path, tmp_path: Path) -> None:
    with running(folder, SPOOL_DIR="off", TMPDIR=str(tmp_path)) as server:
        assert server.get("/sample.csv").status_code == 200
        assert not list(tmp_path.rglob("*.journal"))
        os.kill(server.process.pid, 0)
