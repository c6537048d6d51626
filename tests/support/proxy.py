"""A TCP proxy that sees what passes, and can hold it back or cut it off."""

import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Listens on a free port of its own and passes every connection on to one server.

    The nth connection is reset after the nth of ``cuts`` bytes from the server; those after them are not.
    """

    def __init__(self, target: str, *cuts: int) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._cuts = list(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._held_at = sys.maxsize
        self.received = 0  # bytes that came back
        self.requests: list[bytes] = []  # what was sent, as it came
        self.flowing = threading.Event()
        self.flowing.set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_after(self, count: int) -> None:
        """Let nothing through, without a word, once this many bytes have come back."""
        self._held_at = self.received + count

    def release(self) -> None:
        """Let everything through again."""
        self._held_at = sys.maxsize
        self.flowing.set()

    def close(self) -> None:
        """Take no more connections and end those that there are."""
        self.flowing.set()
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
                    server = socket.create_connection(self._target)
                except OSError:
                    # The server is gone, and so is this connection.
                    client.close()
                    continue
                self._open += [client, server]
                left = self._cuts.pop(0) if self._cuts else None
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, left), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                self.flowing.wait()
                self.requests.append(data)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                self.flowing.wait()
                with self._lock:
                    self.received += len(data)
                    if self.received >= self._held_at:
                        self.flowing.clear()
                client.sendall(data if left is None else data[:left])
                if left is not None and (left := left - len(data)) <= 0:
                    # What was sent still arrives, then the client sees the connection end.
                    client.shutdown(socket.SHUT_RDWR)
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    server.shutdown(socket.SHUT_RDWR)
                    return
            client.shutdown(socket.SHUT_WR)


@contextmanager
def proxying(target: str, *cuts: int) -> Iterator[Proxy]:
    """A proxy to an http:// endpoint, for the length of the block."""
    proxy = Proxy(target, *cuts)
    try:
        yield proxy
    finally:
        proxy.close()
