"""Clients that misbehave: who leaves, stalls, is slow, asks for half or too much at once."""

import socket
import struct
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from itertools import count, product
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.clients import Client, Failed
from tests.faults.conftest import Folder
from tests.faults.data import KINDS, Kind, Library
from tests.faults.law import Case, Court
from tests.support.sockets import ask, connect, read_to_end

pytestmark = pytest.mark.faults

names = count()


def _begin(url: str, coding: str, **fields: str) -> socket.socket:
    parts = urlsplit(url)
    client = connect(parts.port or 80)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    ask(client, target, Accept_Encoding=coding, **fields)
    return client


def _leaves_at_once(url: str, coding: str, folder: Path) -> bytes:
    _begin(url, coding).close()
    raise Failed("left at once")


def _leaves_midway(url: str, coding: str, folder: Path) -> bytes:
    with _begin(url, coding) as client:
        assert client.recv(1000)
    raise Failed("left in the middle")


def _resets(url: str, coding: str, folder: Path) -> bytes:
    with _begin(url, coding) as client:
        assert client.recv(1000)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Failed("reset the connection")


def _stalls(url: str, coding: str, folder: Path) -> bytes:
    with _begin(url, coding) as client:
        assert client.recv(1000)
        # Longer than a client may take nothing.
        threading.Event().wait(2.0)
        if not read_to_end(client)[1]:
            raise AssertionError("a client that took nothing was not dropped")
    raise Failed("was dropped: a reset")


def _asks_for_half(url: str, coding: str, folder: Path) -> bytes:
    with connect(urlsplit(url).port or 80) as client:
        client.sendall(b"GET " + urlsplit(url).path.encode() + b" HTTP/1.1\r\nHost: x\r\nAccept: ")
    raise Failed("left with half a request")


def _sends_noise(url: str, coding: str, folder: Path) -> bytes:
    with connect(urlsplit(url).port or 80) as client:
        client.sendall(bytes(range(256)) * 20 + b"\r\n\r\n")
        answer, _ = read_to_end(client)
    assert answer.startswith(b"HTTP/1.1 400 ") or not answer
    raise Failed("400")


def _is_slow(url: str, coding: str, folder: Path) -> bytes:
    with _begin(url, coding, Connection="close") as client:
        response = HTTPResponse(_Slow(client))  # type: ignore[arg-type]
        response.begin()
        if response.status != 200:
            raise Failed(f"HTTP {response.status}")
        return response.read()


def _pipelines(url: str, coding: str, folder: Path) -> bytes:
    """Two requests in one go: the second answer is as good as the first."""
    with _begin(url, coding) as client:
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        ask(client, target, Accept_Encoding=coding, Connection="close")
        file = client.makefile("rb")
        bodies = []
        for _ in range(2):
            response = HTTPResponse(_Shared(file))  # type: ignore[arg-type]
            response.begin()
            bodies.append(response.read())
        assert bodies[0] == bodies[1]
        return bodies[1]


class _Slow:
    """A socket whose reader pauses, for less long than a client may take nothing."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def makefile(self, mode: str) -> "_SlowFile":
        return _SlowFile(self._client.makefile("rb"))


class _SlowFile:
    PAUSES = 20

    def __init__(self, file: object) -> None:
        self._file = file
        self._pauses = iter(range(self.PAUSES))

    def __getattr__(self, name: str) -> object:
        if name in ("read", "read1", "readinto") and next(self._pauses, None) is not None:
            threading.Event().wait(0.02)
        return getattr(self._file, name)


class _Shared:
    """A file that several answers are read of."""

    def __init__(self, file: object) -> None:
        self._file = file

    def makefile(self, mode: str) -> object:
        return _Open(self._file)


class _Open:
    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def close(self) -> None:
        """The next answer is read of it."""


MISBEHAVIOURS = [
    Client("leaves at once", _leaves_at_once),
    Client("leaves in the middle", _leaves_midway),
    Client("resets", _resets),
    Client("stalls", _stalls),
    Client("half a request", _asks_for_half),
    Client("noise", _sends_noise),
    Client("slow", _is_slow),
    Client("pipelines", _pipelines),
]


@pytest.fixture
def dataset(unspooled: Folder, library: Library) -> Iterator[str]:
    name = f"asked-{next(names)}"
    file = unspooled.folder / f"{name}.parquet"
    library.put(1, file)
    yield name
    file.unlink()


@pytest.mark.parametrize(("client", "kind"), list(product(MISBEHAVIOURS, KINDS)), ids=str)
def test_a_client_that_misbehaves(folder_court: Court, dataset: str, client: Client, kind: Kind) -> None:
    folder_court.judge(Case(f"client: {client.name}", kind, client), dataset, lambda: None)
