"""A planned download as an ASGI response: when headers go out, how bytes follow, how it ends."""

import asyncio
from email.utils import format_datetime
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from application.download import Downloads, Plan, Request
from application.spool import Reader
from application.telemetry import logger

READ_BYTES = 1 << 20
# 200 stalled clients cost 423 MB with sends of 1 MB and 42 MB with these (docs/architecture.md).
SEND_BYTES = 64 << 10
MISSING_FIELDS_BYTES = 2048


class DownloadResponse(Response):
    """Streams a plan's bytes; HEAD and 304 run no query; a failure after headers breaks the connection."""

    def __init__(self, downloads: Downloads, request: Request, plan: Plan, max_age: int) -> None:
        super().__init__()
        self._downloads = downloads
        self._request = request
        self._plan = plan
        self._max_age = max_age

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _matches(Headers(scope=scope).get("if-none-match"), self._plan.e_tag):
            await self._start(send, 304, self._plan)
            await send({"type": "http.response.body", "body": b""})
        elif scope["method"] == "HEAD":
            await self._start(send, 200, self._plan)
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._follow(receive, send)

    async def _follow(self, receive: Receive, send: Send) -> None:
        """Send until the end, or until the client leaves: then nobody waits for the producer any more."""
        sending = asyncio.create_task(self._stream(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                logger.info("%s: the client left", self._plan.filename)
        finally:
            leaving.cancel()
            sending.cancel()
            results = await asyncio.gather(sending, leaving, return_exceptions=True)
        failure = results[0]
        if isinstance(failure, Exception):
            raise failure

    async def _stream(self, send: Send) -> None:
        plan, reader = await self._downloads.start(self._request, self._plan)
        with reader:
            await self._start(send, 200, plan)
            await self._send_all(send, reader)

    async def _send_all(self, send: Send, reader: Reader) -> None:
        while data := memoryview(await reader.read(READ_BYTES)):
            for start in range(0, len(data), SEND_BYTES):
                body = bytes(data[start : start + SEND_BYTES])
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send, status: int, plan: Plan) -> None:
        headers = {
            "ETag": f'"{plan.e_tag}"',
            "Last-Modified": format_datetime(plan.dataset.last_modified, usegmt=True),
            "Cache-Control": f"public, max-age={self._max_age}",
            "Vary": "Accept-Encoding",
        }
        if status != 304:
            headers["Content-Type"] = plan.format.media_type
            headers["Content-Disposition"] = f'attachment; filename="{plan.filename}"'
            headers["X-Content-Type-Options"] = "nosniff"
            if plan.query.missing:
                headers["X-Missing-Fields"] = missing_fields(plan.query.missing)
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})


def missing_fields(names: tuple[str, ...]) -> str:
    """Names percent-encoded and joined by commas, as many whole ones as the header may hold."""
    shown = ""
    for name in names:
        longer = f"{shown},{quote(name, safe='')}" if shown else quote(name, safe="")
        if len(longer) > MISSING_FIELDS_BYTES:
            break
        shown = longer
    return shown


def _matches(header: str | None, e_tag: str) -> bool:
    """RFC 9110 13.1.2: weak comparison with any of the list, or `*`."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return header.strip() == "*" or e_tag in tags


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
