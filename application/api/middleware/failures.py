"""Whatever nobody expected: a 500 problem before the first byte, a broken connection after it."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.api.problems import INTERNAL, download_error, problem_code, request_id, unexpected
from application.errors import lack
from application.telemetry import logger
from application.telemetry.facts import facts_of

# Of these the access line says all that there is.
UNCAUSED = frozenset({"client-stalled", "stopping"})
# A production logs why it failed, once for all its readers.
PRODUCED = frozenset({"made", "joined"})


class FailureMiddleware:
    """Inside CORS, so that a browser can read the problem; the cause goes to the log alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if scope["type"] != "http":
                raise
            identity = request_id(Request(scope))
            if started:
                if not _is_told(scope, code := problem_code(error)):
                    found = {"request_id": identity, "code": code}
                    logger.error("broken off", exc_info=error.__cause__ or error, extra=found)
                raise
            if busy := lack(error):
                await (await download_error(Request(scope), busy))(scope, receive, send)
                return
            found = {"request_id": identity, "code": INTERNAL}
            logger.error("unexpected failure", exc_info=error, extra=found)
            await unexpected(Request(scope))(scope, receive, send)


def _is_told(scope: Scope, code: str) -> bool:
    """True where another line says why this response is broken off."""
    return code in UNCAUSED or (code != INTERNAL and facts_of(scope).source in PRODUCED)
