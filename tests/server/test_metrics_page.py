"""`/metrics`, read by Prometheus's own parser."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from application.errors import EngineFailed
from tests.support import tables
from tests.support.processes import samples, total
from tests.support.serving import Served, eventually, serving_folder


@pytest.fixture
def folder(tmp_path: Path, large: Path) -> Path:
    tables.write(tables.sample(), tmp_path / "sample.parquet")
    shutil.copy(large, tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Served]:
    with serving_folder(folder, metrics="prometheus", duckdb_threads=1) as served:
        yield served


def found(server: Served) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return samples(server.get("/metrics").text)


def test_without_the_setting_there_is_no_page(folder: Path) -> None:
    with serving_folder(folder) as served:
        assert served.get("/metrics").status_code == 404


def test_requests_are_counted_by_what_came_of_them(server: Served) -> None:
    tag = server.get("/sample.csv").headers["etag"]
    server.get("/sample.csv")
    server.get("/sample.csv", headers={"if-none-match": tag})
    server.get("/sample.csv?qualty=x")
    server.get("/sample.odt")
    page = found(server)
    csv = {"resource": "download", "format": "csv"}
    assert total(page, "requests_total", **csv, outcome="complete", status="2xx") == 2
    assert total(page, "requests_total", **csv, outcome="not-modified", status="3xx") == 1
    assert total(page, "requests_total", **csv, outcome="refused", status="4xx") == 1
    assert total(page, "requests_total", resource="download", format="none", outcome="refused") == 1
    assert total(page, "results_total", source="made") == 1
    assert total(page, "results_total", source="spool") == 1
    assert total(page, "rows_total", format="csv") == 12
    assert total(page, "duration_seconds_count", resource="download") == 5
    assert total(page, "first_byte_seconds_bucket", resource="download", le="300.0") == 5
    assert total(page, "errors_total") == 0


def test_bytes_are_those_that_clients_got(server: Served) -> None:
    size = sum(len(server.get(path).content) for path in ("/sample.csv", "/sample.json", "/large.csv"))
    assert total(found(server), "bytes_total", resource="download", outcome="complete") == size


def test_the_service_as_it_is(server: Served) -> None:
    size = len(server.get("/large.json").content)
    page = found(server)
    assert (total(page, "tapes"), total(page, "tape_bytes")) == (1, size)
    assert total(page, "productions_running") == total(page, "productions_queued") == 0
    assert total(page, "requests_running") == 1  # this one
    assert total(page, "resident_bytes") > 1 << 20


def test_what_is_made_and_what_waits(folder: Path) -> None:
    # Without a spool the producers wait for their readers, who read nothing.
    given = {"metrics": "prometheus", "spool_dir": None, "production_limit": 1}
    with serving_folder(folder, **given) as served:
        with served.client.stream("GET", "/large.json") as first:
            pieces = first.iter_raw()
            next(pieces)
            with _waiting(served):
                page = found(served)
                assert (total(page, "productions_running"), total(page, "productions_queued")) == (1, 1)
                assert total(page, "requests_running") == 3
                assert total(page, "tapes") == 2
                assert total(page, "tape_bytes") > 0
        assert eventually(lambda: total(found(served), "requests_running") == 1)


@contextmanager
def _waiting(server: Served) -> Iterator[None]:
    """A client that waits for a place until the block ends."""
    productions = server.lifespan.get().productions
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /large.csv HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(lambda: productions.readings()["productions_queued"])
        yield


def test_an_error_is_counted_by_its_code(server: Served, folder: Path) -> None:
    folder.rename(folder.with_name(f"{folder.name}-elsewhere"))
    assert server.get("/sample.csv").status_code == 503
    assert total(found(server), "errors_total", code="storage-unavailable") == 1


def test_a_replaced_database_is_counted(server: Served) -> None:
    with pytest.raises(EngineFailed), server.lifespan.get().engine.database.cursor():
        raise duckdb.InternalException("INTERNAL Error: as an unusual file can raise one")
    for _ in range(2):
        assert total(found(server), "engine_replacements_total") == 1


def test_labels_are_of_bounded_sets(server: Served) -> None:
    before = len(found(server))
    server.get("/sample.odt0")
    some = len(found(server))
    for number in range(1, 20):
        server.get(f"/sample.odt{number}")
        server.get(f"/unknown{number}.odt{number}")
    assert before < some
    assert len(found(server)) == some


def test_two_applications_count_apart(folder: Path) -> None:
    with (
        serving_folder(folder, metrics="prometheus") as one,
        serving_folder(folder, metrics="prometheus") as other,
    ):
        one.get("/sample.csv")
        # A request is counted when it has ended, which is after its last byte.
        assert eventually(lambda: total(found(one), "requests_total", resource="download") == 1)
        assert total(found(other), "requests_total", resource="download") == 0


def test_open_metrics_is_told_on_request(server: Served) -> None:
    server.get("/sample.csv")
    response = server.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in text_string_to_metric_families(response.text)}
    assert "download_lambda_requests" in names
    assert response.headers["cache-control"] == "no-store"
