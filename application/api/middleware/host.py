"""HTTP/1.1 without its one Host field is no request (RFC 9112, 3.2); not every server says so."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from application.api.middleware.base import HttpMiddleware
from application.api.problems import problem_response, request_id


class HostMiddleware(HttpMiddleware):
    """400 where a request of HTTP/1.1 names no host, or several."""

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        count = sum(name.lower() == b"host" for name, _ in scope["headers"])
        if count == 1 or scope["http_version"] != "1.1":
            await self.app(scope, receive, send)
            return
        detail = f"An HTTP/1.1 request has one Host field, and this one has {count}."
        identity = request_id(Request(scope))
        response = problem_response(identity, HTTPStatus.BAD_REQUEST, "bad-request", detail)
        await response(scope, receive, send)
