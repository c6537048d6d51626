"""Dates that are kept as text, on a line."""

import re
from collections.abc import Mapping
from datetime import date

from application.datasets.profile import BARS, Histogram

PARTIAL = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", re.ASCII)
FIRST = "0000-01-01"


def date_histogram(counts: Mapping[str, int]) -> Histogram | None:
    """How many texts are of which time, by how many there are of each; None where not all are dates.

    Years and months count as their first day, as filters take them; where nothing else is there, they may
    be any numbers.
    """
    days: dict[int, int] = {}
    for text, count in counts.items():
        day = _day(text)
        if day is None:
            return None
        days[day] = days.get(day, 0) + count
    if len(days) < 2 or not any(len(text) == len(FIRST) for text in counts):
        return None
    low, high = min(days), max(days)
    bars = [0] * BARS
    for day, count in days.items():
        bars[min((day - low) * BARS // (high - low), BARS - 1)] += count
    ends = {"from": date.fromordinal(low).isoformat(), "to": date.fromordinal(high).isoformat()}
    return Histogram.model_validate({**ends, "counts": tuple(bars)})


def _day(text: str) -> int | None:
    if not PARTIAL.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text + FIRST[len(text) :]).toordinal()
    except ValueError:
        return None
