"""Says who sent a request, once and at the edge: `scope["state"]`."""

import json
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from application.access.addresses import Client, TrustedProxies
from application.api.middleware.base import HttpMiddleware
from application.api.state import CLIENT, access_of

LAMBDA_CONTEXT = "x-amzn-request-context"
LAMBDA_PREFIX = b"x-amzn-"
# The context of what is no HTTP request, such as what the function sends itself.
NO_CONTEXT = "null"
# Where the kinds of events have the address: a Function URL or an HTTP API, and a REST API.
LAMBDA_ADDRESSES = (("http", "sourceIp"), ("identity", "sourceIp"))


class ClientMiddleware(HttpMiddleware):
    """Believes trusted proxies, and Lambda's headers on Lambda only: elsewhere anyone can write them."""

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = access_of(scope)
        if not access.on_lambda:
            kept = [item for item in scope["headers"] if not item[0].lower().startswith(LAMBDA_PREFIX)]
            scope = {**scope, "headers": kept}
        scope["state"][CLIENT] = find_client(scope, access.proxies)
        await self.app(scope, receive, send)


def find_client(scope: Scope, proxies: TrustedProxies) -> Client:
    """The client by the peer and, as far as they are believed, the headers.

    On Lambda the adapter is the peer, and tells what called the function; where it cannot, as behind a
    load balancer that appends to X-Forwarded-For, the last entry there is what called it. The adapter
    writes the context over whatever a client sent: so one that is null is the function's own call.
    """
    headers = Headers(scope=scope)
    forwarded_for = headers.getlist("x-forwarded-for")
    forwarded_proto = ",".join(headers.getlist("x-forwarded-proto")).rpartition(",")[2].strip().lower()
    peer = scope["client"][0] if scope.get("client") else ""
    scheme = scope.get("scheme", "http")
    context = headers.get(LAMBDA_CONTEXT)
    if context is not None:
        scheme = forwarded_proto or scheme
        source = _source(context)
        if source is None:
            *forwarded_for, source = ",".join(forwarded_for).split(",")
        peer = source.strip()
    found = proxies.client(peer or "unknown", forwarded_for, forwarded_proto, scheme)
    return replace(found, is_function=True) if context == NO_CONTEXT else found


def _source(context: str) -> str | None:
    """The address in the request context of Lambda's event, or None."""
    try:
        found: Any = json.loads(context)
        for outer, inner in LAMBDA_ADDRESSES:
            if isinstance(found.get(outer), dict) and isinstance(found[outer].get(inner), str):
                return str(found[outer][inner])
    except (AttributeError, ValueError):
        pass
    return None
