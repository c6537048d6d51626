"""Answers 429 to a client that asks too often, and tells every client how much is left."""

from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from application.access.rates import Limit, Quota
from application.api.caller import identity
from application.api.middleware.paths import is_counted
from application.api.problems import problem_response, request_id
from application.lifespan import Lifespan


class RateLimitMiddleware:
    """Outside the API key, so that guesses at keys count too; nothing where RATE_LIMIT is not set.

    The header fields are those of draft-ietf-httpapi-ratelimit-headers, from its eighth version on.
    """

    def __init__(self, app: ASGIApp, lifespan: Lifespan) -> None:
        self.app = app
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._lifespan.access if scope["type"] == "http" else None
        if not access or not access.limiter or not is_counted(scope):
            await self.app(scope, receive, send)
            return
        verdict = await access.limiter.hit(identity(scope, access))
        told = {
            "RateLimit-Policy": ", ".join(_policy(limit) for limit in access.limiter.limits),
            "RateLimit": ", ".join(_left(quota) for quota in verdict.quotas),
        }
        if not verdict.is_allowed:
            refusing = verdict.quotas[-1]
            amount, _, window = refusing.limit.name.partition("/")
            detail = f"More than {amount} requests per {window}; try again in {refusing.reset_seconds} s."
            headers = told | {"Retry-After": str(refusing.reset_seconds)}
            response = problem_response(
                request_id(Request(scope)), HTTPStatus.TOO_MANY_REQUESTS, "rate-limited", detail, headers
            )
            await response(scope, receive, send)
            return

        async def send_with_quotas(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        await self.app(scope, receive, send_with_quotas)


def _policy(limit: Limit) -> str:
    return f'"{limit.name}";q={limit.amount};w={limit.seconds}'


def _left(quota: Quota) -> str:
    return f'"{quota.limit.name}";r={quota.remaining};t={quota.reset_seconds}'
