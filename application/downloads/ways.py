"""How downloads are answered: by the stored object, made whole, as a stream, by an export, or not at all."""

from dataclasses import dataclass
from enum import Enum

from application.downloads.plan import SMALL_BYTES, Plan


class Way(Enum):
    """How a download would be answered."""

    STORED = "stored"  # as the stored object, whole
    WHOLE = "whole"  # made whole before its headers
    STREAM = "stream"  # as it is made
    EXPORT = "export"  # made into the export bucket, and redirected to
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Ways:
    """What decides how downloads are answered here: the most bytes of an answer, and what is beyond it.

    ``is_whole``: every result is made whole before its headers. ``most_bytes`` is None for no limit.
    """

    is_whole: bool
    most_bytes: int | None
    has_exports: bool

    def of(self, plan: Plan, size: int | None, kept: int) -> tuple[Way, str]:
        """The way of a plan's result of about so many bytes, and why; results of ``kept`` bytes are kept."""
        if self.most_bytes is not None and size is not None and size > self.most_bytes:
            return self._beyond(plan, f"An answer here may have {self.most_bytes:,} bytes")
        if plan.is_native:
            return Way.STORED, "It is the stored object itself."
        if plan.format.whole and size is not None and size > kept:
            return self._beyond(plan, f"It is made whole first, and {kept:,} bytes can be kept here")
        if self.is_whole:
            return Way.WHOLE, "Every result here is made whole before it is sent."
        if plan.format.random_access and kept:
            if size is not None and size > kept:
                return Way.STREAM, f"It is larger than the {kept:,} bytes that can be kept here."
            quick = "" if plan.format.whole else ", if that is quick"
            return Way.WHOLE, f"Its readers seek, so it is made whole before it is sent{quick}."
        if size is not None and size <= SMALL_BYTES and plan.may_be_small:
            return Way.WHOLE, "It is small."
        return Way.STREAM, "It is sent as it is made."

    def _beyond(self, plan: Plan, told: str) -> tuple[Way, str]:
        """What becomes of a result that has no place here."""
        if self.has_exports:
            return Way.EXPORT, f"{told}; the result is made into a bucket, and redirected to."
        return Way.REFUSED, f"{told}. {plan.advice}"
