"""Pages as HTTP: whether a request wants one, where this service is for it, and how a page is sent."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import compile_path

from application.api.negotiation import choose_coding
from application.api.state import client_of, settings_of
from application.client.contract import ALIAS, CATALOGUE_PAGE, CHOOSE, KEY_HEADER, PROGRESS
from application.errors import CodingUnacceptable
from application.formats.compression import CODINGS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from application.pages.addresses import Addresses
    from application.pages.problem import Told
    from application.pages.site import Site

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# What a map to move about in needs on top, on its page alone: its worker, and the origin of its style.
MAP_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' {origin}; font-src 'self'; "
    "connect-src 'self' {origin}; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# A worker has the policy that it was sent with: it asks for the style's tiles, and for the rows.
WORKER_POLICY = "default-src 'none'; connect-src 'self' {origin}"
# A page tells sizes and counts, which change as results are made.
FRESH_SECONDS = 60
VARY = "Accept, Accept-Encoding"
HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")
PAGES = tuple(compile_path(path)[0] for path in (CHOOSE, PROGRESS))
# A name without a dot: with one it is a download.
NAMED = re.compile(rf"{CATALOGUE_PAGE}|({ALIAS})?/[^/.]+")
NO_PAGES = frozenset({"/health", "/ready", "/metrics", "/events", "/docs", "/redoc"})
GZIP_LEVEL = 6


@cache
def site_of(folder: Path | None) -> Site:
    """The pages with what that folder has instead; read when a page is first asked for."""
    from application.pages.site import Site

    return Site(folder)


def wants_page(request: Request) -> bool:
    """True where a problem is told as a page: at a page's address, to who reads HTML."""
    scope = request.scope
    settings = scope.get("state", {}).get("settings")
    if settings is None or not settings.has_pages or scope["method"] not in {"GET", "HEAD"}:
        return False
    path = scope["path"]
    is_page = path not in NO_PAGES and (NAMED.fullmatch(path) or any(each.match(path) for each in PAGES))
    return bool(is_page) and _reads_html(request.headers.get("accept", ""))


def _reads_html(accept: str) -> bool:
    """True where HTML is named; `*/*`, which every client sends, asks for no page."""
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name == "text/html":
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False


def addresses_of(request: Request) -> Addresses:
    """Where this service is: PUBLIC_URL, else as the request says."""
    from application.pages.addresses import Addresses

    public = settings_of(request.scope).public_url
    if public:
        scheme, _, rest = public.partition("://")
        host, slash, root = rest.partition("/")
        return Addresses(f"{scheme}://{host}", slash + root)
    host = request.headers.get("host", "")
    scheme = "https" if client_of(request.scope).is_https else "http"
    known = host if HOST.fullmatch(host) else "localhost"
    return Addresses(f"{scheme}://{known}", request.scope.get("root_path", ""))


def page_response(
    request: Request,
    template: str,
    page: Any,
    status: int = 200,
    *,
    max_age: int = FRESH_SECONDS,
    has_map: bool = False,
    **more: Any,
) -> Response:
    """A page, or 304 where the client has it; takes a while, so not on the event loop.

    ``has_map`` where a map to move about in can be opened on it.
    """
    settings = settings_of(request.scope)
    text = site_of(settings.pages_dir).render(template, addresses_of(request).root, {"page": page, **more})
    policy = MAP_POLICY.format(origin=settings.map_origin) if has_map else POLICY
    headers = {"Content-Security-Policy": policy, "Vary": VARY, "Cross-Origin-Resource-Policy": "same-origin"}
    if status != HTTPStatus.OK:
        return HTMLResponse(text, status, {**headers, "Cache-Control": "no-store"})
    body = text.encode()
    tag = sha256(body).hexdigest()[:32]
    whose = "public" if settings.public_url and not settings.api_key else "private"
    headers |= {
        # Coded or not, it is the same page.
        "ETag": f'W/"{tag}"',
        "Cache-Control": f"{whose}, max-age={min(max_age, settings.cache_max_age)}",
    }
    if _has(request, tag):
        return Response(
            status_code=HTTPStatus.NOT_MODIFIED, headers=headers, media_type="text/html; charset=utf-8"
        )
    coded, more_headers = coded_for(request, body)
    return Response(coded, headers=headers | more_headers, media_type="text/html; charset=utf-8")


def coding_for(request: Request) -> str:
    """The coding in which this client takes what can be coded; raises CodingUnacceptable."""
    offered = CODINGS if settings_of(request.scope).has_codings else ()
    return choose_coding(request.headers.get("accept-encoding"), offered)


def coded_for(request: Request, body: bytes) -> tuple[bytes, dict[str, str]]:
    """A short body as the client takes it, and the fields that say so."""
    offered = ("gzip",) if settings_of(request.scope).has_codings else ()
    try:
        coding = choose_coding(request.headers.get("accept-encoding"), offered)
    except CodingUnacceptable:
        coding = ""
    if coding != "gzip":
        return body, {}
    import gzip

    return gzip.compress(body, GZIP_LEVEL, mtime=0), {"Content-Encoding": "gzip"}


def _has(request: Request, tag: str) -> bool:
    given = ", ".join(request.headers.getlist("if-none-match"))
    return given.strip() == "*" or f'"{tag}"' in given


def problem_as_page(
    request: Request, problem: Told, detail: str, details: Sequence[str], request_id: str
) -> Response:
    """A problem as a page, never stored by a cache."""
    from application.pages.problem import problem_page

    addresses = addresses_of(request)
    query = request.scope["query_string"].decode("latin-1")
    path = addresses.root + request.scope["path"] + (f"?{query}" if query else "")
    page = problem_page(
        problem,
        detail,
        details,
        root=addresses.root,
        address=addresses.absolute(path).replace("'", "%27"),
        key_header=KEY_HEADER,
        request_id=request_id,
    )
    return page_response(request, "problem.html", page, problem.status)
