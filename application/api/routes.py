"""The handlers: each says what it takes and what it gives."""

import asyncio
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from application.api.dependencies import CurrentService, PlannedDownload, RequestedDownload, development_only
from application.api.responses import DownloadResponse

SERVICE = "download-lambda"

router = APIRouter()


@router.head("/health", include_in_schema=False)
@router.get("/health")
async def health() -> dict[str, str]:
    """The process is alive; nothing is looked at."""
    return {"status": "healthy", "service": SERVICE}


@router.head("/ready", include_in_schema=False)
@router.get("/ready")
async def ready(current: CurrentService) -> dict[str, str]:
    """Storage and engine answer."""
    await asyncio.to_thread(current.check)
    return {"status": "ready", "service": SERVICE}


development = APIRouter(dependencies=[Depends(development_only)], include_in_schema=False)


@development.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


@development.get("/docs")
async def docs() -> HTMLResponse:
    """The API, to try."""
    return get_swagger_ui_html(openapi_url="/openapi.json", title=SERVICE)


@development.get("/redoc")
async def redoc() -> HTMLResponse:
    """The API, to read."""
    return get_redoc_html(openapi_url="/openapi.json", title=SERVICE)


downloads = APIRouter()


@downloads.head("/{dataset}.{extension}", include_in_schema=False)
@downloads.get("/{dataset}.{extension}")
@downloads.head("/dataset/{dataset}.{extension}", include_in_schema=False)
@downloads.get("/dataset/{dataset}.{extension}")
async def download(
    current: CurrentService, requested: RequestedDownload, planned: PlannedDownload
) -> DownloadResponse:
    """A dataset's rows in a format; every query parameter is a filter or one of the named ones."""
    settings = current.settings
    return DownloadResponse(
        current.downloads, requested, planned, max_age=settings.cache_max_age, whole=settings.whole_results
    )
