"""CORS with the origins of the settings in force, which a middleware's constructor cannot know yet."""

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.service import Services

EXPOSED = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Last-Modified",
    "RateLimit",
    "RateLimit-Policy",
    "Repr-Digest",
    "Retry-After",
    "X-Missing-Fields",
    "X-Request-ID",
)


class SettingsCORSMiddleware:
    """Starlette's CORS middleware, made anew when the origins change.

    Starlette says nothing of CORS to a request without an origin. A cache would give that answer to a
    browser, too, which would not let its script read it; so here every answer is good for both.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self._services = services
        self._made: tuple[tuple[str, ...], ASGIApp] = ((), app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = self._services.settings.cors_origins if scope["type"] == "http" else ()
        if origins != self._made[0]:
            self._made = (origins, self._wrap(origins) if origins else self.app)

        async def send_for_caches(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "*" in origins:
                    headers.setdefault("Access-Control-Allow-Origin", "*")
                    headers.setdefault("Access-Control-Expose-Headers", ", ".join(EXPOSED))
                else:
                    headers.add_vary_header("Origin")
            await send(message)

        await self._made[1](scope, receive, send_for_caches if origins else send)

    def _wrap(self, origins: tuple[str, ...]) -> ASGIApp:
        return CORSMiddleware(
            self.app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD"),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
