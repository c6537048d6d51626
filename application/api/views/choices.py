"""Where the form is sent to: the page of what was chosen, or the form again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from application.api.pages import addresses_of, page_response
from application.api.views.known import BASE, Pairs, form_of, parsed, readable, title_of, told_by
from application.downloads.plan import Request as DownloadRequest
from application.errors import ParameterProblem, QueryInvalid
from application.pages.choices import Choices
from application.pages.result import Result
from application.pages.where import REGION_NAME
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.service import Service


async def show_choices(request: Request, current: Service, name: str, sent: Pairs) -> Response | str:
    """The path of the page of what was chosen; where that is wrong, the form again, with what is wrong."""
    dataset = await readable(current, name)
    choices, addresses = Choices.of_controls(sent, dataset.columns), addresses_of(request)
    described, regions = await asyncio.gather(current.offers.describe(dataset), current.regions.find(dataset))
    told = told_by(described, regions)
    problems = choices.where.problems()
    try:
        if problems:
            raise QueryInvalid([ParameterProblem(*problem) for problem in problems])
        named = await _named(current, choices)
        pairs = named.pairs(dataset.columns)
        query = (await asyncio.to_thread(parsed, pairs, dataset)).query
        if query.areas:
            await current.downloads.planned(DownloadRequest(name, BASE.extension, pairs))
    except QueryInvalid as error:
        problems = [(item.parameter, item.detail) for item in error.problems]
        facts_of(request.scope).code = "query-invalid"

        def again() -> Response:
            form = form_of(dataset, choices, told, addresses.beside(name, "choose"), problems)
            page = {"title": title_of(dataset), "form": form, "all": addresses.page(name)}
            return page_response(request, "choose.html", page, 422)

        return await asyncio.to_thread(again)
    return Result(dataset, query, pairs, addresses=addresses, labels=told.labels, base=BASE).page


async def _named(current: Service, choices: Choices) -> Choices:
    """The choices with the reference that an area's name means; raises QueryInvalid."""
    where = choices.where
    if not (where.region and where.name):
        return choices
    try:
        reference = await current.regions.reference(where.region, where.name)
    except ValueError as error:
        raise QueryInvalid([ParameterProblem(REGION_NAME, str(error))]) from error
    return replace(choices, where=replace(where, area=f"{where.region}:{reference}", region="", name=""))
