"""Areas by their names: which datasets have them, and which reference a name means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from application.datasets.geometry import NAME_COLUMN, key_of
from application.errors import DownloadError
from application.models import Label
from application.storage.lanes import outcome

if TYPE_CHECKING:
    from application.datasets.catalogue import Catalogue
    from application.datasets.listing import Listed, Listing
    from application.downloads.labels import Labels, Names
    from application.models import Dataset

# For which a page waits.
SOON_SECONDS = 1.0
# Of so few rows a dataset's names are chosen from a list; more lists than these are not read.
MOST_LISTED, MOST_LISTS = 300, 6
MOST_REGIONS = 60
# Of names that are told where none fits.
MOST_NEAR, NEAR = 4, 0.6


@dataclass(frozen=True, slots=True)
class Region:
    """A dataset of areas that people know by name; ``names`` are by reference, None where they are many."""

    dataset: str
    title: str
    names: Mapping[str, str] | None = None


class Regions:
    """Knows the datasets whose rows can be areas, and their names."""

    def __init__(self, catalogue: Catalogue, listing: Listing, labels: Labels) -> None:
        self._catalogue = catalogue
        self._listing = listing
        self._labels = labels

    async def find(self, dataset: Dataset) -> tuple[Region, ...]:
        """The regions that rows of a dataset may be in, as far as known soon; none without geometry."""
        if dataset.geometry is None or dataset.fault:
            return ()
        if look := self._listing.refresh():
            with suppress(DownloadError, TimeoutError):
                await outcome(look, SOON_SECONDS)
        there = [
            item for item in self._listing.seen.datasets if item.region_key and item.name != dataset.name
        ]
        there = sorted(there, key=lambda item: item.rows or 0)[:MOST_REGIONS]
        with suppress(TimeoutError):
            async with asyncio.timeout(SOON_SECONDS):
                return await asyncio.to_thread(self._found, there)
        return tuple(_region(item) for item in there)

    def _found(self, there: Sequence[Listed]) -> tuple[Region, ...]:
        found = []
        for place, item in enumerate(there):
            names = None
            if place < MOST_LISTS and (item.rows or 0) <= MOST_LISTED:
                names = self._labels.names(Label(item.name, item.region_key, NAME_COLUMN))
            found.append(_region(item, names or None))
        return tuple(found)

    def name(self, dataset: str, reference: str) -> str:
        """What the area of a reference is called; empty where nobody says. For a thread that may wait."""
        return self._names(dataset).get(reference, "")

    def reference(self, dataset: str, text: str) -> str:
        """The reference of the area that a text means, by its name or by its reference.

        For a thread that may wait. Raises ValueError with what would be right.
        """
        names = self._names(dataset)
        if text in names or not names:
            # Of very many nobody knows the names; the reference may be right all the same.
            return text
        wanted = text.casefold()
        same = [reference for reference, name in names.items() if name.casefold() == wanted]
        if len(same) == 1:
            return same[0]
        if same:
            several = ", ".join(same[:MOST_NEAR])
            raise ValueError(f"several areas are named {text[:60]!r}: use a reference instead: {several}")
        raise ValueError(f"no area is named {text[:60]!r}" + _near(wanted, names))

    def _names(self, dataset: str) -> Names:
        try:
            key = key_of(self._catalogue.get(dataset))
        except DownloadError:
            return {}
        return self._labels.names(Label(dataset, key, NAME_COLUMN)) if key else {}


def _near(wanted: str, names: Names) -> str:
    by_name = {name.casefold(): name for name in names.values()}
    near = [name for name in by_name if wanted in name][:MOST_NEAR]
    near += get_close_matches(wanted, by_name, MOST_NEAR, NEAR)
    told = list(dict.fromkeys(by_name[name] for name in near))[:MOST_NEAR]
    return f"; near it are {', '.join(told)}" if told else ""


def _region(item: Listed, names: Names | None = None) -> Region:
    return Region(item.name, item.words.title or item.name, names)
