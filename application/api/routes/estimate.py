"""What a download would be, before it is made; and how far one is that is being made."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from application.api.dependencies import (
    CurrentService,
    PlannedManifest,
    RequestedConditions,
    RequestedEstimate,
    RequestedManifest,
)
from application.api.disconnect import unless_gone
from application.api.json_answer import json_answer
from application.client.contract import ESTIMATE, STATUS
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.downloads.estimate import Estimate

router = APIRouter()
# Results come and go, and each makes an estimate exact.
ESTIMATE_SECONDS = 10


@router.api_route(ESTIMATE, methods=["GET", "HEAD"])
async def estimate(
    request: Request, current: CurrentService, conditions: RequestedConditions, requested: RequestedEstimate
) -> Response:
    """Rows, bytes by format, what would be read, and how it would be answered; makes nothing."""
    current.admit()
    if request.method == "HEAD":
        # Whoever wants no body wants no work.
        await current.downloads.find(requested.name)
        response = Response(media_type="application/json", headers={"Cache-Control": "no-store"})
        del response.headers["content-length"]
        return response
    found: Estimate | None = await unless_gone(current.estimates.find(requested), request.receive)
    if found is None:
        return Response()  # to nobody
    facts_of(request.scope).rows = found.rows
    body = await asyncio.to_thread(orjson.dumps, found.to_json())
    return json_answer(request, conditions, body, ESTIMATE_SECONDS)


@router.api_route(STATUS, methods=["GET", "HEAD"])
async def status(
    request: Request, current: CurrentService, requested: RequestedManifest, planned: PlannedManifest
) -> Response:
    """How far a result is, by `format` and the download's own parameters; makes nothing."""
    facts_of(request.scope).format = planned.format.extension
    from application.downloads.downloads import read_lane

    look = partial(current.statuses.of, requested, planned)
    found = await current.lanes.run(read_lane(planned.dataset), look)
    return JSONResponse(found.to_json(), headers={"Cache-Control": "no-store"})
