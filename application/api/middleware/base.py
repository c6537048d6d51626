"""What surrounds requests by HTTP, and lets all else through: the lifespan, above all."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HttpMiddleware:
    """Plain ASGI: a middleware says in ``surround`` what it does around a request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.surround(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer the request, or answer it."""
        raise NotImplementedError
