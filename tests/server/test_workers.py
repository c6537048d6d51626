"""Several workers: one address, one metrics page, and a stop that lets every download finish."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.test_stopping import refuses
from tests.support import tables
from tests.support.processes import Running, running, total
from tests.support.serving import BROKEN_OFF, SECONDS, eventually

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    tables.write(tables.sample(), root / "sample.parquet")
    tables.write(tables.large(24), root / "large.parquet")
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with running(folder, workers=2, METRICS="prometheus") as served:
        yield served


def test_each_worker_has_a_spool_of_its_own_and_the_page_adds_up(server: Running) -> None:
    before = server.samples()
    count = 0

    def both_have_made() -> bool:
        nonlocal count
        count += 1
        assert server.get("/sample.csv?quality=some").status_code == 200
        return total(server.samples(), "results_total", source="made") == 2

    assert eventually(both_have_made)
    page = server.samples()
    assert total(page, "requests_total", resource="download") == count
    assert total(page, "results_total", source="spool") == count - 2
    assert total(page, "requests_total", resource="metrics") > total(
        before, "requests_total", resource="metrics"
    )
    # Each worker takes its readings every second.
    assert eventually(lambda: total(server.samples(), "tapes") == 2)


def test_a_killed_worker_is_replaced_and_what_it_counted_stays(server: Running) -> None:
    server.get("/sample.json")
    counted = total(server.samples(), "requests_total", resource="download")
    killed = server.workers()[0]
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: len(server.workers()) == 3)
    assert eventually(lambda: sum("startup complete" in line for line in server.lines) == 3)
    assert total(server.samples(), "requests_total", resource="download") == counted
    for _ in range(10):
        assert server.get("/sample.csv").status_code == 200
    assert total(server.samples(), "requests_total", resource="download") == counted + 10
    assert any(f"Child process [{killed}] died" in line for line in server.lines)


def test_a_dead_workers_gauges_are_not_counted(server: Running) -> None:
    with httpx2.stream("GET", f"{server.url}/large.json", timeout=SECONDS) as response:
        pieces = response.iter_raw()
        next(pieces)
        assert eventually(lambda: total(server.samples(), "requests_running") >= 2)
        alive = len(server.workers())
        for worker in server.workers():
            if _lives(worker):
                os.kill(worker, signal.SIGKILL)
        with pytest.raises(BROKEN_OFF):
            for _ in pieces:
                pass
    assert eventually(lambda: sum("startup complete" in line for line in server.lines) == alive + 2)
    assert eventually(lambda: total(server.samples(), "requests_running") == 1)


def test_at_a_stop_every_download_of_every_worker_finishes(folder: Path) -> None:
    with running(folder, workers=2, METRICS="prometheus") as server:
        shared = [line for line in _environment(server.workers()[0]) if line.startswith("PROMETHEUS_")]
        (metrics_folder,) = [Path(line.partition("=")[2]) for line in shared]
        assert any(metrics_folder.iterdir())
        with httpx2.Client(
            timeout=SECONDS, trust_env=False, headers={"accept-encoding": "identity"}
        ) as client:
            started = [
                client.send(client.build_request("GET", f"{server.url}/large.json"), stream=True)
                for _ in range(8)
            ]
            readers = [response.iter_raw() for response in started]
            sizes = [len(next(reader)) for reader in readers]
            server.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: refuses(server.port))
            sizes = [
                size + sum(len(piece) for piece in reader)
                for size, reader in zip(sizes, readers, strict=True)
            ]
        assert server.process.wait(SECONDS) == 0
        assert len(set(sizes)) == 1
        assert sizes[0] > 24 * tables.GROUP_ROWS * 90
        assert not metrics_folder.exists()
        # The last lines have been read when the pipe has ended.
        assert eventually(lambda: sum(line["outcome"] == "complete" for line in server.requests()) == 8)
        assert sum("Application shutdown complete" in line for line in server.lines) == 2


def test_workers_finish_and_end_when_their_parent_is_killed(folder: Path) -> None:
    with running(folder, workers=2) as server:
        workers = server.workers()
        try:
            with httpx2.stream(
                "GET", f"{server.url}/large.json", headers={"accept-encoding": "identity"}, timeout=SECONDS
            ) as response:
                pieces = response.iter_raw()
                next(pieces)
                server.process.kill()
                assert eventually(lambda: refuses(server.port))
                for last in pieces:
                    end = last
            assert end.endswith(b"]")
            assert eventually(lambda: not any(map(_lives, workers)))
        finally:
            for worker in filter(_lives, workers):
                os.kill(worker, signal.SIGKILL)


# Python runs this first; the command itself has checked its settings, so only a worker's are spoilt.
SPOILT = """
import os, sys
if any("multiprocessing" in argument for argument in sys.orig_argv):
    os.environ["SPOOL_DIR"] = "/absent"
"""


def test_workers_that_cannot_start_end_the_command(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SPOILT)
    with (
        pytest.raises(AssertionError, match="Application startup failed"),
        running(tmp_path, workers=2, PYTHONPATH=str(tmp_path)),
    ):
        pass


def _lives(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def _environment(process: int) -> list[str]:
    return Path(f"/proc/{process}/environ").read_text().split("\0")
