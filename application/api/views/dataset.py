"""The page of one dataset and one query."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from application.api.pages import FRESH_SECONDS, addresses_of, page_response
from application.api.state import asker_of
from application.api.views.known import (
    BASE,
    Pairs,
    Told,
    form_of,
    parsed,
    places_of,
    readable,
    title_of,
    told_by,
)
from application.client.contract import DESCRIPTION
from application.downloads.plan import Request as DownloadRequest
from application.downloads.preview import FirstRows, first_rows
from application.downloads.terms import Terms
from application.downloads.ways import Way
from application.errors import DownloadError
from application.formats import FORMATS
from application.pages import figures
from application.pages.chips import chips_of
from application.pages.choices import Choices
from application.pages.columns import MOST_COLUMNS, column_rows, is_known
from application.pages.dataset import DatasetPage, check_of, geometry_sentence, left_out_sentence, sentence
from application.pages.downloads import Estimate, download_rows
from application.pages.live_map import live_map
from application.pages.map import Map, make_map
from application.pages.preview import MOST_COLUMNS as PREVIEW_COLUMNS
from application.pages.preview import ROWS, Preview, make_preview
from application.pages.result import Result
from application.pages.schema_org import schema_org
from application.telemetry import logger

if TYPE_CHECKING:
    from application.datasets.description import Description
    from application.models import Dataset, Query
    from application.service import Service

# For rows to look at nobody waits longer.
PREVIEW_SECONDS = 8.0
# Nor for how many rows there are, and how large they are in one format; for the other ones not even so long.
# What is not known by then is found out meanwhile, for who asks again.
ESTIMATE_SECONDS = 1.5
SOON_SECONDS = 0.2
# What is made whole first, and has more bytes, is waited for on a page of its own.
SLOW_BYTES = 64 << 20


async def show_dataset(request: Request, current: Service, name: str, sent: Pairs) -> Response:
    """The page of a query; raises what planning raises. What fails for a part of it is said there."""
    dataset = await readable(current, name)
    query = (await asyncio.to_thread(parsed, sent, dataset)).query
    if query.areas:
        # Whether an area is one, and which, only its plan knows.
        await current.downloads.planned(DownloadRequest(name, BASE.extension, sent))
    asked = partial(Result, dataset, query, sent, addresses=addresses_of(request), base=BASE)
    # None of these waits for the others.
    bare = asked(labels={})
    described, estimate, (first, problem), regions, places = await asyncio.gather(
        current.offers.describe(dataset),
        _estimate(current, bare),
        _first(request, current, bare),
        current.regions.find(dataset),
        places_of(current, query),
    )
    told = told_by(described, regions)
    result = asked(labels=told.labels, places=places)

    def answer() -> Response:
        page = _page(result, told, described.description, estimate, first=first, problem=problem)
        live = live_map(result, estimate, current.settings.map_style_url) if page.map else None
        max_age = 0 if estimate.is_pending else FRESH_SECONDS
        has_map = live is not None
        return page_response(request, "dataset.html", page, max_age=max_age, has_map=has_map, live=live)

    return await asyncio.to_thread(answer)


async def _first(request: Request, current: Service, result: Result) -> tuple[FirstRows, str]:
    """The first rows, or why there are none."""
    terms = Terms(client=asker_of(request.scope))
    try:
        async with asyncio.timeout(PREVIEW_SECONDS):
            rows = await first_rows(
                current.downloads,
                current.answers,
                result.dataset,
                result.query,
                result.pairs,
                terms=terms,
                most_rows=ROWS,
                most_columns=PREVIEW_COLUMNS,
            )
    except TimeoutError:
        return FirstRows(), "The first rows take too long to find; the download has them all."
    except DownloadError as error:
        return FirstRows(), str(error)
    return rows, ""


async def _estimate(current: Service, result: Result) -> Estimate:
    """How many rows there are, how large each format is, and which can have them."""
    asked = DownloadRequest(result.dataset.name, "", result.plain_pairs())
    is_dialect = asked.parameters != result.pairs
    try:
        found, is_whole = await current.estimates.soon(asked, SOON_SECONDS, ESTIMATE_SECONDS)
    except Exception as error:  # noqa: BLE001 - a page without sizes is better than none
        if not isinstance(error, DownloadError):
            logger.exception("Dataset %r could not be estimated", result.dataset.name)
        rows = result.dataset.rows if result.query.has_all_rows(result.dataset) else None
        return Estimate(rows, is_pending=True)
    sizes, problems, slow = {}, {}, set()
    for item in found.formats:
        extension = item.format.extension
        if item.way is Way.REFUSED:
            problems[extension] = item.reason
        elif item.size is not None:
            sizes[extension] = (item.size, item.is_exact and not is_dialect)
        is_large = item.size is not None and item.size > SLOW_BYTES and not item.is_exact
        if item.way is Way.EXPORT or (item.format.random_access and is_large):
            slow.add(extension)
    return Estimate(
        found.rows,
        found.rows_at_most,
        found.without_geometry,
        sizes,
        problems,
        slow=frozenset(slow),
        is_pending=not is_whole,
    )


def _page(
    result: Result,
    told: Told,
    description: Description,
    estimate: Estimate,
    *,
    first: FirstRows,
    problem: str,
) -> DatasetPage:
    dataset, query, addresses = result.dataset, result.query, result.addresses
    possible = [name for name in FORMATS if name not in (estimate.problems or {})]
    choices = Choices.of_query(query, result.pairs, dataset.columns, told.few)
    columns = column_rows(description, query, told.labels)
    left = len(query.columns) - len(first.columns)
    preview = Preview(problem=problem) if problem else _preview(result, told, first, left)
    return DatasetPage(
        dataset.name,
        title_of(dataset),
        dataset.words.description,
        _facts(dataset),
        dataset.words.attribution,
        sentence(dataset, estimate),
        left_out_sentence(estimate),
        estimate.is_pending,
        _columns_sentence(dataset, query),
        not result.is_whole,
        chips_of(result),
        addresses.page(dataset.name),
        download_rows(result, estimate, has_geometry=description.geometry is not None),
        form_of(dataset, choices, told, addresses.beside(dataset.name, "choose")),
        preview,
        geometry_sentence(description),
        _map(first, description),
        columns,
        max(0, len(dataset.columns) - MOST_COLUMNS),
        is_known(columns),
        result.snippets(possible),
        check_of(result, possible),
        addresses.absolute(result.page),
        addresses.root + DESCRIPTION.format(dataset=dataset.name),
        schema_org(dataset, addresses, possible) if result.is_whole else "",
    )


def _map(first: FirstRows, description: Description) -> Map | None:
    extent = description.geometry.extent if description.geometry else None
    return make_map(first.sketch, first.areas, extent, len(first.rows))


def _preview(result: Result, told: Told, first: FirstRows, left: int) -> Preview:
    pairs = tuple(
        pair for pair in result.pairs if pair[0] not in {"field", "exclude_field", "limit", "offset"}
    )
    return make_preview(
        first.columns,
        first.rows,
        labels=told.labels,
        addresses=result.addresses,
        dataset=result.dataset.name,
        pairs=pairs,
        offset=result.query.offset,
        left=left,
    )


def _facts(dataset: Dataset) -> tuple[str, ...]:
    return (
        figures.count(dataset.rows, "row"),
        figures.size(dataset.size),
        f"updated {figures.day(dataset.last_modified)}",
        *filter(None, (dataset.words.licence, dataset.words.publisher)),
    )


def _columns_sentence(dataset: Dataset, query: Query) -> str:
    chosen, there = len(query.columns), len(dataset.columns)
    if chosen == there:
        return f"with all {figures.count(there, 'column')}" if there != 1 else "with the one column"
    return f"with {chosen:,} of {figures.count(there, 'column')}"
