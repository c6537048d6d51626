"""Where the form is sent to: the page of what was chosen, or the form again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from application.api.pages import addresses_of, page_response
from application.api.views.known import BASE, Pairs, form_of, parsed, readable, title_of, told_by
from application.errors import QueryInvalid
from application.pages.choices import Choices
from application.pages.result import Result
from application.telemetry.facts import facts_of

if TYPE_CHECKING:
    from application.service import Service


async def show_choices(request: Request, current: Service, name: str, sent: Pairs) -> Response | str:
    """The path of the page of what was chosen; where that is wrong, the form again, with what is wrong."""
    dataset = await readable(current, name)
    choices = Choices.of_controls(sent, dataset.columns)
    pairs, addresses = choices.pairs(dataset.columns), addresses_of(request)
    told = told_by(await current.offers.find(name))
    try:
        query = (await asyncio.to_thread(parsed, pairs, dataset)).query
    except QueryInvalid as error:
        problems = [(item.parameter, item.detail) for item in error.problems]
        facts_of(request.scope).code = "query-invalid"

        def again() -> Response:
            form = form_of(dataset, choices, told, addresses.beside(name, "choose"), problems)
            page = {"title": title_of(dataset), "form": form, "all": addresses.page(name)}
            return page_response(request, "choose.html", page, 422)

        return await asyncio.to_thread(again)
    return Result(dataset, query, pairs, addresses=addresses, labels=told.labels, base=BASE).page
