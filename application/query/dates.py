"""ISO dates, whole or partial, as spans of days, and as bounds for dates that are kept as text."""

import re
from calendar import monthrange
from datetime import date, timedelta

DATE = re.compile(r"(?P<year>[0-9]{4})(-(?P<month>[0-9]{2})(-(?P<day>[0-9]{2}))?)?", re.ASCII)
# After every text that starts with a digit: the first letter after "9".
AFTER_ALL_YEARS = ":"


def span(text: str) -> tuple[date, date] | None:
    """The first and the last day of `2024`, `2024-03` or `2024-03-15`; None for what is no such date."""
    match = DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.group("year", "month", "day"))
    try:
        first = date(year or 0, 1 if month is None else month, 1 if day is None else day)
    except ValueError:
        return None
    if day:
        return first, first
    last_month = 12 if month is None else month
    return first, date(first.year, last_month, monthrange(first.year, last_month)[1])


def first_text(text: str) -> str:
    """The text from which on dates lie in a date's span or after it, partial ones at their first day."""
    return _trimmed(_days(text)[0])


def after_text(text: str) -> str:
    """The text from which on dates lie after a date's span, partial ones at their first day."""
    last = _days(text)[1]
    return AFTER_ALL_YEARS if last == date.max else _trimmed(last + timedelta(days=1))


def _days(text: str) -> tuple[date, date]:
    days = span(text)
    if days is None:
        raise ValueError(f"{text!r} is no date")
    return days


def _trimmed(day: date) -> str:
    """A day as the shortest partial date that begins with it, which comes before all texts of that day."""
    return day.isoformat().removesuffix("-01").removesuffix("-01")
