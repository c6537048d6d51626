"""Which datasets there are, and what is told of each."""

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from application.api.dependencies import CurrentService, DatasetName, RequestedConditions, parameters
from application.api.json_answer import json_answer
from application.client.contract import CATALOGUE, DATASET_DOCUMENT, DESCRIPTION
from application.errors import ParameterProblem, QueryInvalid, StorageStalled
from application.storage.lanes import outcome

if TYPE_CHECKING:
    from application.datasets.listing import Seen
    from application.service import Service

router = APIRouter()
# For which a first list waits for datasets that take long.
FIRST_SECONDS = 4.0


def no_parameters(request: Request) -> None:
    """Raise QueryInvalid where there are any: nothing is ignored."""
    if found := parameters(request):
        raise QueryInvalid([ParameterProblem(found[0][0], f"{request.url.path} takes no parameters")])


without_parameters = [Depends(no_parameters)]


async def seen_datasets(current: CurrentService) -> "Seen":
    """The datasets that there are, from memory where they were looked at lately.

    Raises StorageUnavailable and StorageStalled.
    """
    listing = current.listing
    waited = listing.refresh()
    if waited is None:
        return listing.seen
    for seconds in (FIRST_SECONDS, current.settings.plan_seconds):
        try:
            await outcome(waited, max(seconds - listing.age, 0.0))
        except TimeoutError:
            # Of datasets that take long the list has what is known.
            if not listing.seen.datasets:
                continue
        return listing.seen
    raise StorageStalled("Storage takes too long to list its datasets; try again.")


SeenDatasets = Annotated["Seen", Depends(seen_datasets)]


@router.api_route(CATALOGUE, methods=["GET", "HEAD"], dependencies=without_parameters)
async def catalogue(
    request: Request, current: CurrentService, conditions: RequestedConditions, seen: SeenDatasets
) -> Response:
    """All datasets: name, title, rows, bytes, modified, licence, geometry."""
    from application.downloads.offer_json import catalogue_body

    body = await asyncio.to_thread(catalogue_body, seen)
    # A list that is still being made is not to be kept.
    seconds = _seconds(current) if seen.is_whole else 0
    return json_answer(request, conditions, body, seconds)


@router.api_route(DESCRIPTION, methods=["GET", "HEAD"], dependencies=without_parameters)
async def description(
    request: Request, current: CurrentService, conditions: RequestedConditions, dataset: DatasetName
) -> Response:
    """What is told of a dataset: words, columns, geometry, formats."""
    from application.downloads.offer_json import offer_body

    current.admit()
    body = await asyncio.to_thread(offer_body, await current.offers.find(dataset))
    document = DATASET_DOCUMENT.format(dataset=dataset)
    links = {"Link": f'<{CATALOGUE}>; rel="collection", <{document}>; rel="service-desc"'}
    return json_answer(request, conditions, body, _seconds(current), links)


def _seconds(current: "Service") -> int:
    """For how long an answer may be kept: not much longer than it is believed here."""
    return int(min(current.settings.cache_max_age, current.settings.catalogue_max_age))
