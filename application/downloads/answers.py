"""Plans answered: with nothing new, from elsewhere, or by a content that is ready, all of it or a part."""

import asyncio
from concurrent.futures import Future
from contextlib import ExitStack, nullcontext
from functools import partial

from application.datasets.checks import PageChecks
from application.downloads.answer import Answer, Kind
from application.downloads.downloads import Downloads, read_lane
from application.downloads.plan import Plan, Request
from application.downloads.preparation import Whole, prepare
from application.downloads.redirects import Redirects
from application.downloads.terms import Manner, Terms
from application.errors import AnswerTooLarge, Busy, DatasetChanged, ExportPending, NotMadeYet, SpoolFull
from application.production.productions import Productions
from application.storage.lanes import Lanes, outcome

PLAIN = Terms()
# How often it is looked whether an export is there.
LOOK_SECONDS = 0.5
# The ways of answering that wait for the whole.
WAITS = (Manner.SEEK, Manner.WHOLE)


class Answers:
    """Answers plans of ``downloads`` by requests' terms; owns nothing but what it is given.

    For a result that is to be whole it waits at most ``whole_seconds``.
    """

    def __init__(
        self,
        downloads: Downloads,
        productions: Productions,
        checks: PageChecks,
        *,
        lanes: Lanes,
        whole_seconds: float,
    ) -> None:
        self._downloads = downloads
        self._productions = productions
        self._checks = checks
        self._lanes = lanes
        self._whole = Whole(whole_seconds, productions.most_kept)

    def makes(self, plan: Plan, terms: Terms) -> bool:
        """True where the answer has to wait for bytes that are not whole yet; raises PreconditionFailed."""
        if terms.conditions.is_not_modified(plan.validators) or self._manner(plan, terms) is Manner.TELL:
            return False
        with self._downloads.kept(plan) or nullcontext() as content:
            return content is None

    async def start(
        self, request: Request, plan: Plan, terms: Terms = PLAIN, redirects: Redirects | None = None
    ) -> Answer:
        """Answer a plan with its bytes, once the first are there; all of them within the limits, or if few.

        A change of the data found by then means one more plan over the new version, on which the
        conditions are evaluated again. Raises what the production raises, PreconditionFailed,
        RangeNotSatisfiable, AnswerTooLarge where the whole has no place or is beyond the limits, and
        NotMadeYet and Busy where it is wanted at once, and SpoolFull where it may have a place later.
        """
        try:
            return await self._answer(request, plan, terms, redirects)
        except DatasetChanged:
            plan = await self._downloads.planned(request, fresh=True)
        return await self._answer(request, plan, terms, redirects)

    async def _answer(
        self, request: Request, plan: Plan, terms: Terms, redirects: Redirects | None
    ) -> Answer:
        if terms.conditions.is_not_modified(plan.validators):
            return Answer(Kind.NOT_MODIFIED, plan)
        manner = self._manner(plan, terms)
        if manner is not Manner.TELL and (checked := self._checks.begin(plan.dataset)):
            await _over(checked, self._whole.seconds_for(terms) if manner in WAITS else terms.seconds_left)
        url = await self._elsewhere(request, plan, terms, manner, redirects) if redirects else None
        if url is not None:
            return Answer(Kind.REDIRECT, plan, location=url)
        has_ranges = plan.is_native or terms.most_bytes is None or bool(redirects and redirects.has_exports)
        with ExitStack() as stack:
            content = (
                self._downloads.kept(plan)
                if manner is Manner.TELL
                else self._downloads.open(plan, terms.claim(manner))
            )
            if content is None:
                return Answer(Kind.CONTENT, plan)
            stack.enter_context(content)
            try:
                part = await prepare(plan, content, terms, manner, self._whole)
            except NotMadeYet:
                # Who is told to ask again finds it made, or still being made.
                self._productions.hold(plan.e_tag, terms.hold)
                raise
            except (AnswerTooLarge, SpoolFull) as error:
                url = await self._instead(request, plan, terms, redirects) if redirects else None
                if url is not None:
                    return Answer(Kind.REDIRECT, plan, location=url)
                streams = manner is Manner.SEEK and not (terms.limits or plan.format.whole)
                if isinstance(error, SpoolFull) or not streams:
                    raise
                if terms.is_head:
                    # As what is asked for then: it streams.
                    return Answer(Kind.CONTENT, plan)
                if not terms.conditions.if_range:
                    raise AnswerTooLarge(f"{error} Without Range it is sent as it is made.") from error
                part = None
            stack.pop_all()
        return Answer(Kind.CONTENT, plan, content, part, has_ranges)

    def _manner(self, plan: Plan, terms: Terms) -> Manner:
        if plan.is_native or not self._whole.most_bytes:
            # There is nothing to make, or no place where it could be made whole for the next request.
            return Manner.TELL if terms.is_head else Manner.READ
        return terms.manner(plan, is_begun=self._productions.has(plan.e_tag))

    async def _elsewhere(
        self, request: Request, plan: Plan, terms: Terms, manner: Manner, redirects: Redirects
    ) -> str | None:
        """Where the client is sent before anything is made here, or None.

        For an export that others will ask for parts of it is waited as for a result that is made here.
        """
        if manner is not Manner.SEEK or not redirects.has_parts(terms):
            if not redirects.may_find(plan, terms):
                return None
            return await self._lanes.run(read_lane(plan.dataset), partial(redirects.find, plan, terms))
        clock = asyncio.get_running_loop().time
        end = clock() + self._whole.seconds_for(terms)
        while True:
            try:
                return await self._instead(request, plan, terms, redirects)
            except ExportPending:
                if clock() + LOOK_SECONDS > end:
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    async def _instead(self, request: Request, plan: Plan, terms: Terms, redirects: Redirects) -> str | None:
        look = partial(redirects.instead, request, plan, terms)
        return await self._lanes.run(read_lane(plan.dataset), look)


async def _over(checked: Future[None], seconds: float | None) -> None:
    """Wait for a check, without a thread, which others need meanwhile; raises as it does, and Busy."""
    try:
        await outcome(checked, seconds)
    except TimeoutError:
        raise Busy("The dataset's pages are still being checked; try again later.") from None
