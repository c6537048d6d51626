"""Clients as raw sockets, which take as little as they like."""

import os
import socket
from pathlib import Path

from tests.support.serving import SECONDS

SMALL_BUFFER = 4096


def connect(port: int, buffer: int = SMALL_BUFFER) -> socket.socket:
    """A connection whose kernel takes next to nothing for a client that does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(SECONDS)
    client.connect(("127.0.0.1", port))
    return client


def ask(client: socket.socket, target: str, version: str = "1.1", **fields: str) -> None:
    """Send a GET, and read nothing."""
    lines = [f"GET {target} HTTP/{version}", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    client.sendall("\r\n".join([*lines, "", ""]).encode())


def read_to_end(client: socket.socket) -> tuple[bytes, bool]:
    """All that comes, and whether the end was a reset."""
    received = b""
    try:
        while piece := client.recv(1 << 20):
            received += piece
    except ConnectionError:
        return received, True
    return received, False


def connections(process: int, port: int) -> int:
    """How many clients' connections to a port a process still has a descriptor of."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = "0A"
    ours = {row[9] for row in rows if int(row[1].rpartition(":")[2], 16) == port and row[3] != listening}
    held = (_target(link) for link in Path(f"/proc/{process}/fd").iterdir())
    return sum(name.removeprefix("socket:[").removesuffix("]") in ours for name in held)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - what it names is no path
    except FileNotFoundError:
        return ""
