"""A TCP proxy that counts the bytes that come back through it."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class CountingProxy:
    """Listens on a free port of its own and passes every connection on to one server."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.received = 0
        self.flowing = threading.Event()
        self.flowing.set()
        self._held_at = sys.maxsize
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
                for ends in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self.flowing.wait()
                if is_counted:
                    with self._lock:
                        self.received += len(data)
                        if self.received >= self._held_at:
                            self.flowing.clear()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def counting_proxy(target: str) -> Iterator[CountingProxy]:
    """A proxy to an http:// endpoint, for the length of the block."""
    proxy = CountingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
