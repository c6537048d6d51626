"""A content to a client, as fast as it takes it; one that takes nothing holds little."""

import asyncio
from contextlib import closing

from starlette.types import Message, Send

from application.api.connections import Connection
from application.downloads.content import Content

# What is read costs a hop to a thread, so it is much; what is sent may have to wait, so it is less.
READ_BYTES = 1 << 20
PIECE_BYTES = 256 << 10
# Who has not taken by then what was read is slow; it is read again when its turn comes.
HELD_SECONDS = 0.1
# The server takes it once there is place for more, and sends nothing of it.
NOTHING: Message = {"type": "http.response.body", "body": b"", "more_body": True}


class Ahead:
    """The next bytes of a content, read in one hop, and given up where they are not taken soon."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._data = memoryview(b"")
        self._timer: asyncio.TimerHandle | None = None

    async def next(self, size: int) -> bytes:
        """At most so many bytes at the content's place, which is to be moved on once they are sent."""
        if not self._data:
            self._data = memoryview(await self._content.look(READ_BYTES))
            if len(self._data) > size:
                self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._drop)
        # A copy: uvloop keeps what it could not send, and a view would hold what lies beside it.
        piece, self._data = bytes(self._data[:size]), self._data[size:]
        if not self._data:
            self.close()
        return piece

    def close(self) -> None:
        """Hold nothing any more."""
        if self._timer:
            self._timer.cancel()
        self._drop()

    def _drop(self) -> None:
        self._data, self._timer = memoryview(b""), None


async def send_content(content: Content, send: Send, connection: Connection) -> None:
    """Send all that is left of it, but not the end; raises what reading and sending raise."""
    with closing(Ahead(content)) as ahead:
        while piece := await ahead.next(PIECE_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            content.move(len(piece))
            del piece
            if connection.unsent:
                # The next piece is not made before there is place for it.
                await send(NOTHING)
