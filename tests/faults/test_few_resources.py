"""Servers that the system gives little: they say so at the start, refuse in time, and come back."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.support import tables
from tests.support.processes import Running, running
from tests.support.serving import eventually

pytestmark = pytest.mark.faults

CLIENTS = 48
PATHS = (
    *(
        "/large.csv?entity={0}",
        "/large.json?entity={0}",
        "/large.ndjson?entity={0}",
        "/sample.csv?entity={0}",
    ),
    *(
        "/large.parquet?entity={0}",
        "/large.parquet",
        "/large.csv?field=text&entity__exact={0}",
        "/large.json",
    ),
)
CODINGS = ("identity", "gzip", "zstd")
# A user of its own, for the administrator may have any number of threads; it may still read all files.
RIGHTS = "+dac_override,+dac_read_search"
USERS = count(31_000 + os.getpid() % 1000 * 10)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Datasets that another user may read: the temporary folders of tests are their user's own."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        tables.write(tables.sample(), root / "sample.parquet")
        tables.write(tables.large(2), root / "large.parquet")
        tables.write(tables.places(), root / "places.parquet")
        for path in (root, *root.iterdir()):
            path.chmod(0o755)
        yield root


def limited(*limits: str) -> tuple[str, ...]:
    if shutil.which("prlimit") is None or (shutil.which("setpriv") is None or os.geteuid() != 0):
        assert "CI" not in os.environ, "CI limits servers, as root"
        pytest.skip("needs root, prlimit and setpriv")
    user = (f"--reuid={next(USERS)}", "--regid=65534", "--clear-groups")
    return ("setpriv", *user, f"--inh-caps={RIGHTS}", f"--ambient-caps={RIGHTS}", "prlimit", *limits)


def asked(server: Running, number: int) -> tuple[int, str]:
    """The status and code of one of several downloads; a problem comes with Retry-After."""
    path = PATHS[number % len(PATHS)].format(number)
    headers = {"accept-encoding": CODINGS[number % len(CODINGS)]}
    response = httpx2.get(server.url + path, headers=headers, timeout=60, trust_env=False)
    if response.status_code == 200:
        return 200, ""
    assert int(response.headers["retry-after"]) > 0
    return response.status_code, response.json()["code"]


def storm(server: Running) -> Counter[tuple[int, str]]:
    with ThreadPoolExecutor(CLIENTS) as clients:
        return Counter(clients.map(lambda number: asked(server, number), range(CLIENTS * 3 // 2)))


def warnings(server: Running) -> list[str]:
    return [record["message"] for record in server.records() if record["message"].startswith("Limits:")]


@pytest.mark.parametrize(
    ("limit", "told", "is_served"),
    [
        ("--nofile=64", "open files 64 of", True),
        ("--nproc=18", "threads 18 of", False),
        ("--nproc=45", "threads 45 of", True),
        ("--as=2200000000", "address space 2098 of", False),
        ("--as=3000000000", "address space 2861 of", False),
        ("--as=3700000000", "address space 3528 of", True),
    ],
)
def test_what_finds_nothing_left_is_busy_and_nothing_else(
    folder: Path, limit: str, told: str, is_served: bool
) -> None:
    with running(folder, under=limited(limit), SPOOL_DIR="/tmp") as server:
        (warning,) = warnings(server)
        assert told in warning
        found = storm(server)
        assert set(found) <= {(200, ""), (503, "busy")}
        assert server.process.poll() is None
        assert server.get("/health").status_code == 200
        if is_served:
            # All that was refused can be asked for again.
            assert eventually(lambda: asked(server, 3) == (200, ""))
        else:
            assert set(found) == {(503, "busy")}


def test_layers_are_refused_where_gdal_would_end_the_process(folder: Path) -> None:
    with running(folder, under=limited("--nproc=70"), SPOOL_DIR="/tmp") as server:
        for extension in ("gpkg", "fgb"):
            refused = server.get(f"/places.{extension}")
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert server.get("/places.geojson").status_code == 200


def test_a_soft_limit_is_raised_and_nothing_is_refused(folder: Path) -> None:
    with running(folder, under=limited("--nofile=64:4096"), SPOOL_DIR="/tmp") as server:
        assert warnings(server) == []
        assert set(storm(server)) == {(200, "")}
