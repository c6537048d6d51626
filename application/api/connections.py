"""The connections of clients, as far as the server lets an application at them: uvicorn's, on every loop."""

import asyncio
import socket
import struct
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Scope

from application.errors import ClientStalled, DownloadError, Stopping

# With it a close drops what the client has not taken, and says so by a reset.
RESET = struct.pack("ii", 1, 0)
# An aborted connection is gone with the loop's next turn; uvicorn tells only the last of pipelined requests.
GONE_SECONDS = 0.5
# How often what is still to be taken is looked at: at first, and at most.
SHORT_PAUSE, LONG_PAUSE = 0.001, 0.25
# Refusals that the end of the grace period brings about go out before everything is broken off.
LAST_WORDS_SECONDS = 0.25


class Connection:
    """What carries one request.

    ASGI has no abort: a server that is told of a failure closes the connection, which waits for the client
    to take what is left, for good if it takes nothing. So uvicorn's own transport is asked, which is found
    at the method that it passes on. Elsewhere ``can_abort`` is False, and a failure is to be raised.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._cycle = getattr(receive, "__self__", None)
        # The streams of HTTP/2 share one.
        alone = scope["http_version"] in ("1.0", "1.1")
        self._transport: asyncio.Transport | None = getattr(self._cycle, "transport", None) if alone else None
        self.failure: BaseException | None = None

    @property
    def can_abort(self) -> bool:
        """True where the server lets a connection be broken off."""
        return self._transport is not None

    @property
    def peers(self) -> Collection[Any]:
        """The server's protocols for all of its connections, or none where it does not tell."""
        found: Collection[Any] = getattr(self._protocol, "connections", ())
        return found

    @property
    def _protocol(self) -> Any:
        return self._transport.get_protocol() if self._transport else None

    def abort(self, failure: BaseException) -> None:
        """Break it off for this reason, whatever its client has not taken; its descriptor is freed."""
        self.failure = self.failure or failure
        if self._transport:
            abort(self._transport)

    async def flush(self, seconds: float) -> None:
        """Wait until what was sent is taken; ClientStalled where nothing of it is for so many seconds.

        Not where another request follows, which waits for this one's bytes itself.
        """
        left, pause, since = self.unsent, SHORT_PAUSE, time.monotonic()
        while left:
            if time.monotonic() - since > seconds:
                raise ClientStalled("The client did not take the end.")
            await asyncio.sleep(min(pause, seconds))
            pause = min(2 * pause, LONG_PAUSE)
            before, left = left, self.unsent
            if left < before:
                since = time.monotonic()

    @property
    def unsent(self) -> int:
        """Bytes that the server holds for the client; 0 where it does not tell."""
        if not self._transport or getattr(self._protocol, "cycle", None) is not self._cycle:
            return 0
        return self._transport.get_write_buffer_size()

    async def gone(self) -> None:
        """Wait until the server knows that an aborted connection is gone: then a return is no fault to it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GONE_SECONDS):
                while (await self._receive())["type"] != "http.disconnect":
                    continue


class Connections:
    """Every connection of one application, so that a stop waits for no client."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[Connection] = set()
        # The server's own, also of those that are idle or have asked for nothing.
        self._peers: Collection[Any] = ()

    def start(self) -> None:
        """Begin a lifespan, in its event loop."""
        self._loop = asyncio.get_running_loop()

    def open(self, scope: Scope, receive: Receive) -> Connection:
        """What carries this request; to be closed with it."""
        connection = Connection(scope, receive)
        self._open.add(connection)
        self._peers = connection.peers or self._peers
        return connection

    def close(self, connection: Connection) -> None:
        """The request has ended."""
        self._open.discard(connection)

    def break_off_after(self, seconds: float) -> None:
        """Abort whatever is still there in so many seconds; from any thread, or where a signal is heard."""
        if self._loop:
            self._loop.call_soon_threadsafe(
                self._loop.call_later, seconds + LAST_WORDS_SECONDS, self._break_off
            )

    def _break_off(self) -> None:
        failure: DownloadError = Stopping("The service is stopping.")
        for connection in list(self._open):
            connection.abort(failure)
        for peer in list(self._peers):
            abort(peer.transport)


def abort(transport: asyncio.Transport) -> None:
    """Reset a connection: a close would wait for the client, and look like a whole answer without length."""
    found: socket.socket | None = transport.get_extra_info("socket")
    if found is not None:
        # It may be closed by now: the loops say so in two ways.
        with suppress(OSError, ValueError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()
