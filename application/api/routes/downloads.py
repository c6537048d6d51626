"""A dataset's rows in a format."""

from fastapi import APIRouter
from starlette.responses import Response

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


# Keys, rates and CORS are asked for around all routes, not here: API_KEY, RATE_LIMIT and CORS_ALLOW_ORIGINS.


@router.head(DOWNLOAD, include_in_schema=False)
@router.get(DOWNLOAD)
@router.head(ALIAS + DOWNLOAD, include_in_schema=False)
@router.get(ALIAS + DOWNLOAD)
async def download(
    current: CurrentService,
    requested: RequestedDownload,
    planned: PlannedDownload,
    conditions: RequestedConditions,
    limits: AnswerLimits,
) -> Response:
    """A dataset's rows in a format; every query parameter is a filter or one of the named ones."""
    settings = current.settings
    return DownloadResponse(
        current.downloads,
        requested,
        planned,
        conditions,
        limits=limits,
        redirects=current.redirects,
        max_age=settings.cache_max_age,
        with_charset=settings.csv_charset,
    )
