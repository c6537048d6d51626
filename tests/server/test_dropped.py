"""A dropped client is gone and a stop waits for none, with each loop and each parser of uvicorn's."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support import tables
from tests.support.processes import SERVE, UVICORN, Running, running
from tests.support.serving import BROKEN_OFF, SECONDS, eventually, serving_folder
from tests.support.sockets import ask, connect, connections, read_to_end

pytestmark = pytest.mark.slow

# Neither knows of the other: each pair would tell no more.
STACKS = [("h11", "uvloop"), ("httptools", "asyncio")]
# And the command `serve`, which speaks HTTP by a protocol of its own.
SERVERS = [*STACKS, ("serve", "")]
GRACE = 0.5
# Beside what a busy machine takes, a stop is to end within the grace period and a second.
STOP = GRACE + 1.0
BUSY = 2.0

# Downloads of more than the kernel takes for a client that reads nothing, each of its own kind.
DOWNLOADS = {
    "kept": ("/large.csv", "1.1", {}),
    "kept, by HTTP/1.0": ("/large.csv", "1.0", {}),
    "a range": ("/large.csv", "1.1", {"Range": "bytes=5-"}),
    "making": ("/large.json", "1.1", {}),
    "gzip": ("/large.csv", "1.1", {"Accept_Encoding": "gzip"}),
    "zstd": ("/large.csv", "1.1", {"Accept_Encoding": "zstd"}),
    "native": ("/large.parquet", "1.1", {}),
    "native, by HTTP/1.0": ("/large.parquet", "1.0", {}),
    "a made Parquet": ("/large.parquet?field=text", "1.1", {}),
    "to be closed": ("/large.csv", "1.1", {"Connection": "close"}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dropped")
    tables.write(tables.large(8), root / "large.parquet")
    tables.write(tables.large(1).slice(0, 1000), root / "small.parquet")
    tables.write(tables.large(8, seed=2), root / "spoilt.parquet")
    tables.spoil(root / "spoilt.parquet", 6)
    return root


@contextmanager
def plain(folder: Path, stack: tuple[str, str], **environment: str) -> Iterator[Running]:
    """A uvicorn that somebody started without any option of ours, or ``serve``."""
    parser, loop = stack
    options = () if parser == "serve" else ("--http", parser, "--loop", loop)
    command = SERVE if parser == "serve" else UVICORN
    with running(folder, *options, command=command, **environment) as server:
        server.get("/large.csv")
        yield server


@contextmanager
def stalled(port: int) -> Iterator[dict[str, socket.socket]]:
    """Clients that asked for each kind of download, and read nothing."""
    with ExitStack() as clients:
        found = {}
        for name, (target, version, fields) in DOWNLOADS.items():
            found[name] = clients.enter_context(connect(port))
            ask(found[name], target, version, X_Request_ID=identity(name), **fields)
        yield found


def identity(name: str) -> str:
    return "client-" + "".join(letter for letter in name if letter.isalnum())


@pytest.mark.parametrize("stack", SERVERS, ids="-".join)
def test_a_client_that_takes_nothing_is_reset_and_its_descriptor_is_free(
    folder: Path, stack: tuple[str, str]
) -> None:
    with plain(folder, stack, CLIENT_STALL_SECONDS="1", PRODUCTION_LIMIT="20") as server:
        with stalled(server.port) as clients:
            assert eventually(lambda: open_connections(server) == len(clients))
            assert eventually(lambda: open_connections(server) == 0)
            assert [name for name, client in clients.items() if not read_to_end(client)[1]] == []
        # A connection is gone a moment before its line is written.
        asked = {identity(name) for name in DOWNLOADS}
        assert eventually(lambda: asked <= {line["request_id"] for line in server.requests()})
        told = [line for line in server.requests() if line["request_id"] in asked]
        assert {(line["outcome"], line["code"]) for line in told} == {("aborted", "client-stalled")}
        assert server.get("/large.csv").status_code == 200
        assert faults(server) == []


@pytest.mark.parametrize("stack", STACKS, ids="-".join)
def test_a_client_that_does_not_take_the_end_is_reset(
    folder: Path, stack: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"client_stall_seconds": 0.5, "log_level": "INFO", "log_format": "json"}
    parser, loop = stack
    with serving_folder(folder, parser=parser, loop=loop, **settings) as served:
        # 100 KB: more than the kernel takes here, and less than what a server waits for.
        served.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 << 10)
        with connect(served.port) as client:
            ask(client, "/small.csv", X_Request_ID="takes-no-end")
            assert client.recv(1)
            assert eventually(lambda: connections(os.getpid(), served.port) == 0)
            assert read_to_end(client)[1]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "takes-no-end"]
    assert (line["outcome"], line["code"]) == ("aborted", "client-stalled")


@pytest.mark.parametrize("stack", SERVERS, ids="-".join)
def test_what_fails_after_its_headers_is_reset_and_told_once(folder: Path, stack: tuple[str, str]) -> None:
    with plain(folder, stack, SPOOL_DIR="off") as server:
        with connect(server.port, 1 << 20) as client:
            ask(client, "/spoilt.csv", X_Request_ID="the-spoilt-one")
            received, was_reset = read_to_end(client)
        assert was_reset
        assert received.startswith(b"HTTP/1.1 200 ")
        with pytest.raises(BROKEN_OFF):
            server.get("/spoilt.ndjson")
        assert eventually(lambda: open_connections(server) == 0)
        (line,) = [line for line in server.requests() if line["request_id"] == "the-spoilt-one"]
        assert (line["outcome"], line["code"]) == ("aborted", "dataset-invalid")
        (cause,) = [record for record in server.records() if record.get("e_tag") == line["e_tag"]][:-1]
        assert cause["message"] == "production failed"
        assert faults(server) == []


@pytest.mark.parametrize("stack", SERVERS, ids="-".join)
def test_a_stop_waits_for_no_client(folder: Path, stack: tuple[str, str]) -> None:
    with (
        plain(folder, stack, GRACE_SECONDS=str(GRACE), PRODUCTION_LIMIT="20") as server,
        stalled(server.port) as clients,
        connect(server.port) as idle,
        connect(server.port) as half,
        connect(server.port) as silent,
        connect(server.port) as pipelined,
    ):
        ask(idle, "/health")
        assert idle.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        half.sendall(b"GET /large.csv HTTP/1.1\r\nHost: x\r\nX-Half: ")
        for _ in range(3):
            ask(pipelined, "/large.csv", X_Request_ID="pipelined")
        for client in (*clients.values(), pipelined):
            assert client.recv(1, socket.MSG_PEEK)
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        server.process.wait(STOP + BUSY)
        assert time.monotonic() - began >= GRACE
        for client in (*clients.values(), pipelined):
            assert read_to_end(client)[1]
        for client in (idle, half, silent):
            assert not read_to_end(client)[1]
        lines = {line["request_id"]: line for line in server.requests()}
        told = [lines[each] for each in (*(identity(name) for name in DOWNLOADS), "pipelined")]
        assert {(line["outcome"], line["code"]) for line in told} == {("aborted", "stopping")}
        # uvicorn does not tell the first of pipelined requests, nor so itself, that its connection is gone.
        assert [line for line in faults(server) if "without completing" not in line] == []


@pytest.mark.parametrize("stack", SERVERS, ids="-".join)
def test_who_waits_for_a_place_at_a_stop_is_told(folder: Path, stack: tuple[str, str]) -> None:
    settings = {"GRACE_SECONDS": str(GRACE), "PRODUCTION_LIMIT": "1", "SPOOL_DIR": "off"}
    with (
        plain(folder, stack, **settings) as server,
        connect(server.port) as running_one,
        connect(server.port) as queued,
    ):
        ask(running_one, "/large.json")
        assert running_one.recv(100)
        ask(queued, "/large.ndjson", X_Request_ID="waits-for-a-place")
        queued.settimeout(0.3)
        with pytest.raises(TimeoutError):
            queued.recv(1)
        queued.settimeout(SECONDS)
        server.process.send_signal(signal.SIGTERM)
        answer, _ = read_to_end(queued)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"stopping"' in answer
        server.process.wait(STOP + BUSY)
        assert faults(server) == []


def open_connections(server: Running) -> int:
    return connections(server.process.pid, server.port)


def faults(server: Running) -> list[str]:
    """Lines of a server that does not know what happened."""
    words = ("Exception in ASGI", "already started", "without completing", "socket.send() raised")
    return [line for line in list(server.lines) if any(word in line for word in words)]
