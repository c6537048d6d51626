"""A planned download as an ASGI response: when headers go out, how bytes follow, how it ends."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import nullcontext
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from application.api.disconnect import unless_gone
from application.api.forms import METHODS, location
from application.api.places import download_place
from application.api.sending import send_content
from application.api.state import asker_of, connection_of
from application.client.contract import DESCRIPTION
from application.downloads.answer import Answer, Kind
from application.downloads.limits import Limits
from application.formats.compression import IDENTITY
from application.query.shown import shown_filters
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.downloads.answers import Answers
    from application.downloads.conditions import Conditions
    from application.downloads.content import Content
    from application.downloads.plan import Plan, Request
    from application.downloads.redirects import Redirects
    from application.downloads.terms import Terms

MISSING_FIELDS_BYTES = 2048


class DownloadResponse(Response):
    """Answers one request for a plan; a failure after the headers breaks the connection.

    ``limits`` makes every result whole before its headers, for places where an abort cannot be seen.
    ``max_age`` is the seconds for which caches keep it. ``with_charset``: it says so where it is text.
    """

    def __init__(
        self,
        answers: Answers,
        request: Request,
        plan: Plan,
        conditions: Conditions,
        *,
        limits: Limits | None,
        redirects: Redirects,
        max_age: int,
        with_charset: bool,
    ) -> None:
        super().__init__()
        self._answers = answers
        self._request = request
        self._plan = plan
        self._conditions = conditions
        self._limits = limits
        self._redirects = redirects
        self._max_age = max_age
        self._with_charset = with_charset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        facts = facts_of(scope)
        facts.filters, facts.e_tag = shown_filters(self._plan.query), self._plan.e_tag
        await unless_gone(self._answer(scope, receive, send), receive)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        terms = self._terms(scope)
        # A GET has its place already; of the others only what makes something is a download.
        is_unplaced = terms.is_head and self._answers.makes(self._plan, terms)
        async with download_place(scope) if is_unplaced else nullcontext():
            answer = await self._answers.start(self._request, self._plan, terms, self._redirects)
        facts_of(scope).e_tag = answer.plan.e_tag
        await self._send_answer(scope, receive, send, answer)

    def _terms(self, scope: Scope) -> Terms:
        # What only a download needs would hold up the start.
        from application.downloads.terms import Terms

        is_head, limits = scope["method"] == "HEAD", self._limits
        if limits is None and not is_head and scope["http_version"] == "1.0":
            # An abort to such a client is a clean end to it: there, too, the whole comes first.
            limits = Limits()
        return Terms(self._conditions, limits, is_head, asker_of(scope))

    async def _send_answer(self, scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
        if answer.kind is Kind.REDIRECT:
            facts_of(scope).source = "redirect"
            await redirect_response(str(answer.location), scope["method"])(scope, receive, send)
        elif answer.kind is Kind.NOT_MODIFIED:
            await self._start(send, 304, answer.plan, {})
            await send({"type": "http.response.body", "body": b""})
        elif scope["method"] == "HEAD":
            with answer.content or nullcontext():
                await self._start(send, 200, answer.plan, _known(answer))
            await send({"type": "http.response.body", "body": b""})
        elif answer.content:
            with answer.content as content:
                await self._stream(scope, send, answer, content)

    async def _stream(self, scope: Scope, send: Send, answer: Answer, content: Content) -> None:
        facts, is_whole = facts_of(scope), answer.part is None
        facts.source = content.source
        facts.rows = content.rows if is_whole else None
        known = _known(answer)
        if scope["method"] in METHODS:
            # By a form no range is had; where GET has the same, it has them.
            known.pop("Accept-Ranges", None)
            known |= location(scope["path"], self._request.parameters)
        await self._start(send, 200 if is_whole else 206, answer.plan, known)
        await send_content(content, send, connection_of(scope))
        content.close()
        facts.rows = content.rows if is_whole else None
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send, status: int, plan: Plan, known: dict[str, str]) -> None:
        headers = {
            "ETag": f'"{plan.e_tag}"',
            "Last-Modified": format_datetime(plan.dataset.last_modified, usegmt=True),
            "Cache-Control": f"public, max-age={plan.max_age(self._max_age)}",
            "Vary": "Accept-Encoding",
            # On a 304 too: the Lambda adapter would add another, and caches take over what a 304 says.
            "Content-Type": plan.format.content_type(with_charset=self._with_charset),
            "X-Dataset": plan.dataset.name,
            "X-Format": plan.format.extension,
            "Link": f'<{DESCRIPTION.format(dataset=plan.dataset.name)}>; rel="describedby"',
        }
        if status != 304:
            headers["Content-Disposition"] = f'attachment; filename="{plan.filename}"'
            if plan.coding != IDENTITY:
                headers["Content-Encoding"] = plan.coding
            if plan.missing:
                headers["X-Missing-Fields"] = missing_fields(plan.missing)
            if accuracy := plan.crs_accuracy:
                headers["X-CRS-Accuracy"] = accuracy
        headers |= known
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})


def redirect_response(url: str, method: str) -> Response:
    """To a signed address, which is not to be kept; with a body, for empty ones have hung behind Lambda.

    It is signed for GET, so those who ask by a form are told to use that there.
    """
    status = 303 if method in METHODS else 307
    headers = {"Location": url, "Cache-Control": "no-store"}
    return Response(json.dumps({"location": url}), status, headers, media_type="application/json")


def missing_fields(names: tuple[str, ...]) -> str:
    """Names percent-encoded and joined by commas, as many whole ones as the header may hold."""
    shown = ""
    for name in names:
        longer = f"{shown},{quote(name, safe='')}" if shown else quote(name, safe="")
        if len(longer) > MISSING_FIELDS_BYTES:
            break
        shown = longer
    return shown


def _known(answer: Answer) -> dict[str, str]:
    """What can be said of a whole result: its length, its digest (RFC 9530), and that it has ranges."""
    content = answer.content
    if content is None or content.size is None:
        return {}
    headers = {"Content-Length": str(content.size)}
    if answer.has_ranges:
        headers["Accept-Ranges"] = "bytes"
    if content.digest is not None:
        headers["Repr-Digest"] = f"sha-256=:{b64encode(content.digest).decode()}:"
    if answer.part:
        start, end = answer.part
        headers["Content-Length"] = str(end - start)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    return headers
