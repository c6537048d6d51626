"""The page of Prometheus."""

import asyncio

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from application.api.dependencies import CurrentLifespan
from application.api.state import settings_of

router = APIRouter()


@router.api_route("/metrics", methods=["GET", "HEAD"])
async def metrics(request: Request, offered: CurrentLifespan) -> Response:
    """The metrics page, where METRICS is `prometheus`."""
    mode, accept = settings_of(request.scope).metrics, request.headers.get("accept", "")
    page = await asyncio.to_thread(offered.observer.page, mode, accept)
    if page is None:
        raise HTTPException(404)
    body, media_type = page
    return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})
