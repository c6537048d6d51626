"""Answers 429 to a client that has too many downloads at the same time."""

import asyncio
from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from application.access.client_downloads import ClientDownloads
from application.api.caller import identity
from application.api.middleware.paths import is_download
from application.api.problems import RETRY_SECONDS, problem_response, request_id
from application.lifespan import Lifespan

# A client that has read the last byte asks again before the server has put everything away.
TRIES, PAUSE_SECONDS = 6, 0.05
DETAIL = "This client has as many downloads at the same time as it may; try again when one has ended."


class ClientDownloadsMiddleware:
    """A download has its place until its response ends, in whatever way."""

    def __init__(self, app: ASGIApp, lifespan: Lifespan) -> None:
        self.app = app
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._lifespan.access if scope["type"] == "http" else None
        if not access or not access.downloads or not is_download(scope):
            await self.app(scope, receive, send)
            return
        client = identity(scope, access)
        if not await _take(access.downloads, client):
            response = problem_response(
                request_id(Request(scope)),
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-downloads",
                DETAIL,
                {"Retry-After": str(RETRY_SECONDS)},
            )
            await response(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            access.downloads.give_back(client)


async def _take(downloads: ClientDownloads, client: str) -> bool:
    """Take a place, also one that becomes free within a moment."""
    for _ in range(TRIES):
        if downloads.take(client):
            return True
        await asyncio.sleep(PAUSE_SECONDS)
    return False
