"""Bytes do not know what time it is: two processes whose clocks are a year apart make the same ones."""

import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from email.utils import parsedate_to_datetime

import pytest

from application.demo import make_demo
from application.formats import FORMATS
from tests.support.processes import Running, running

YEAR_DAYS = 370
# The files and the intervals stay as they are: only the time of day is another.
SHIFTED = {"DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
QUERIES = (
    "odd-geometry.{}?entity__gte=8700002",
    "tree-preservation-order.{}?limit=50&organisation-entity=90",
)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running]]:
    if shutil.which("faketime") is None and "CI" not in os.environ:
        pytest.skip("faketime is not installed: apt-get install faketime")
    folder = tmp_path_factory.mktemp("clocks")
    make_demo(folder)
    later = ("faketime", "-f", f"+{YEAR_DAYS}d")
    with ExitStack() as held:
        now = held.enter_context(running(folder / "dataset"))
        yield now, held.enter_context(running(folder / "dataset", under=later, **SHIFTED))


def got(server: Running, path: str, coding: str = "identity") -> tuple[str | None, bytes]:
    """An answer's ETag and bytes, as they are sent."""
    asked = urllib.request.Request(f"{server.url}/{path}", headers={"Accept-Encoding": coding})
    with urllib.request.urlopen(asked) as answer:
        return answer.headers["ETag"], answer.read()


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("extension", FORMATS)
def test_a_year_later_the_bytes_are_the_same(
    servers: tuple[Running, Running], extension: str, query: str
) -> None:
    now, later = servers
    assert got(now, query.format(extension)) == got(later, query.format(extension))


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_year_later_the_coded_bytes_are_the_same(servers: tuple[Running, Running], coding: str) -> None:
    now, later = servers
    path = QUERIES[1].format("csv")
    assert got(now, path, coding) == got(later, path, coding)


def test_the_clocks_are_a_year_apart(servers: tuple[Running, Running]) -> None:
    now, later = (parsedate_to_datetime(server.get("/health").headers["date"]) for server in servers)
    assert (later - now).days in (YEAR_DAYS - 1, YEAR_DAYS)
