"""A dataset's rows in a format."""

from fastapi import APIRouter
from starlette.responses import Response

from application.api import forms
from application.api.dependencies import (
    AnswerLimits,
    CurrentService,
    PlannedDownload,
    RequestedConditions,
    RequestedDownload,
)
from application.api.responses import DownloadResponse
from application.client.contract import ALIAS, DOWNLOAD

router = APIRouter()


METHODS = ["GET", "HEAD", *forms.METHODS]


# Keys, rates and CORS are asked for around all routes, not here: API_KEY, RATE_LIMIT and CORS_ALLOW_ORIGINS.
@router.api_route(DOWNLOAD, methods=METHODS)
@router.api_route(ALIAS + DOWNLOAD, methods=METHODS)
async def download(
    current: CurrentService,
    requested: RequestedDownload,
    planned: PlannedDownload,
    conditions: RequestedConditions,
    limits: AnswerLimits,
) -> Response:
    """A dataset's rows in a format; every parameter is a filter or one of the named ones."""
    settings = current.settings
    return DownloadResponse(
        current.answers,
        requested,
        planned,
        conditions,
        limits=limits,
        redirects=current.redirects,
        max_age=settings.cache_max_age,
        with_charset=settings.csv_charset,
    )
