"""A dataset's rows in a format."""

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from application.api.conditional import Validators, is_not_modified
from application.api.dependencies import AnswerLimits, CurrentService, PlannedDownload, RequestedDownload
from application.api.responses import DownloadResponse, redirect_response
from application.client.contract import ALIAS, DOWNLOAD
from application.telemetry.facts import facts_of

router = APIRouter()


@router.head(DOWNLOAD, include_in_schema=False)
@router.get(DOWNLOAD)
@router.head(ALIAS + DOWNLOAD, include_in_schema=False)
@router.get(ALIAS + DOWNLOAD)
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
