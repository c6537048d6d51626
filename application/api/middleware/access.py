"""Who may ask, and how much: rates first, then keys, then a place among a client's downloads."""

from collections.abc import Mapping
from contextlib import AsyncExitStack, nullcontext

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from application.access.access import Access
from application.access.rates import Limit, Quota, Verdict
from application.api.middleware.base import HttpMiddleware
from application.api.middleware.paths import is_counted, is_download, is_open
from application.api.places import download_place
from application.api.problems import download_error
from application.api.state import ASKER, access_of, client_of
from application.client.contract import KEY_HEADER
from application.errors import DownloadError, KeyRefused, RateExceeded

# No part of a value by RFC 9110, but llhttp leaves those at its end.
BLANKS = " \t"


class AccessMiddleware(HttpMiddleware):
    """Refuses what settings of access forbid; off is what is not set.

    Rates go before keys, so that guesses at keys count too. A download has its place until its response
    ends, in whatever way. What is sent with a key is for its owner's cache alone.
    """

    async def surround(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = access_of(scope)
        key = _find_key(scope, access)
        asker = f"key:{key}" if key else f"address:{client_of(scope).network}"
        scope["state"][ASKER] = asker
        if not (access.limiter or access.keys or access.downloads):
            await self.app(scope, receive, send)
            return
        told: Mapping[str, str] = {}
        stack = AsyncExitStack()

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(told)
                # Shared caches know nothing of a key's header: they would give it to those who have none.
                if access.keys and "cache-control" in headers:
                    headers["cache-control"] = headers["cache-control"].replace("public", "private")
            await send(message)

        try:
            if access.limiter and is_counted(scope):
                verdict = await access.limiter.hit(asker)
                told = _rate_headers(access.limiter.limits, verdict)
                _check_rate(verdict)
            if access.keys and not key and not is_open(scope):
                raise KeyRefused(
                    f"This service needs a key in the header {KEY_HEADER}, "
                    "and there is none in it that it knows."
                )
            place = download_place(scope) if is_download(scope) else nullcontext()
            await stack.enter_async_context(place)
        except DownloadError as error:
            await (await download_error(Request(scope), error))(scope, receive, send_told)
            return
        async with stack:
            await self.app(scope, receive, send_told)


def _find_key(scope: Scope, access: Access) -> str | None:
    """The name of the one good key of a request, which tells nothing of the key itself, or None.

    A bad key is nobody's, or each guess at one would be a new client.
    """
    given = Headers(scope=scope).getlist(KEY_HEADER) if access.keys else ()
    return access.keys.find(given[0].strip(BLANKS).encode("latin-1")) if len(given) == 1 else None


def _check_rate(verdict: Verdict) -> None:
    if verdict.is_allowed:
        return
    refusing = verdict.quotas[-1]
    amount, _, window = refusing.limit.name.partition("/")
    seconds = refusing.reset_seconds
    raise RateExceeded(f"More than {amount} requests per {window}; try again in {seconds} s.", seconds)


def _rate_headers(limits: tuple[Limit, ...], verdict: Verdict) -> dict[str, str]:
    """The fields of draft-ietf-httpapi-ratelimit-headers, from its eighth version on."""
    return {
        "RateLimit-Policy": ", ".join(_policy(limit) for limit in limits),
        "RateLimit": ", ".join(_left(quota) for quota in verdict.quotas),
    }


def _policy(limit: Limit) -> str:
    return f'"{limit.name}";q={limit.amount};w={limit.seconds}'


def _left(quota: Quota) -> str:
    return f'"{quota.limit.name}";r={quota.remaining};t={quota.reset_seconds}'
