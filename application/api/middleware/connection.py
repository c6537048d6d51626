"""Breaks connections off: of what fails after its headers, and of clients that take nothing."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.api.connections import Connections
from application.api.middleware.base import HttpMiddleware
from application.api.state import CONNECTION, settings_of
from application.errors import ClientStalled


class ConnectionMiddleware(HttpMiddleware):
    """Outside of all that is to see the failure; nothing further out may wrap ``receive``.

    Where the server lets no connection be broken off, the failure is raised for it to do what it does.
    """

    def __init__(self, app: ASGIApp, connections: Connections) -> None:
        super().__init__(app)
        self._connections = connections

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        seconds, started = settings_of(scope).client_stall_seconds, False
        connection = self._connections.open(scope, receive)
        scope["state"][CONNECTION] = connection

        async def send_in_time(message: Message) -> None:
            nonlocal started
            # Before it is sent: what waits behind an earlier response cannot be refused any more either.
            started = True
            try:
                async with asyncio.timeout(seconds):
                    await send(message)
            except TimeoutError:
                raise ClientStalled("The client took nothing for too long.") from None
            except Exception:
                if not connection.failure:
                    raise
            if connection.failure:
                # Of pipelined requests uvicorn tells only the last that their connection is gone.
                raise connection.failure

        try:
            await self.app(scope, receive, send_in_time)
        except (Exception, asyncio.CancelledError) as error:
            # A server that waits no longer cancels, and would tell of it as of a fault.
            stopped = isinstance(error, asyncio.CancelledError)
            if not (connection.can_abort and (started or stopped or connection.failure)):
                raise
            connection.abort(error)
            await connection.gone()
        finally:
            self._connections.close(connection)
