"""Figures as people read them."""

from datetime import datetime

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def number(value: float) -> str:
    """A number with separators."""
    return f"{value:,}"


def count(value: int, noun: str) -> str:
    """So many of something: `1 row`, `12,345 rows`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def size(value: int) -> str:
    """Bytes in the unit that leaves few digits, as file managers show them: 1 MB is 1,000,000 bytes."""
    amount, unit = float(value), 0
    while amount >= 999.5 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    if unit == 0:
        return count(value, "byte")
    # On one line.
    return f"{amount:.0f}\u00a0{UNITS[unit]}" if amount >= 99.5 else f"{amount:.1f}\u00a0{UNITS[unit]}"


def day(moment: datetime) -> str:
    """A day as `5 January 2026`."""
    return f"{moment.day} {moment:%B %Y}"


def share(part: int, whole: int) -> str:
    """A share in percent, never `0%` of something nor `100%` of less."""
    if not part or not whole:
        return "0%"
    percent = 100 * part / whole
    if part < whole and percent > 99:
        return "over 99%"
    return "under 1%" if percent < 1 else f"{percent:.0f}%"
