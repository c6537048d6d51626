"""Many downloads at once: each as it would be alone, and the loop free all the while."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import tables
from tests.support.serving import Served, eventually, productions, serving_folder

FORMATS = ("csv", "json", "ndjson", "parquet")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four large datasets of different rows."""
    folder = tmp_path_factory.mktemp("large")
    for number in range(4):
        tables.write(tables.large(5, seed=number), folder / f"rows-{number}.parquet")
    return folder


@pytest.fixture
def busy_server(rows: Path) -> Iterator[Served]:
    """A server that keeps no result, so that each download is made as often as it is asked for."""
    with serving_folder(rows, spool_max_bytes=0, spool_max_result=0, production_limit=4) as served:
        yield served


def paths() -> list[str]:
    whole = [f"/rows-{number}.{extension}" for number in range(4) for extension in FORMATS]
    some = [f"/rows-0.{extension}?entity=7&entity=30000&entity=99999" for extension in FORMATS]
    return whole + some


def test_twenty_concurrent_downloads_are_the_bytes_that_each_is_alone(busy_server: Served) -> None:
    alone = [busy_server.get(path).content for path in paths()]
    assert len(set(alone)) == 20
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(lambda path: busy_server.get(path).content, paths()))
    assert together == alone


def test_one_production_serves_everyone_who_asks_for_the_same(rows: Path) -> None:
    with serving_folder(rows) as server, ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: server.get("/rows-1.csv").content, range(8)))
        assert len(set(bodies)) == 1
        assert len(server.lifespan.get().productions.kept_keys) == 1


def test_health_answers_while_large_downloads_run(busy_server: Served) -> None:
    with ExitStack() as stack:
        # Nobody reads further than the first bytes, so all four are being made when health is asked.
        for number in range(4):
            response = stack.enter_context(busy_server.client.stream("GET", f"/rows-{number}.json"))
            assert response.status_code == 200
        for _ in range(20):
            assert busy_server.get("/health").status_code == 200
            assert busy_server.client.head("/rows-0.csv").status_code == 200
    assert eventually(lambda: productions() == 0)


def test_a_small_download_is_made_while_large_ones_hold_all_places_that_they_may_have(
    tmp_path: Path,
) -> None:
    tables.write(tables.large(), tmp_path / "rows.parquet")
    with serving_folder(tmp_path, spool_dir=None) as server, ExitStack() as stack:
        readings = server.lifespan.get().productions.readings
        pool = stack.enter_context(ThreadPoolExecutor(1))
        # Without a spool a production waits for its reader, and nobody reads further than the first bytes.
        for number in range(5):
            stack.enter_context(server.client.stream("GET", f"/rows.csv?entity__gte=-{number}"))
        sixth = pool.submit(server.get, "/rows.csv?entity__gte=-5")
        assert eventually(lambda: readings()["productions_queued"] == 1)
        assert readings()["productions_running"] == 5
        assert server.get("/rows.csv?entity=7&field=entity").text == '"entity"\n"7"\n'
        assert readings()["productions_queued"] == 1
        stack.pop_all().close()
        assert len(sixth.result().content) > 1 << 20
