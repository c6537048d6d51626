"""`make rolling`: what two instances cut looks cut through a real nginx and a real HAProxy, too.

The tests in `rolling` restart them under load.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.server.balancers import COMMANDS, Instance, balanced_client, instances
from tests.support import tables
from tests.support.serving import SECONDS, eventually

PIECE = 1 << 16

pytestmark = pytest.mark.rolling


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Instance]]:
    """Two instances over a dataset that takes a while to send, one that does not, and one that fails."""
    folder = tmp_path_factory.mktemp("balanced")
    # More than all the buffers on the way to a client that does not read.
    tables.write(tables.large(32), folder / "large.parquet")
    tables.write(tables.sample(), folder / "sample.parquet")
    tables.write(tables.large(8), folder / "spoilt.parquet")
    tables.spoil(folder / "spoilt.parquet", 6)
    with instances(folder, 2) as made:
        yield made


@pytest.fixture(params=COMMANDS)
def balanced(request: pytest.FixtureRequest, pair: list[Instance], tmp_path: Path) -> Iterator[httpx2.Client]:
    """A client of both instances through a balancer."""
    with balanced_client(request.param, tmp_path, pair) as client:
        yield client


def test_an_instance_that_dies_is_seen_to_have_died(balanced: httpx2.Client, pair: list[Instance]) -> None:
    with balanced.stream("GET", "/large.csv") as chunked, balanced.stream("GET", "/large.parquet") as counted:
        assert "content-length" not in chunked.headers
        assert "content-length" in counted.headers
        pieces = [response.iter_raw(PIECE) for response in (chunked, counted)]
        for each in pieces:
            next(each)
        for instance in pair:
            instance.kill()
        for each in pieces:
            with pytest.raises(httpx2.TransportError):
                for _ in each:
                    pass
    with ThreadPoolExecutor() as threads:
        list(threads.map(Instance.start, pair))
    assert eventually(lambda: balanced.get("/sample.json").status_code == 200)


def test_a_download_that_breaks_off_does_so_through_the_balancer(balanced: httpx2.Client) -> None:
    with balanced.stream("GET", "/spoilt.csv") as response:
        assert response.status_code == 200
        with pytest.raises(httpx2.TransportError):
            response.read()
    command = ["curl", "-sS", "--noproxy", "*", "-o", os.devnull, str(balanced.base_url.join("/spoilt.csv"))]
    ended = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    assert ended.returncode in {18, 56}


def test_one_instance_is_enough(balanced: httpx2.Client, pair: list[Instance]) -> None:
    pair[0].stop()
    assert [balanced.get("/sample.json").status_code for _ in range(10)] == [200] * 10
    pair[0].start()


def test_an_answer_that_both_instances_give_reaches_the_client(balanced: httpx2.Client) -> None:
    response = balanced.get("/nothing.csv")
    assert (response.status_code, response.json()["code"]) == (404, "dataset-not-found")
    assert balanced.head("/sample.csv").status_code == 200


def test_a_client_that_could_not_see_an_abort_is_refused(balanced: httpx2.Client) -> None:
    url = balanced.base_url
    with socket.create_connection((url.host, url.port), SECONDS) as connection:
        connection.sendall(b"GET /sample.csv HTTP/1.0\r\nHost: x\r\n\r\n")
        assert connection.recv(1 << 12).split()[1] == b"505"


@pytest.mark.parametrize("name", COMMANDS)
def test_clients_behind_a_balancer_are_told_apart_and_cannot_forge_who_they_are(
    folder: Path, tmp_path: Path, name: str
) -> None:
    def status(address: str, forwarded: str) -> int:
        transport = httpx2.HTTPTransport(local_address=address)
        with httpx2.Client(base_url=client.base_url, transport=transport) as mine:
            return mine.get("/sample.csv", headers={"x-forwarded-for": forwarded}).status_code

    with (
        instances(folder, 1, RATE_LIMIT="2/hour", TRUSTED_PROXIES="127.0.0.1") as (limited,),
        balanced_client(name, tmp_path, [limited, limited]) as client,
    ):
        assert [status("127.0.0.2", f"9.9.9.{number}") for number in range(3)] == [200, 200, 429]
        assert [status("127.0.0.3", "127.0.0.1") for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_service_is_told_as_such_and_a_client_that_leaves_makes_room(
    pair: list[Instance], tmp_path: Path, name: str
) -> None:
    full = {"PRODUCTION_LIMIT": "1", "PRODUCTION_QUEUE": "0", "SPOOL_MAX_RESULT": "1000000"}
    with (
        instances(pair[0].folder, 1, **full) as (small,),
        balanced_client(name, tmp_path, [small, small]) as client,
    ):
        with client.stream("GET", "/large.csv") as response:
            assert response.status_code == 200
            refused = client.get("/large.ndjson")
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert refused.headers["retry-after"]
        assert eventually(lambda: client.get("/large.csv?entity=7").status_code == 200)


def test_serve_believes_nobody_unless_it_is_told_to(folder: Path) -> None:
    with instances(folder, 1, RATE_LIMIT="1/hour") as (limited,):
        url = f"http://127.0.0.1:{limited.port}/sample.csv"
        forged = [{"x-forwarded-for": f"9.9.9.{number}"} for number in range(2)]
        assert [httpx2.get(url, headers=each, trust_env=False).status_code for each in forged] == [200, 429]
