"""The page of a result in the making: whoever looks at it keeps it going."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from application.api.pages import addresses_of, coding_for, page_response
from application.api.state import asker_of
from application.downloads.downloads import read_lane
from application.downloads.terms import HOLD_SECONDS, Terms
from application.errors import ExportPending
from application.pages.progress import progress_page
from application.production.claim import Claim

if TYPE_CHECKING:
    from application.downloads.limits import Limits
    from application.downloads.plan import Plan
    from application.downloads.plan import Request as DownloadRequest
    from application.service import Service


async def show_progress(
    request: Request, current: Service, requested: DownloadRequest, plan: Plan, limits: Limits | None
) -> Response:
    """The page of a planned download, begun where it is not there; raises what beginning it raises."""
    requested = replace(requested, coding=coding_for(request))
    plan = await asyncio.to_thread(current.downloads.fit, requested, plan.dataset, plan.format)
    in_lane = partial(current.lanes.run, read_lane(plan.dataset))
    status = await in_lane(partial(current.statuses.of, requested, plan))
    if status.state in {"absent", "making"}:
        await asyncio.to_thread(_begin, request, current, requested, plan, limits)
        status = await in_lane(partial(current.statuses.of, requested, plan))
    addresses, name, extension = addresses_of(request), plan.dataset.name, plan.format.extension
    page = progress_page(
        status,
        plan.dataset.words.title or name,
        addresses.download(name, extension, requested.parameters),
        addresses.page(name, [pair for pair in requested.parameters if pair[0] != "filename"]),
        is_kept=_is_kept(current, plan, status.size),
    )
    return await asyncio.to_thread(page_response, request, "progress.html", page, max_age=0)


def _begin(
    request: Request, current: Service, requested: DownloadRequest, plan: Plan, limits: Limits | None
) -> None:
    """Have it made, for as long as somebody looks; or exported, where no answer can carry it."""
    if limits and current.exports and limits.most_bytes is not None and plan.may_exceed(limits.most_bytes):
        with suppress(ExportPending):
            current.redirects.instead(requested, plan, Terms(limits=limits))
    elif _is_kept(current, plan, 0):
        current.downloads.open(plan, Claim(HOLD_SECONDS, asker_of(request.scope), queues=False)).close()


def _is_kept(current: Service, plan: Plan, size: int | None) -> bool:
    """False for what is sent as it is made, and gone then."""
    most = current.downloads.most_kept
    return plan.is_native or (most > 0 and (size or 0) <= most)
