"""The rows of a page's downloads: each format with its size, or with what keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass

from application.formats import FORMATS, Format
from application.pages import figures
from application.pages.result import Result, is_of_text
from application.pages.words import format_name
from application.query.dialect import PRESETS
from application.query.spelling import Pairs


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known of a query's results: rows exactly, or at most; by extension bytes, and what keeps one.

    ``without_geometry`` are the rows that no area can have, where one is asked for.
    ``sizes`` are bytes, and whether that is exact; ``slow`` formats are waited for on a page of their own.
    ``is_pending`` where more will be known soon.
    """

    rows: int | None = None
    rows_at_most: int | None = None
    without_geometry: int | None = None
    sizes: Mapping[str, tuple[int, bool]] | None = None
    problems: Mapping[str, str] | None = None
    slow: frozenset[str] = frozenset()
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """One row of the downloads: what it is, for whom, how large, and where; or why it cannot be had."""

    name: str
    use: str
    path: str
    size: str = ""
    problem: str = ""
    label: str = ""


def download_rows(result: Result, estimate: Estimate, *, has_geometry: bool) -> tuple[Download, ...]:
    """A row for each format, and one more for spreadsheets that need CSV marked."""
    rows = []
    for row in FORMATS.values():
        if row.geometry and not has_geometry:
            continue
        rows.append(_download(result, row, estimate))
        if row.dialect == result.base.dialect and not any(is_of_text(name) for name, _ in result.pairs):
            preset = next(iter(PRESETS))
            rows.append(_download(result, row, estimate, (("preset", preset),)))
    return tuple(rows)


def _download(result: Result, row: Format, estimate: Estimate, more: Pairs = ()) -> Download:
    name = f"{format_name(row.extension)} for Excel" if more else format_name(row.extension)
    use = "opens in Excel with every letter right" if more else row.use
    problem = (estimate.problems or {}).get(row.extension, "")
    if problem:
        return Download(name, use, "", problem=problem)
    known = (estimate.sizes or {}).get(row.extension)
    size = ""
    if known:
        size = figures.size(known[0]) if known[1] and not more else f"about {figures.size(known[0])}"
    what = "download" if row.extension in estimate.slow else row.extension
    pairs = (*result.pairs_for(row), *more)
    if what == "download":
        path = result.addresses.beside(result.dataset.name, "download", (("format", row.extension), *pairs))
    else:
        path = result.addresses.download(result.dataset.name, row.extension, pairs)
    return Download(name, use, path, size)
