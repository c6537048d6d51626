"""Pages for people: what a dataset is, what to choose of it, and how to take it."""

import asyncio

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from application.api.dependencies import (
    AnswerLimits,
    AssetName,
    CurrentService,
    DatasetName,
    PlannedManifest,
    RequestedManifest,
    parameters,
)
from application.api.disconnect import unless_gone
from application.api.pages import WORKER_POLICY, coded_for, site_of
from application.api.routes.datasets import SeenDatasets
from application.api.state import settings_of
from application.client.contract import (
    ALIAS,
    ASSET,
    CATALOGUE_PAGE,
    CHOOSE,
    DATASET_PAGE,
    ICON,
    PROGRESS,
    ROBOTS,
)

METHODS = ["GET", "HEAD"]
# Under names that have their digests.
FOREVER = "public, max-age=31536000, immutable"
DAY = "public, max-age=86400"
ICON_FILE = "favicon.svg"
MAP_WORKER = "maplibre-gl-worker.mjs"
ROBOTS_TEXT = "User-agent: *\nDisallow: /*?\n"


async def where_pages_are(request: Request) -> None:
    """404 where PAGES is off."""
    if not settings_of(request.scope).has_pages:
        raise HTTPException(404)


router = APIRouter(include_in_schema=False, dependencies=[Depends(where_pages_are)])
# What other paths leave over.
dataset_router = APIRouter(include_in_schema=False, dependencies=[Depends(where_pages_are)])


@router.api_route(ASSET, methods=METHODS)
async def page_asset(request: Request, name: AssetName) -> Response:
    """A file of the pages."""
    site = await asyncio.to_thread(site_of, settings_of(request.scope).pages_dir)
    found = site.asset(name)
    if found is None:
        raise HTTPException(404)
    # Some are large.
    body, headers = await asyncio.to_thread(coded_for, request, found.body)
    headers |= {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    worker = site.own(MAP_WORKER)
    if worker and name == worker.name and (origin := settings_of(request.scope).map_origin):
        headers["Content-Security-Policy"] = WORKER_POLICY.format(origin=origin)
    return Response(body, headers=headers, media_type=found.media_type)


@router.api_route(ICON, methods=METHODS)
async def icon(request: Request) -> Response:
    """The icon, for who asks for it by its old name."""
    site = await asyncio.to_thread(site_of, settings_of(request.scope).pages_dir)
    found = site.own(ICON_FILE)
    if found is None:
        raise HTTPException(404)
    return Response(found.body, headers={"Cache-Control": DAY}, media_type=found.media_type)


@router.api_route(ROBOTS, methods=METHODS)
async def robots() -> Response:
    """What crawlers may ask for: pages and descriptions, but no queries."""
    return Response(ROBOTS_TEXT, headers={"Cache-Control": DAY}, media_type="text/plain")


@router.api_route(CATALOGUE_PAGE, methods=METHODS)
async def catalogue_page(request: Request, seen: SeenDatasets) -> Response:
    """The page of all datasets, or of those that `q` finds."""
    from application.api.views.catalogue import show_catalogue

    return await asyncio.to_thread(show_catalogue, request, seen, parameters(request))


@dataset_router.api_route(DATASET_PAGE, methods=METHODS)
@dataset_router.api_route(ALIAS + DATASET_PAGE, methods=METHODS)
async def dataset_page(request: Request, current: CurrentService, dataset: DatasetName) -> Response:
    """The page of exactly the query that `/{dataset}.csv` has with the same parameters."""
    from application.api.views.dataset import show_dataset
    from application.pages.addresses import FIXED

    if dataset in FIXED and not request.scope["path"].startswith(f"{ALIAS}/"):
        raise HTTPException(404, f"A dataset of that name has its page at {ALIAS}/{dataset}.")
    current.admit()
    found = await unless_gone(show_dataset(request, current, dataset, parameters(request)), request.receive)
    return found or Response()  # to nobody


@router.api_route(PROGRESS, methods=METHODS)
async def progress(
    request: Request,
    current: CurrentService,
    requested: RequestedManifest,
    planned: PlannedManifest,
    limits: AnswerLimits,
) -> Response:
    """How far a result is that takes long, by `format` and the download's own parameters; then its link."""
    from application.api.progress import show_progress

    return await show_progress(request, current, requested, planned, limits)


@router.api_route(CHOOSE, methods=METHODS)
async def choose(request: Request, current: CurrentService, dataset: DatasetName) -> Response:
    """Where the form is sent to: to the address of what was chosen, or the form again."""
    from application.api.views.choices import show_choices

    found = await show_choices(request, current, dataset, parameters(request))
    if isinstance(found, str):
        return RedirectResponse(found, 303, {"Cache-Control": "no-store"})
    return found
