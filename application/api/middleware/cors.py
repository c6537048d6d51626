"""CORS with the origins of the settings in force, which a middleware's constructor cannot know yet."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from application.api.forms import METHODS
from application.api.state import settings_of

# What a script may read of a response; what is not here is for browsers and proxies.
EXPOSED = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Length",
    "Content-Location",
    "Content-Range",
    "ETag",
    "Last-Modified",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Repr-Digest",
    "Retry-After",
    "WWW-Authenticate",
    "X-CRS-Accuracy",
    "X-Dataset",
    "X-Format",
    "X-Missing-Fields",
    "X-Request-ID",
)


class SettingsCORSMiddleware:
    """Starlette's CORS middleware, made anew when the origins change."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._made: tuple[tuple[str, ...], ASGIApp] = ((), app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = settings_of(scope).cors_origins if scope["type"] == "http" else ()
        if origins != self._made[0]:
            self._made = (origins, self._wrap(origins) if origins else self.app)
        await self._made[1](scope, receive, send)

    def _wrap(self, origins: tuple[str, ...]) -> ASGIApp:
        return CORSMiddleware(
            self.app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", *METHODS),
            allow_headers=("*",),
            expose_headers=EXPOSED,
        )
