"""The engine's connections to storage: those on which an answer trickles are cut.

DuckDB gives up on a server that is silent, but a byte now and then keeps it waiting for good, and a query
that waits for storage hears no interrupt. What is cut fails in DuckDB, which tries a few times more.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from application.storage.base import EngineAccess
from application.telemetry import logger
from application.telemetry.traffic import traffic

DESCRIPTORS = Path("/proc/self/fd")
LOOK_SECONDS = 1.0
LAST_LOOK_SECONDS = 0.05
# An answer that takes longer than a request may goes on while it gives as much in each second.
BYTES_PER_SECOND = 64 << 10
# Where nothing comes for longer, DuckDB's own limit is in force, or nothing is asked.
SILENCE_SECONDS = 10.0


@dataclass(slots=True)
class Answer:
    """One answer on a connection, by what was seen of it, in seconds of a monotonic clock."""

    asked: int  # bytes sent before it
    began: float
    before: int  # bytes received before it
    received: int = 0
    last: float = 0.0

    def look(self, asked: int, received: int, now: float) -> None:
        """What has been sent and received on the connection until now."""
        if asked != self.asked:
            self.asked, self.began, self.before = asked, now, received
        if received != self.received:
            self.received, self.last = received, now

    def is_trickling(self, seconds: float, now: float) -> bool:
        """True where it has taken more than the seconds, and comes too slowly to be worth the wait."""
        took = now - self.began
        came = self.received - self.before
        return took > seconds and now - self.last < SILENCE_SECONDS and came < took * BYTES_PER_SECOND


class StorageConnections:
    """Looks at the connections to one storage while the engine is in use; where Linux shows them.

    A request may take ``seconds``, and longer while its answer comes fast enough.
    """

    def __init__(self, access: EngineAccess, seconds: float) -> None:
        self._port = _port(access)
        self._seconds = seconds
        self._pause = min(LOOK_SECONDS, seconds / 4)
        # Those that are not to storage, by the names of their descriptors: clients may be many.
        self._others: set[str] = set()
        self._lock = threading.Lock()
        self._users = 0
        self._unused = threading.Event()
        self._is_over = False
        self.given_up = 0  # answers that came too slowly

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at them for the length of the block."""
        if self._port is None:
            yield
            return
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._unused = threading.Event()
                # Where no thread is to be had, the next who comes when nobody is here tries again.
                with suppress(RuntimeError):
                    threading.Thread(
                        target=self._watch, args=(self._unused,), name="connections", daemon=True
                    ).start()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._unused.set()

    def cut(self) -> None:
        """Cut all, and those that are made from now on: nobody wants any answer."""
        self._is_over = True

    def _watch(self, unused: threading.Event) -> None:
        answers: dict[str, Answer] = {}
        while not unused.wait(min(LAST_LOOK_SECONDS, self._pause) if self._is_over else self._pause):
            now, seen = time.monotonic(), {}
            for name, connection in self._found():
                with suppress(OSError):
                    asked, received = traffic(connection)
                    answer = seen[name] = answers.get(name) or Answer(asked, now, received)
                    answer.look(asked, received, now)
                    if self._is_over:
                        _cut(connection)
                    elif answer.is_trickling(self._seconds, now):
                        logger.warning("engine: storage trickles; a request to it is given up")
                        self.given_up += 1
                        _cut(connection)
            answers = seen

    def _found(self) -> Iterator[tuple[str, socket.socket]]:
        """The connections to the storage's port, each with its name, open until the next is asked for."""
        others = set()
        for name, descriptor in _sockets():
            if name in self._others:
                others.add(name)
                continue
            with suppress(OSError), _opened(descriptor) as connection:
                if connection.family not in (socket.AF_INET, socket.AF_INET6):
                    others.add(name)
                elif connection.getpeername()[1] == self._port:
                    yield name, connection
                else:
                    others.add(name)
        self._others = others


def _port(access: EngineAccess) -> int | None:
    """The port of the server that the engine asks, or None where it asks none, or nobody can look."""
    if access.secret is None or not DESCRIPTORS.is_dir():
        return None
    return urlsplit(f"//{access.secret.endpoint}").port or (443 if access.secret.use_ssl else 80)


def _sockets() -> Iterator[tuple[str, int]]:
    """The sockets that this process has open: a name that no other has, and the descriptor."""
    for entry in DESCRIPTORS.iterdir():
        with suppress(OSError):
            name = str(entry.readlink())
            if name.startswith("socket:"):
                yield name, int(entry.name)


@contextmanager
def _opened(descriptor: int) -> Iterator[socket.socket]:
    """The socket of a descriptor, by one of our own: the other may be closed, and reused, at any time."""
    own = os.dup(descriptor)
    try:
        connection = socket.socket(fileno=own)
    except OSError:
        # It is another by now, and no socket.
        os.close(own)
        raise
    with connection:
        yield connection


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
