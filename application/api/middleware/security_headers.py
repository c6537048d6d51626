"""Headers that keep browsers from doing more with a response than is meant."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from application.api.middleware.base import HttpMiddleware
from application.api.state import client_of

HEADERS = {
    # A CSV that looks like HTML is still a CSV.
    "X-Content-Type-Options": "nosniff",
    # A query may tell whom somebody looks for; no other site needs to know.
    "Referrer-Policy": "no-referrer",
    # Data runs nothing, loads nothing and is shown in nobody's frame.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # The data is for the pages of others, also for those that isolate themselves (COEP).
    "Cross-Origin-Resource-Policy": "cross-origin",
}
# Both pages make their own styles as they go, and Redoc its worker.
DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:"
)
POLICIES = {"/docs": DOCS_POLICY, "/redoc": DOCS_POLICY}
# A year, for this host alone: the domain's others are not ours to bind.
STRICT_TRANSPORT = "max-age=31536000"


class SecurityHeadersMiddleware(HttpMiddleware):
    """Adds what a response has not set itself; Strict-Transport-Security where the request came by https."""

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"] in POLICIES:
                    headers.setdefault("Content-Security-Policy", POLICIES[scope["path"]])
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if client_of(scope).is_https:
                    headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
            await send(message)

        await self.app(scope, receive, send_safe)
