"""A TCP proxy that sees what passes, and can hold it back, let it trickle, or cut it off."""

import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

TRICKLE_SECONDS = 0.1
# Of SO_LINGER: a close is a reset.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a free port of its own and passes every connection on to one server.

    The nth connection is reset after the nth of ``cuts`` bytes from the server; those after them are not.
    ``buffer`` bounds the bytes that lie on its way, where a test needs the server to notice a slow client.
    """

    def __init__(self, target: str, *cuts: int, buffer: int | None = None) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._cuts = list(cuts)
        self._buffer = buffer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._held_at = sys.maxsize
        self._slow = b""
        self._slow_after, self._slow_size = 0, 1
        self._fast = threading.Event()
        self.received = 0  # bytes that came back
        self.requests: list[bytes] = []  # what was sent, as it came
        self.flowing = threading.Event()
        self.flowing.set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_after(self, count: int) -> None:
        """Let nothing through, without a word, once this many bytes have come back."""
        self._held_at = self.received + count

    def trickle(self, name: str, after: int = 0, size: int = 1) -> None:
        """Answer what has this name in it by ``size`` bytes now and then, ``after`` so many at once."""
        self._slow, self._slow_after, self._slow_size = name.encode(), after, size
        self._fast.clear()

    def release(self) -> None:
        """Let everything through again."""
        self._slow = b""
        self._fast.set()
        self._held_at = sys.maxsize
        self.flowing.set()

    def close(self) -> None:
        """Take no more connections and end those that there are."""
        self.release()
        # On Linux close alone does not wake a thread that waits in accept or recv.
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    # The server is gone, and so is this connection.
                    client.close()
                    continue
                self._open += [client, server]
                left = self._cuts.pop(0) if self._cuts else None
                pair = _Pair(client, server)
                threading.Thread(target=self._ask, args=(pair,), daemon=True).start()
                threading.Thread(target=self._answer, args=(pair, left), daemon=True).start()

    def _connect(self) -> socket.socket:
        server = socket.socket()
        if self._buffer:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            raise
        return server

    def _ask(self, pair: "_Pair") -> None:
        client, server = pair.client, pair.server
        with suppress(OSError):
            while data := client.recv(1 << 16):
                self.flowing.wait()
                self.requests.append(data)
                pair.asked, pair.answered = data, 0
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, pair: "_Pair", left: int | None) -> None:
        try:
            self._pass_on(pair, left)
        except OSError:
            # The server has reset its side, or this proxy is closed: a reset is passed on as one.
            with suppress(OSError):
                pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # Wakes who waits for the client; the close tells it.
                pair.client.shutdown(socket.SHUT_RD)
                pair.client.close()

    def _pass_on(self, pair: "_Pair", left: int | None) -> None:
        client, server = pair.client, pair.server
        while data := server.recv(1 << 16):
            self.flowing.wait()
            data = self._trickled(pair, data)
            with self._lock:
                self.received += len(data)
                if self.received >= self._held_at:
                    self.flowing.clear()
            client.sendall(data if left is None else data[:left])
            if left is not None and (left := left - len(data)) <= 0:
                # What was sent still arrives, then the client sees the connection end.
                client.shutdown(socket.SHUT_RDWR)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                server.shutdown(socket.SHUT_RDWR)
                return
        client.shutdown(socket.SHUT_WR)

    def _trickled(self, pair: "_Pair", data: bytes) -> bytes:
        """What is left to be sent once it need not trickle any more."""
        while data and self._slow and self._slow in pair.asked and pair.answered >= self._slow_after:
            pair.client.sendall(data[: self._slow_size])
            data = data[self._slow_size :]
            self._fast.wait(TRICKLE_SECONDS)
        pair.answered += len(data)
        return data


@dataclass(slots=True)
class _Pair:
    """A connection on both sides, what was last asked on it, and how much has been answered to that."""

    client: socket.socket
    server: socket.socket
    asked: bytes = b""
    answered: int = 0


@contextmanager
def proxying(target: str, *cuts: int, buffer: int | None = None) -> Iterator[Proxy]:
    """A proxy to an http:// endpoint, for the length of the block."""
    proxy = Proxy(target, *cuts, buffer=buffer)
    try:
        yield proxy
    finally:
        proxy.close()
