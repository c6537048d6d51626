"""What has passed over a TCP connection, by what Linux counts on it."""

import socket
import struct

# In Linux's struct tcp_info: what the peer has taken of ours, and what has come, in bytes.
COUNTS = struct.Struct("QQ")
COUNTS_AT = 120


def traffic(connection: socket.socket) -> tuple[int, int]:
    """Bytes that the other side has taken, and bytes that came from it.

    Raises OSError for what is no such connection, and where the system does not tell.
    """
    if not hasattr(socket, "TCP_INFO"):
        raise OSError("only Linux tells what passes over a connection")
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, COUNTS_AT + COUNTS.size)
    if len(info) < COUNTS_AT + COUNTS.size:
        raise OSError("this Linux does not tell what passes over a connection")
    taken, received = COUNTS.unpack_from(info, COUNTS_AT)
    return taken, received
