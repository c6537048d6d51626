"""How `serve` speaks HTTP: as uvicorn does, and also to clients that close their half after the request."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from application.telemetry.traffic import traffic

# A client that has left frees what it asked for within a second.
LOOK_SECONDS = 0.75


class HttpProtocol(HttpToolsProtocol):
    """Answers after a half-close as long as that shows that somebody is there.

    TCP tells of a client that has left as of one that only says no more. So what comes within a moment is
    sent, to which a client that has left answers by a reset; where it takes nothing for a moment, it counts
    as gone. uvicorn's own protocol takes each for gone at once; so does this one under TLS, and where the
    system does not tell what a client has taken.
    """

    _is_half_closed = False

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more; True keeps the connection for what it waits for."""
        last: RequestResponseCycle | None = self.cycle
        taken = self._taken()
        if self.scheme != "http" or last is None or last.response_complete or taken is None:
            return None
        last.keep_alive = False
        if not self._is_half_closed:
            self._is_half_closed = True
            self.loop.call_later(LOOK_SECONDS, self._look, taken)
        return True

    def _look(self, before: int) -> None:
        if self.transport.is_closing():
            return
        taken = self._taken()
        # What waits to be taken has a limit of its own.
        if taken is None or (taken == before and not self.transport.get_write_buffer_size()):
            self.transport.close()
        else:
            self.loop.call_later(LOOK_SECONDS, self._look, taken)

    def _taken(self) -> int | None:
        """How many bytes the client has taken so far, or None where nobody knows."""
        found: Any = self.transport.get_extra_info("socket")
        try:
            return traffic(found)[0]
        except (OSError, ValueError):
            return None
