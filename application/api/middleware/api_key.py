"""Asks for a key where keys are set."""

from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.api.caller import api_key
from application.api.middleware.paths import is_open
from application.api.problems import problem_response, request_id
from application.lifespan import Lifespan

# No scheme is registered for keys in a header of their own; a browser asks nobody for this one.
CHALLENGE = 'ApiKey realm="download-lambda"'
DETAIL = "This service needs a key in the header x-api-key, and there is none in it that it knows."


class ApiKeyMiddleware:
    """401 without a good `x-api-key`; what is sent with one is for its owner's cache alone."""

    def __init__(self, app: ASGIApp, lifespan: Lifespan) -> None:
        self.app = app
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (keys := self._lifespan.access.keys):
            await self.app(scope, receive, send)
            return
        if not is_open(scope) and api_key(scope, keys) is None:
            response = problem_response(
                request_id(Request(scope)),
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                DETAIL,
                {"WWW-Authenticate": CHALLENGE},
            )
            await response(scope, receive, send)
            return

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Shared caches know nothing of x-api-key: they would give it to those who have none.
                if "cache-control" in headers:
                    headers["cache-control"] = headers["cache-control"].replace("public", "private")
            await send(message)

        await self.app(scope, receive, send_private)
