"""What was chosen, in words, each with the page without it."""

from dataclasses import dataclass
from typing import Any

from application.pages import figures
from application.pages.result import Result, is_of_text
from application.pages.words import told
from application.query.parameters import PARAMETERS

# Of a place as a chip tells it.
LONGEST_AREA = 40
# Of these a chip has words of its own.
SPELLED = frozenset({"field", "exclude_field", "sort", "limit", "offset", "period"}) | frozenset(
    ("bbox", "bbox-crs", "intersects", "within", "near")
)
PERIOD_WORDS = {"current": "in force today", "historical": "no longer in force"}


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that was chosen, and the page without it."""

    words: str
    without: str


def chips_of(result: Result) -> tuple[Chip, ...]:
    """What was chosen, each with the page without it."""
    query, dataset, found = result.query, result.dataset, list[Chip]()

    def chip(words: str, **changes: Any) -> None:
        found.append(Chip(words, result.without(**changes)))

    for item in query.filters:
        rest = tuple(other for other in query.filters if other is not item)
        chip(told(item, result.labels), filters=rest)
    for area in query.areas:
        others = tuple(other for other in query.areas if other is not area)
        chip(f"{area.relation} {area.text[:LONGEST_AREA]}", areas=others)
    if query.period:
        chip(PERIOD_WORDS[query.period.only], period=None)
    if query.columns != dataset.columns:
        chip(columns_words(result), columns=dataset.columns)
    for by in query.order:
        way = "from its end" if by.descending else "first to last"
        left = tuple(other for other in query.order if other is not by)
        chip(f"sorted by {by.column.name}, {way}", order=left)
    if query.limit is not None:
        chip(f"at most {figures.count(query.limit, 'row')}", limit=None)
    if query.offset:
        chip(f"without the first {figures.count(query.offset, 'row')}", offset=0)
    for pair in result.pairs:
        name, value = pair
        if name in PARAMETERS and name not in SPELLED and not is_of_text(name):
            without = tuple(other for other in result.pairs if other != pair)
            found.append(Chip(f"{name} {value}", result.addresses.page(dataset.name, without)))
    return tuple(found)


def columns_words(result: Result) -> str:
    """How many columns of how many."""
    chosen, there = len(result.query.columns), len(result.dataset.columns)
    return (
        f"{chosen:,} of {figures.count(there, 'column')}" if chosen != there else "columns in another order"
    )
