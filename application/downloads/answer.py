"""What a request for a download gets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from application.downloads.content import Content
    from application.downloads.plan import Plan


class Kind(Enum):
    """The ways in which a request is answered."""

    CONTENT = "content"  # of the plan, all of it or a part; what a HEAD may tell without making it
    NOT_MODIFIED = "not modified"  # the client has it
    REDIRECT = "redirect"  # it lies elsewhere


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of some kind, and the plan that it is of, which is another where the data has changed.

    ``part`` is [start, end) where the content is cut to a range, ``has_ranges`` says whether one may be asked
    for here, and ``location`` is a redirect's address.
    """

    kind: Kind
    plan: Plan
    content: Content | None = None
    part: tuple[int, int] | None = None
    has_ranges: bool = True
    location: str | None = None
