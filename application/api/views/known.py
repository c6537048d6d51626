"""What the pages of a dataset know of it before they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.downloads.shapes import shape_of
from application.errors import DatasetInvalid
from application.formats import FORMATS
from application.pages.choices import Choices
from application.pages.columns import few_valued, frequent_values
from application.pages.controls import Form
from application.pages.form import make_form
from application.query.area import reference_of
from application.query.parsed import ParsedQuery, parse

if TYPE_CHECKING:
    from application.downloads.offers import Described
    from application.downloads.regions import Region
    from application.models import Dataset, Query
    from application.service import Service

Pairs = tuple[tuple[str, str], ...]
# Pages are those of the queries of this format.
BASE = FORMATS["csv"]


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a dataset beside its columns; empty where nobody says it."""

    labels: Mapping[str, Mapping[str, str]]
    frequent: Mapping[str, Sequence[tuple[str, int | None]]]
    few: frozenset[str]
    regions: tuple[Region, ...] = ()


def told_by(described: Described, regions: tuple[Region, ...]) -> Told:
    """What a description tells."""
    profile = described.description.profile
    return Told(described.labels, frequent_values(profile), few_valued(profile), regions)


def parsed(sent: Pairs, dataset: Dataset) -> ParsedQuery:
    """The query of a page's parameters; raises QueryInvalid."""
    return parse(sent, dataset.columns, BASE.dialect, shape_of(dataset, BASE))


async def readable(current: Service, name: str) -> Dataset:
    """The dataset of that name; raises what finding it raises, and DatasetInvalid for what none can read."""
    dataset = await current.downloads.find(name)
    if dataset.fault:
        raise DatasetInvalid(dataset.fault)
    return dataset


async def places_of(current: Service, query: Query) -> dict[str, str]:
    """What the areas of other datasets are called that a query names, by their text."""
    said = {area.text: reference_of(area.relation, area.text) for area in query.areas}
    named = {text: reference for text, reference in said.items() if reference}
    names = await asyncio.gather(*(current.regions.name(*reference) for reference in named.values()))
    return {text: name for text, name in zip(named, names, strict=True) if name}


def form_of(
    dataset: Dataset,
    choices: Choices,
    told: Told,
    action: str,
    problems: Sequence[tuple[str, str]] = (),
) -> Form:
    """The form with these choices, or with what is wrong with them."""
    return make_form(
        action,
        dataset,
        dataset.words.columns,
        choices,
        labels=told.labels,
        frequent=told.frequent,
        few=told.few,
        regions=told.regions,
        problems=problems,
    )


def title_of(dataset: Dataset) -> str:
    """What a dataset is called."""
    return dataset.words.title or dataset.name
