"""The handlers: each says what it takes and what it gives."""

import asyncio
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from application.api.conditional import Validators, is_not_modified
from application.api.dependencies import (
    AnswerLimits,
    CurrentService,
    LambdaDeadline,
    OfferedServices,
    PlannedDownload,
    PlannedManifest,
    RequestedDownload,
    RequestedManifest,
    development_only,
)
from application.api.leaving import unless_gone
from application.api.responses import DownloadResponse, redirect_response, shown_filters
from application.manifest import make_manifest, manifest_e_tag
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.planning import Plan

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


@router.head("/metrics", include_in_schema=False)
@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, offered: OfferedServices) -> Response:
    """The metrics page, where METRICS is `prometheus`."""
    page = await asyncio.to_thread(offered.observing.page, request.headers.get("accept", ""))
    if page is None:
        raise HTTPException(404)
    body, media_type = page
    return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


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


@router.post("/events", include_in_schema=False)
async def events(request: Request, current: CurrentService, deadline: LambdaDeadline) -> dict[str, str]:
    """Take an event that the function sent itself, which the adapter posts here; from nobody else."""
    # The adapter writes this header over whatever a client sent; it is null for what is no HTTP request.
    if not current.settings.is_lambda or request.headers.get("x-amzn-request-context") != "null":
        raise HTTPException(404)
    if current.exports is None:
        raise HTTPException(404)
    try:
        await asyncio.to_thread(current.exports.make, await request.json(), deadline)
    except ValueError:
        raise HTTPException(422) from None
    return {"status": "done"}


@downloads.head("/{dataset}.{extension}", include_in_schema=False)
@downloads.get("/{dataset}.{extension}")
@downloads.head("/dataset/{dataset}.{extension}", include_in_schema=False)
@downloads.get("/dataset/{dataset}.{extension}")
async def download(
    request: Request,
    current: CurrentService,
    requested: RequestedDownload,
    planned: PlannedDownload,
    limits: AnswerLimits,
) -> Response:
    """A dataset's rows in a format; every query parameter is a filter or one of the named ones."""
    settings = current.settings
    validators = Validators(planned.e_tag, planned.dataset.last_modified)
    is_wanted = request.method == "GET" and not is_not_modified(request.headers, validators)
    url = None
    if planned.is_native and settings.native_redirect_seconds and is_wanted:
        path = planned.dataset.objects[0].path
        url = await asyncio.to_thread(current.storage.presign, path, settings.native_redirect_seconds)
    elif current.exports and limits and is_wanted and planned.may_exceed(limits.most_bytes):
        # Whoever asks again while it is made, or after, makes nothing anew.
        url = await asyncio.to_thread(current.exports.find, planned)
    if url:
        facts_of(request.scope).source = "redirect"
        return redirect_response(url)
    return DownloadResponse(
        current.downloads,
        requested,
        planned,
        max_age=settings.cache_max_age,
        stall_seconds=settings.client_stall_seconds,
        limits=limits,
        exports=current.exports,
    )


@downloads.head("/datasets/{dataset}/manifest", include_in_schema=False)
@downloads.get("/datasets/{dataset}/manifest")
async def manifest(
    request: Request, current: CurrentService, requested: RequestedManifest, planned: PlannedManifest
) -> Response:
    """What a download is, by `format` and the download's own parameters: ETag, rows, bytes, SHA-256."""
    facts, max_age = facts_of(request.scope), current.settings.cache_max_age
    facts.format, facts.filters = planned.format.extension, shown_filters(planned.query)
    validators = Validators(manifest_e_tag(planned), planned.dataset.last_modified)
    if is_not_modified(request.headers, validators):
        headers = _manifest_headers(planned, max_age)
        return Response(status_code=304, headers=headers, media_type="application/json")
    if request.method == "HEAD":
        response = Response(headers=_manifest_headers(planned, max_age), media_type="application/json")
        # Nothing was made, so nobody knows it.
        del response.headers["content-length"]
        return response
    made = await unless_gone(make_manifest(current.downloads, requested, planned), request.receive)
    if made is None:
        return Response()  # to nobody
    return JSONResponse(made.to_json(), headers=_manifest_headers(made.plan, max_age))


def _manifest_headers(plan: "Plan", max_age: int) -> dict[str, str]:
    return {
        "ETag": f'"{manifest_e_tag(plan)}"',
        "Last-Modified": format_datetime(plan.dataset.last_modified, usegmt=True),
        "Cache-Control": f"public, max-age={max_age}",
        "X-Content-Type-Options": "nosniff",
    }
