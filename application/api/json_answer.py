"""JSON whose version is that of its text: 200, or 304 without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.downloads.conditions import Conditions


def json_answer(
    request: Request,
    conditions: Conditions,
    body: bytes,
    max_age: int,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a text that may be kept for so many seconds; raises PreconditionFailed."""
    from dataclasses import replace

    from application.downloads.conditions import LONG_AGO, Validators, make_e_tag

    e_tag = make_e_tag(body)
    facts_of(request.scope).e_tag = e_tag
    told = {"ETag": f'"{e_tag}"', "Cache-Control": f"public, max-age={max_age}", **(headers or {})}
    # Nobody knows when a text came to be that is made of several things.
    untimed = replace(conditions, if_modified_since=None, if_unmodified_since=None)
    if untimed.is_not_modified(Validators(e_tag, LONG_AGO)):
        return Response(status_code=304, headers=told, media_type="application/json")
    return Response(body, headers=told, media_type="application/json")
