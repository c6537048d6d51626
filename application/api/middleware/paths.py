"""Which requests access is about: one table."""

from starlette.routing import compile_path
from starlette.types import Scope

from application.api.forms import METHODS
from application.api.state import client_of
from application.client.contract import (
    ALIAS,
    ASSET,
    DOWNLOAD,
    ICON,
    MANIFEST,
    OPENAPI,
    ROBOTS,
)

# Balancers and orchestrators ask these, often and without a key; neither tells anything of the data.
OPEN = frozenset({"/health", "/ready"})
# What a page is made of, the one that asks for a key among them.
OPEN_FILES = frozenset({ROBOTS, ICON})
ASSETS = compile_path(ASSET)[0]
# They look like downloads, and are none.
FILES = OPEN_FILES | {OPENAPI}
# Nor does watching the service use up anybody's share of it.
UNCOUNTED = OPEN | {"/metrics"}
# What Lambda's adapter posts when the function calls itself.
EVENTS = "/events"
# The methods that do so; a HEAD takes a place only where it makes something.
MAKING = frozenset({"GET", *METHODS})
# What makes or sends the bytes of a download.
DOWNLOADS = tuple(compile_path(path)[0] for path in (DOWNLOAD, ALIAS + DOWNLOAD, MANIFEST))


def is_open(scope: Scope) -> bool:
    """True for what needs no key. A browser sends none with its OPTIONS, before it asks for real."""
    return scope["method"] == "OPTIONS" or scope["path"] in OPEN or _is_file(scope) or _is_from_inside(scope)


def is_counted(scope: Scope) -> bool:
    """True for what rates are about."""
    is_asked = scope["method"] != "OPTIONS" and scope["path"] not in UNCOUNTED
    return is_asked and not _is_file(scope) and not _is_from_inside(scope)


def is_download(scope: Scope) -> bool:
    """True for what takes one of a client's simultaneous downloads."""
    path = scope["path"]
    return scope["method"] in MAKING and path not in FILES and any(each.match(path) for each in DOWNLOADS)


def _is_file(scope: Scope) -> bool:
    return scope["path"] in OPEN_FILES or bool(ASSETS.match(scope["path"]))


def _is_from_inside(scope: Scope) -> bool:
    return scope["path"] == EVENTS and client_of(scope).is_function
