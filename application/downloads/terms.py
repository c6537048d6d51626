"""What a request brings beside its plan, and which way of answering follows from both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from application.downloads.conditions import Conditions
from application.production.claim import Claim

if TYPE_CHECKING:
    from application.downloads.limits import Limits
    from application.downloads.plan import Plan
    from application.storage.base import Method

# For those who ask in several requests, or were told to ask again.
HOLD_SECONDS = 30.0
NONE = Conditions()


class Manner(Enum):
    """How the bytes of a plan are come by."""

    TELL = "tell"  # nothing is made: what is known of them
    READ = "read"  # from the start, as they come
    SEEK = "seek"  # made to the end first, and not at all if that takes too long
    WHOLE = "whole"  # as SEEK, but by one reader from its start


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a plan is answered: the client's conditions, an answer's limits, and who asks.

    ``is_head`` asks for no bytes; ``client`` is the name that its productions are counted under.
    """

    conditions: Conditions = NONE
    limits: Limits | None = None
    is_head: bool = False
    client: str = ""

    @property
    def method(self) -> Method:
        """The method that a signed address has to be good for."""
        return "HEAD" if self.is_head else "GET"

    @property
    def seconds_left(self) -> float | None:
        """How long the answer may take from now on; None for no limit."""
        return self.limits.seconds_left if self.limits else None

    @property
    def most_bytes(self) -> int | None:
        """The most bytes of an answer; None for no limit."""
        return self.limits.most_bytes if self.limits else None

    def manner(self, plan: Plan, *, is_begun: bool) -> Manner:
        """How a plan is answered whose result can be kept; ``is_begun`` where it is made or there."""
        if self.is_head:
            row = plan.format
            return Manner.SEEK if row.random_access or row.measured else Manner.TELL
        if not self.conditions.wants_part(plan.validators):
            return Manner.WHOLE if plan.format.whole else Manner.READ
        is_glance = self.conditions.range is not None and self.conditions.range.is_glance
        return Manner.READ if is_glance and not (is_begun or plan.format.random_access) else Manner.SEEK

    def claim(self, manner: Manner) -> Claim:
        """What is asked of the production when it is begun."""
        return self.hold if manner is Manner.SEEK else Claim(client=self.client)

    @property
    def hold(self) -> Claim:
        """What is asked for who comes again."""
        # A HEAD that waits behind downloads would keep them waiting in turn, for bytes that nobody takes.
        return Claim(HOLD_SECONDS, self.client, queues=not self.is_head)
