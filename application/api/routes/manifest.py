"""What a download is, without its bytes."""

from email.utils import format_datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from application.api.dependencies import (
    CurrentService,
    PlannedManifest,
    RequestedConditions,
    RequestedManifest,
)
from application.api.disconnect import unless_gone
from application.client.contract import MANIFEST
from application.query.shown import shown_filters
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.downloads.plan import Plan

router = APIRouter()


@router.api_route(MANIFEST, methods=["GET", "HEAD"])
async def manifest(
    request: Request,
    current: CurrentService,
    requested: RequestedManifest,
    planned: PlannedManifest,
    conditions: RequestedConditions,
) -> Response:
    """What a download is, by `format` and the download's own parameters: ETag, rows, bytes, SHA-256."""
    facts, max_age = facts_of(request.scope), current.settings.cache_max_age
    facts.format, facts.filters = planned.format.extension, shown_filters(planned.query)
    # What only a download needs would hold up the start.
    from application.downloads.conditions import Validators
    from application.downloads.manifest import make_manifest, manifest_e_tag

    validators = Validators(manifest_e_tag(planned), planned.dataset.last_modified)
    if conditions.is_not_modified(validators):
        headers = _manifest_headers(planned, manifest_e_tag(planned), max_age)
        return Response(status_code=304, headers=headers, media_type="application/json")
    if request.method == "HEAD":
        response = Response(
            headers=_manifest_headers(planned, manifest_e_tag(planned), max_age),
            media_type="application/json",
        )
        # Nothing was made, so nobody knows it.
        del response.headers["content-length"]
        return response
    made = await unless_gone(make_manifest(current.answers, requested, planned), request.receive)
    if made is None:
        return Response()  # to nobody
    return JSONResponse(
        made.to_json(), headers=_manifest_headers(made.plan, manifest_e_tag(made.plan), max_age)
    )


def _manifest_headers(plan: "Plan", e_tag: str, max_age: int) -> dict[str, str]:
    return {
        "ETag": f'"{e_tag}"',
        "Last-Modified": format_datetime(plan.dataset.last_modified, usegmt=True),
        "Cache-Control": f"public, max-age={plan.max_age(max_age)}",
    }
