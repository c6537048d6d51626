"""Preconditions and ranges of a request against what it asks for (RFC 9110, 13 and 14)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from starlette.datastructures import Headers

# Longer numbers are no place in any file, and past 4,300 digits Python refuses them.
RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
TAG = re.compile(r'(W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Validators:
    """What a response is recognised by: a strong ETag, without its quotes, and a time in whole seconds."""

    e_tag: str
    last_modified: datetime


class PreconditionFailed(Exception):
    """The client asked for another version than there is."""


class RangeNotSatisfiable(Exception):
    """No byte of the range exists; ``size`` is how many there are."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def is_not_modified(headers: Headers, validators: Validators) -> bool:
    """Evaluate the preconditions in the order of RFC 9110, 13.2.2; raises PreconditionFailed."""
    if (if_match := headers.get("if-match")) is not None:
        if not _matches(if_match, validators.e_tag, weak=False):
            raise PreconditionFailed
    elif (since := _date(headers.get("if-unmodified-since"))) and _seconds(validators) > since:
        raise PreconditionFailed
    if (if_none_match := headers.get("if-none-match")) is not None:
        return _matches(if_none_match, validators.e_tag, weak=True)
    since = _date(headers.get("if-modified-since"))
    return since is not None and _seconds(validators) <= since


def wanted_range(headers: Headers, validators: Validators, size: int) -> tuple[int, int] | None:
    """The single range [start, end) that the client wants, or None for all; raises RangeNotSatisfiable.

    Several ranges, other units and what is no range at all are answered with the whole.
    """
    match = RANGE.fullmatch(headers.get("range", ""))
    if not match or not _is_same_version(headers.get("if-range"), validators):
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    else:
        start, end = max(size - int(last), 0), size
    if start >= end:
        raise RangeNotSatisfiable(size)
    return start, end


def _is_same_version(if_range: str | None, validators: Validators) -> bool:
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() == f'"{validators.e_tag}"'
    return _date(if_range) == _seconds(validators)


def _matches(header: str, e_tag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(tag == e_tag and (weak or not prefix) for prefix, tag in TAG.findall(header))


def _seconds(validators: Validators) -> datetime:
    return validators.last_modified.astimezone(UTC).replace(microsecond=0)


def _date(header: str | None) -> datetime | None:
    """An HTTP date, or None for none or what is none, which counts as no precondition."""
    if header is None:
        return None
    try:
        found = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
