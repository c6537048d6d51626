"""What was chosen, in words, each with the page without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from application.models import Area
from application.pages import figures
from application.pages.geography import extent_words, position_words
from application.pages.result import Result, is_of_text
from application.pages.words import told
from application.query.area import reference_of
from application.query.parameters import PARAMETERS

# Of a place as a chip tells it.
LONGEST_AREA = 40
# Of these a chip has words of its own.
SPELLED = frozenset({"field", "exclude_field", "sort", "limit", "offset", "period"}) | frozenset(
    ("bbox", "bbox-crs", "intersects", "within", "near")
)
AREA_WORDS = {"within": "inside", "intersects": "touching"}
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
        chip(area_words(area, result.places), areas=others)
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


def area_words(area: Area, places: Mapping[str, str]) -> str:
    """An area as a chip tells it: `inside Camden (E09000007)`."""
    if area.relation == "bbox":
        numbers = [float(number) for number in area.text.split(",")]
        if not area.crs:
            return f"in the box {extent_words((numbers[0], numbers[1], numbers[2], numbers[3]))}"
        return f"in the box {area.text} of {area.crs}"
    if area.relation == "near":
        longitude, latitude, metres = map(float, area.text.split(","))
        return f"within {metres:,g} m of {position_words(longitude, latitude)}"
    how = AREA_WORDS[area.relation]
    reference = reference_of(area.relation, area.text)
    if reference and (name := places.get(area.text)):
        return f"{how} {name} ({reference[1]})"
    text = area.text if len(area.text) <= LONGEST_AREA else area.text[: LONGEST_AREA - 1] + "…"
    return f"{how} {text}"


def columns_words(result: Result) -> str:
    """How many columns of how many."""
    chosen, there = len(result.query.columns), len(result.dataset.columns)
    return (
        f"{chosen:,} of {figures.count(there, 'column')}" if chosen != there else "columns in another order"
    )
