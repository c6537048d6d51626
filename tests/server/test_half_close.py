"""Clients that close their half of the connection after the request."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.protocol import HttpProtocol
from tests.support import tables
from tests.support.processes import Running, running
from tests.support.serving import SECONDS, Served, eventually, productions, serving_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    tables.write(tables.sample(), root / "sample.parquet")
    tables.write(tables.large(), root / "large.parquet")
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with serving_folder(folder, parser=HttpProtocol) as served:
        yield served


@pytest.fixture(scope="module")
def process(folder: Path) -> Iterator[Running]:
    """The command `serve`, on the loop that it takes."""
    with running(folder) as found:
        yield found


def asked(port: int, *paths: str) -> bytes:
    """All that comes back to a client that says at once that there is no more to come."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        requests = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)
        connection.sendall(requests.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize("path", ["/sample.csv", "/sample.csv?entity=1", "/sample.parquet", "/absent.csv"])
def test_a_client_that_says_no_more_is_answered(server: Served, process: Running, path: str) -> None:
    for port in (server.port, process.port):
        head, _, body = asked(port, path).partition(b"\r\n\r\n")
        whole = process.get(path, headers={"accept-encoding": "identity"})
        assert head.startswith(f"HTTP/1.1 {whole.status_code} ".encode())
        if whole.status_code == 200:
            assert body == whole.content


def test_a_large_result_is_sent_to_its_end(server: Served, process: Running) -> None:
    for port in (server.port, process.port):
        answer = asked(port, "/large.csv")
        assert answer.endswith((b"\r\n0\r\n\r\n", server.get("/large.csv").content[-100:]))
        assert len(answer) > len(server.get("/large.csv").content)


def test_all_of_several_requests_are_answered(server: Served, process: Running) -> None:
    for port in (server.port, process.port):
        assert asked(port, "/sample.csv", "/health", "/sample.json").count(b"HTTP/1.1 200 ") == 3


def test_a_client_that_has_left_frees_what_it_asked_for(folder: Path) -> None:
    with serving_folder(folder, parser=HttpProtocol, spool_dir=None, production_limit=1) as served:
        address = ("127.0.0.1", served.port)
        with socket.create_connection(address, SECONDS) as stalled:
            stalled.sendall(b"GET /large.csv HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stalled.recv(1)
            with socket.create_connection(address, SECONDS) as waiting:
                waiting.sendall(b"GET /large.json HTTP/1.1\r\nHost: x\r\n\r\n")
                assert eventually(lambda: productions() == 2)
            # Nothing had been sent to it, so nothing but its silence tells that it is gone.
            assert eventually(lambda: productions() == 1, 5)
        assert eventually(lambda: productions() == 0, 5)


def test_a_client_that_says_no_more_and_takes_nothing_is_no_reason_to_hold_a_query(folder: Path) -> None:
    with (
        serving_folder(folder, parser=HttpProtocol, spool_dir=None, client_stall_seconds=1.0) as served,
        socket.create_connection(("127.0.0.1", served.port), SECONDS) as connection,
    ):
        connection.sendall(b"GET /large.csv HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1)
        assert eventually(lambda: productions() == 0, 10)
