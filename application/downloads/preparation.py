"""What is made ready before an answer begins: the first bytes, all of a small result, or the whole."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from application.downloads.conditions import Conditions
from application.downloads.content import Content
from application.downloads.limits import Limits
from application.downloads.plan import SMALL_BYTES, SMALL_SECONDS, Plan
from application.downloads.terms import Manner, Terms
from application.errors import AnswerTooLarge, NotMadeYet

Part = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Whole:
    """How long an answer waits for a result that is to be whole, and the most bytes of one that is kept."""

    seconds: float
    most_bytes: int

    def seconds_for(self, terms: Terms) -> float:
        """The seconds, or fewer where an answer has to be over before."""
        left = terms.seconds_left
        return self.seconds if left is None else min(self.seconds, left)


async def prepare(plan: Plan, content: Content, terms: Terms, manner: Manner, whole: Whole) -> Part | None:
    """Have ready what will be sent, or raise; returns the part [start, end) that it is cut to.

    Raises what making the bytes raises, RangeNotSatisfiable, NotMadeYet, and AnswerTooLarge with what to do.
    """
    limits = terms.limits
    try:
        if manner is Manner.SEEK or (manner is Manner.WHOLE and not limits):
            await _settle_whole(content, whole.seconds_for(terms), whole.most_bytes)
        elif manner is not Manner.TELL and limits:
            return await _hold(plan, content, terms.conditions, limits)
        elif manner is Manner.READ:
            await _settle(plan, content, whole)
        part = None if terms.is_head else _cut(plan, content, terms.conditions)
        if limits and content.left is not None:
            limits.check(content.left)
    except AnswerTooLarge as error:
        raise AnswerTooLarge(f"{error} {plan.advice}") from error
    if not terms.is_head:
        await content.ready()
    return part


async def _settle(plan: Plan, content: Content, whole: Whole) -> None:
    """Wait for what may be small, or for what readers want whole as long as there is time."""
    if not plan.format.random_access or plan.is_native or not whole.most_bytes:
        await content.settle(SMALL_BYTES if plan.may_be_small else 0, SMALL_SECONDS)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(whole.seconds):
            await content.settle(whole.most_bytes + 1)


async def _settle_whole(content: Content, seconds: float, most_bytes: int) -> None:
    """Wait for a whole that is also there for the next request, which asks for another part of it."""
    try:
        async with asyncio.timeout(seconds):
            await content.settle(most_bytes + 1)
    except TimeoutError:
        raise NotMadeYet("The result is being made; ask again in a few seconds.") from None
    if content.size is None or content.size > most_bytes:
        raise AnswerTooLarge(f"The result is larger than the {most_bytes:,} bytes that can be kept here.")


async def _hold(plan: Plan, content: Content, conditions: Conditions, limits: Limits) -> Part | None:
    """Have all here that will be sent, within the limits; returns the part that it is cut to."""
    try:
        async with asyncio.timeout(limits.seconds_left):
            await content.settle()
            part = _cut(plan, content, conditions)
            if content.left is not None:
                limits.check(content.left)
            await content.hold()
            await content.ready()
    except TimeoutError:
        raise AnswerTooLarge("Making the result takes longer than an answer may take here.") from None
    return part


def _cut(plan: Plan, content: Content, conditions: Conditions) -> Part | None:
    """Cut the content to the range that is asked for, where its size is known by now."""
    part = None if content.size is None else conditions.part(plan.validators, content.size)
    if part:
        content.cut(*part)
    return part
