"""One line and one count a request, when it has ended, however it ended."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.api.middleware.base import HttpMiddleware
from application.api.problems import problem_code
from application.api.state import client_of, connection_of, settings_of
from application.lifespan import Lifespan
from application.telemetry.facts import (
    ABORTED,
    CANCELLED,
    COMPLETE,
    LONGEST_PATH,
    NOT_MODIFIED,
    REFUSED,
    RequestFacts,
    facts_of,
)


class AccessLogMiddleware(HttpMiddleware):
    """Watches what goes out and in; handlers add what only they know to the request's facts."""

    def __init__(self, app: ASGIApp, lifespan: Lifespan) -> None:
        super().__init__(app)
        self._lifespan = lifespan

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        facts = facts_of(scope)
        facts.method, facts.path = scope["method"], scope["path"][:LONGEST_PATH]
        length, ended, gone = -1, False, False

        async def watch_leaving() -> Message:
            nonlocal gone
            message = await receive()
            # After the end every client is gone.
            gone = gone or (message["type"] == "http.disconnect" and not ended)
            return message

        async def watch(message: Message) -> None:
            nonlocal length, ended
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                facts.status, facts.coding = message["status"], headers.get("content-encoding")
                facts.first_byte = time.monotonic() - began
                length = int(headers.get("content-length", -1))
            elif message["type"] == "http.response.body":
                size = len(message.get("body", b"")) if scope["method"] != "HEAD" and not gone else 0
                # A client that knows the length is done before the message that says so.
                ended = ended or not message.get("more_body", False) or facts.bytes + size == length
                facts.bytes += size
            await send(message)

        settings, connection = settings_of(scope), connection_of(scope)
        self._lifespan.observer.begin(settings.metrics)
        try:
            await self.app(scope, watch_leaving, watch)
            if ended:
                await connection.flush(settings.client_stall_seconds)
            if connection.failure:
                raise connection.failure
        except BaseException as error:
            # A server that stops waits no longer, and cancels.
            stopped = isinstance(error, asyncio.CancelledError)
            facts.outcome, facts.code = ABORTED, "stopping" if stopped else problem_code(error)
            raise
        else:
            facts.outcome = _outcome(facts.status, gone=gone, ended=ended)
        finally:
            facts.duration = time.monotonic() - began
            if facts.outcome != COMPLETE:
                facts.rows = None
            _identify(facts, scope)
            self._lifespan.observer.end(facts, settings.metrics, settings.aws_lambda_function_name)


def _outcome(status: int | None, *, gone: bool, ended: bool) -> str:
    if gone:
        return CANCELLED
    if status is None or not ended:
        return ABORTED
    if status == 304:
        return NOT_MODIFIED
    return REFUSED if status >= 400 else COMPLETE


def _identify(facts: RequestFacts, scope: Scope) -> None:
    """Add what other middleware has found."""
    facts.request_id = scope["state"].get("request_id", "")
    facts.client = client_of(scope).address
