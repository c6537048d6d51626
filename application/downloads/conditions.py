"""A request's preconditions and range, parsed once; evaluated on what is answered (RFC 9110, 13 and 14)."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from application.errors import PreconditionFailed, RangeNotSatisfiable

# Longer numbers are no place in any file, and past 4,300 digits Python refuses them.
RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
TAG = re.compile(r'(W/)?"([^"]*)"')
# 128 bits: two texts share one by no chance that matters.
E_TAG_DIGITS = 32
# Link previews ask for less than this, from the start.
GLANCE_BYTES = 1 << 20
THIS_VERSION = "This is a version that If-None-Match names."
# Of what has an ETag alone.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
OTHER_VERSION = "The dataset is no longer the version that If-Match or If-Unmodified-Since names."


def make_e_tag(parts: object) -> str:
    """A strong ETag, without its quotes, of all that decides the bytes, by its representation."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:E_TAG_DIGITS]


@dataclass(frozen=True, slots=True)
class Validators:
    """What an answer is recognised by: a strong ETag, without its quotes, and a time in whole seconds."""

    e_tag: str
    last_modified: datetime

    @property
    def seconds(self) -> datetime:
        """The time as HTTP can say it."""
        return self.last_modified.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Tags:
    """The ETags that a field lists, without their quotes."""

    any: bool
    strong: frozenset[str]
    weak: frozenset[str]


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One range as it was sent: from ``first`` to ``last``, or the ``last`` so many bytes; None is open."""

    first: int | None
    last: int | None

    @property
    def is_backward(self) -> bool:
        """True where it ends before it begins, and so is no range."""
        return self.first is not None and self.last is not None and self.last < self.first

    @property
    def is_glance(self) -> bool:
        """True for a few bytes from the start; the first alone asks whether there are ranges."""
        return self.first == 0 and self.last is not None and 0 < self.last < GLANCE_BYTES


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a client makes its request depend on; the default is nothing.

    ``is_reading`` is False for a method that does not read by what HTTP says of it: what its client has
    already fails then, and is no 304.
    """

    if_match: Tags | None = None
    if_none_match: Tags | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None
    if_range: str | None = None
    range: ByteRange | None = None
    is_reading: bool = True

    @classmethod
    def parse(cls, lines: Callable[[str], Sequence[str]]) -> "Conditions":
        """Read the field lines of a request, all of a name, by the name in lower case.

        What is no date counts as no precondition; several ranges, other units and what is no range at all
        ask for the whole.
        """
        return cls(
            _tags(lines("if-match")),
            _tags(lines("if-none-match")),
            _date(lines("if-modified-since")),
            _date(lines("if-unmodified-since")),
            ", ".join(lines("if-range")) if lines("if-range") else None,
            _range(lines("range")),
        )

    def is_not_modified(self, validators: Validators) -> bool:
        """True where the client has it already, in the order of RFC 9110, 13.2.2.

        Raises PreconditionFailed.
        """
        if self.if_match is not None:
            if not self.if_match.any and validators.e_tag not in self.if_match.strong:
                raise PreconditionFailed(OTHER_VERSION)
        elif self.if_unmodified_since and validators.seconds > self.if_unmodified_since:
            raise PreconditionFailed(OTHER_VERSION)
        if self.if_none_match is not None:
            named = self.if_none_match.strong | self.if_none_match.weak
            is_had = self.if_none_match.any or validators.e_tag in named
            if is_had and not self.is_reading:
                raise PreconditionFailed(THIS_VERSION)
            return is_had
        return self.if_modified_since is not None and validators.seconds <= self.if_modified_since

    def wants_part(self, validators: Validators) -> bool:
        """True where a part of this very version is asked for."""
        return self.range is not None and not self.range.is_backward and self._is_of(validators)

    def part(self, validators: Validators, size: int) -> tuple[int, int] | None:
        """The bytes [start, end) that are asked for of so many, or None for all.

        Raises RangeNotSatisfiable.
        """
        if self.range is None or not self.wants_part(validators):
            return None
        first, last = self.range.first, self.range.last
        if first is None:
            start, end = max(size - (last or 0), 0), size
        else:
            start, end = first, size if last is None else min(last + 1, size)
        if start >= end:
            raise RangeNotSatisfiable(size)
        return start, end

    def _is_of(self, validators: Validators) -> bool:
        """False where the range is of another version: then all of this one is sent."""
        if self.if_range is None:
            return True
        if '"' in self.if_range:
            return self.if_range.strip() == f'"{validators.e_tag}"'
        return _date([self.if_range]) == validators.seconds


def _tags(lines: Sequence[str]) -> Tags | None:
    if not lines:
        return None
    found = [tag for line in lines for tag in TAG.findall(line)]
    return Tags(
        any(line.strip() == "*" for line in lines),
        frozenset(tag for prefix, tag in found if not prefix),
        frozenset(tag for prefix, tag in found if prefix),
    )


def _range(lines: Sequence[str]) -> ByteRange | None:
    match = RANGE.fullmatch(", ".join(lines))
    if not match or not any(match.groups()):
        return None
    first, last = (int(digits) if digits else None for digits in match.groups())
    return ByteRange(first, last)


def _date(lines: Sequence[str]) -> datetime | None:
    """An HTTP date, or None for none, for several, and for what is none."""
    if len(lines) != 1:
        return None
    try:
        found = parsedate_to_datetime(lines[0])
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
