"""Which requests the middleware of access lets pass: one table."""

import re

from starlette.datastructures import Headers
from starlette.types import Scope

# Balancers and orchestrators ask these, often and without a key; neither tells anything of the data.
OPEN = frozenset({"/health", "/ready"})
# Nor does watching the service use up anybody's share of it.
UNCOUNTED = OPEN | {"/metrics"}
# What Lambda's adapter posts when the function calls itself.
EVENTS = "/events"
# What makes or sends the bytes of a download.
DOWNLOAD = re.compile(r"(/dataset)?/[^/]+\.[^/.]+|/datasets/[^/]+/manifest")


def is_open(scope: Scope) -> bool:
    """True for what needs no key. A browser sends none with its OPTIONS, before it asks for real."""
    return scope["method"] == "OPTIONS" or scope["path"] in OPEN or _is_from_inside(scope)


def is_counted(scope: Scope) -> bool:
    """True for what rates are about."""
    return scope["method"] != "OPTIONS" and scope["path"] not in UNCOUNTED and not _is_from_inside(scope)


def is_download(scope: Scope) -> bool:
    """True for what takes one of a client's simultaneous downloads."""
    return scope["method"] == "GET" and DOWNLOAD.fullmatch(scope["path"]) is not None


def _is_from_inside(scope: Scope) -> bool:
    # The adapter writes this header over whatever a client sent: null is no HTTP request. Outside
    # Lambda the client middleware has removed it.
    return scope["path"] == EVENTS and Headers(scope=scope).get("x-amzn-request-context") == "null"
