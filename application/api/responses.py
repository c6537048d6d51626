"""A planned download as an ASGI response: when headers go out, how bytes follow, how it ends."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from application.api.conditional import Validators, is_not_modified, wanted_range
from application.api.disconnect import unless_gone
from application.downloads.limits import Limits
from application.downloads.stored import ObjectReader
from application.errors import AnswerTooLarge, ClientStalled
from application.formats.compression import IDENTITY
from application.models import Query
from application.spool import Reader
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.downloads.downloads import Downloads
    from application.downloads.exports import Exports
    from application.downloads.plan import Plan, Request

# Read and sent in one piece: it is what a stalled client holds (docs/performance.md).
PIECE_BYTES = 64 << 10
MISSING_FIELDS_BYTES = 2048
MOST_SHOWN_FILTERS = 20
SHOWN_FILTER_LENGTH = 100


class DownloadResponse(Response):
    """Streams a plan's bytes; HEAD and 304 run no query; a failure after headers breaks the connection.

    ``limits`` makes every result whole before its headers, for places where an abort cannot be seen.
    What they refuse is answered by a redirect to its export, where there are ``exports``.
    """

    def __init__(
        self,
        downloads: Downloads,
        request: Request,
        plan: Plan,
        *,
        max_age: int,
        stall_seconds: float,
        limits: Limits | None,
        exports: Exports | None,
    ) -> None:
        super().__init__()
        self._downloads = downloads
        self._request = request
        self._plan = plan
        self._max_age = max_age
        self._limits = limits
        self._exports = exports
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        facts = facts_of(scope)
        facts.filters, facts.e_tag = shown_filters(self._plan.query), self._plan.e_tag
        if is_not_modified(headers, _validators(self._plan)):
            await self._start(send, 304, self._plan, {})
            await send({"type": "http.response.body", "body": b""})
        elif scope["method"] == "HEAD":
            await self._answer_head(send)
        else:
            # An abort to an HTTP/1.0 client is a clean end to it: there, too, the whole comes first.
            limits = self._limits or (Limits() if scope["http_version"] == "1.0" else None)
            try:
                await unless_gone(self._stream(scope, send, limits), receive)
            except AnswerTooLarge:
                if self._exports is None:
                    raise
                url = await asyncio.to_thread(self._exports.url, self._request, self._plan)
                facts.source = "redirect"
                await redirect_response(url)(scope, receive, send)

    async def _answer_head(self, send: Send) -> None:
        reader = self._downloads.finished(self._plan)
        known = {}
        if reader is not None:
            with reader:
                known = _whole_headers(reader)
        await self._start(send, 200, self._plan, known)
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, scope: Scope, send: Send, limits: Limits | None) -> None:
        """Send everything."""
        headers, facts = Headers(scope=scope), facts_of(scope)
        status, known = 200, dict[str, str]()

        def narrow(plan: Plan, reader: Reader | ObjectReader) -> None:
            nonlocal status, known
            # Once more: the plan may be of another version than the one that was compared.
            is_not_modified(headers, _validators(plan))
            known = _whole_headers(reader)
            if reader.size is None or not (wanted := wanted_range(headers, _validators(plan), reader.size)):
                return
            start, end = wanted
            reader.cut(start, end)
            status = 206
            known["Content-Length"] = str(end - start)
            known["Content-Range"] = f"bytes {start}-{end - 1}/{reader.size}"

        plan, reader = await self._downloads.start(self._request, self._plan, narrow, limits)
        with reader:
            facts.source, facts.e_tag = reader.source, plan.e_tag
            facts.rows = _rows(plan, reader, status)
            await self._start(send, status, plan, known)
            while body := await reader.read(PIECE_BYTES):
                await self._send(send, {"type": "http.response.body", "body": body, "more_body": True})
        facts.rows = _rows(plan, reader, status)
        await self._send(send, {"type": "http.response.body", "body": b""})

    async def _send(self, send: Send, message: Message) -> None:
        """Send, or give up on a client that takes nothing for too long."""
        try:
            async with asyncio.timeout(self._stall_seconds):
                await send(message)
        except TimeoutError:
            raise ClientStalled("The client took nothing for too long.") from None

    async def _start(self, send: Send, status: int, plan: Plan, known: dict[str, str]) -> None:
        headers = {
            "ETag": f'"{plan.e_tag}"',
            "Last-Modified": format_datetime(plan.dataset.last_modified, usegmt=True),
            "Cache-Control": f"public, max-age={self._max_age}",
            "Vary": "Accept-Encoding",
            # On a 304 too: the Lambda adapter would add another, and caches take over what a 304 says.
            "Content-Type": plan.format.media_type,
        }
        if status != 304:
            headers["Content-Disposition"] = f'attachment; filename="{plan.filename}"'
            if plan.coding != IDENTITY:
                headers["Content-Encoding"] = plan.coding
            if plan.query.missing:
                headers["X-Missing-Fields"] = missing_fields(plan.query.missing)
        headers |= known
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})


def redirect_response(url: str) -> Response:
    """To a signed address, which is not to be kept; with a body, for empty ones have hung behind Lambda."""
    body = json.dumps({"location": url})
    return Response(body, 307, {"Location": url, "Cache-Control": "no-store"}, media_type="application/json")


def shown_filters(query: Query) -> tuple[str, ...]:
    """The filters for the log, in the order of the query, as many and as much of each as a line can bear."""
    shown = [
        f"{item.column.name}__{item.operator}={','.join(item.values)}"
        for item in query.filters[:MOST_SHOWN_FILTERS]
    ]
    return tuple(
        text if len(text) <= SHOWN_FILTER_LENGTH else text[: SHOWN_FILTER_LENGTH - 1] + "…" for text in shown
    )


def missing_fields(names: tuple[str, ...]) -> str:
    """Names percent-encoded and joined by commas, as many whole ones as the header may hold."""
    shown = ""
    for name in names:
        longer = f"{shown},{quote(name, safe='')}" if shown else quote(name, safe="")
        if len(longer) > MISSING_FIELDS_BYTES:
            break
        shown = longer
    return shown


def _whole_headers(reader: Reader | ObjectReader) -> dict[str, str]:
    """What can be said of a whole result: its length, its digest (RFC 9530), and that it has ranges."""
    if reader.size is None:
        return {}
    headers = {"Content-Length": str(reader.size), "Accept-Ranges": "bytes"}
    if reader.digest is not None:
        headers["Repr-Digest"] = f"sha-256=:{b64encode(reader.digest).decode()}:"
    return headers


def _rows(plan: Plan, reader: Reader | ObjectReader, status: int) -> int | None:
    """Rows of the answer for the log, where all of the result is sent and they are known by now."""
    if status != 200:
        return None
    return plan.dataset.rows if isinstance(reader, ObjectReader) else reader.rows


def _validators(plan: Plan) -> Validators:
    return Validators(plan.e_tag, plan.dataset.last_modified)
