"""A span for each request, around all that is done for it."""

from starlette.types import Receive, Scope, Send

from application.api.middleware.base import HttpMiddleware
from application.telemetry.facts import LONGEST_PATH, facts_of
from application.telemetry.tracing import request_span, trace_id


class TracingMiddleware(HttpMiddleware):
    """Outside the access log, whose facts it adds to the span; free where no traces are sent."""

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        attributes = {"http_request_method": scope["method"], "url_path": scope["path"][:LONGEST_PATH]}
        with request_span(scope["method"], scope["headers"], **attributes) as span:
            facts = facts_of(scope)
            facts.trace_id = trace_id()
            try:
                await self.app(scope, receive, send)
            finally:
                for name, value in facts.attributes().items():
                    span.set_attribute(name, value)
