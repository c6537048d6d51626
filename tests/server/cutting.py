"""A TCP proxy that cuts the first connections through it after so many bytes."""

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


class CuttingProxy:
    """Listens on a free port; the nth connection is reset after the nth number of bytes from the server."""

    def __init__(self, port: int, cuts: Sequence[int]) -> None:
        self._target = ("127.0.0.1", port)
        self._cuts = list(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += [client, server]
                left = self._cuts.pop(0) if self._cuts else None
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, left), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                self.requests.append(data)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data if left is None else data[:left])
                if left is not None and (left := left - len(data)) <= 0:
                    # What was sent still arrives, then the client sees the connection end.
                    client.shutdown(socket.SHUT_RDWR)
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    server.shutdown(socket.SHUT_RDWR)
                    return
            client.shutdown(socket.SHUT_WR)


@contextmanager
def cutting_proxy(port: int, *cuts: int) -> Iterator[CuttingProxy]:
    """A proxy to a port of this machine, for the length of the block."""
    proxy = CuttingProxy(port, cuts)
    try:
        yield proxy
    finally:
        proxy.close()
