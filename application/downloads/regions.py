"""Areas by their names: which datasets have them, and which reference a name means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from application.datasets.geometry import NAME_COLUMN, key_of
from application.errors import DatasetNotFound, DownloadError, StorageStalled
from application.models import Label
from application.storage.lanes import outcome

if TYPE_CHECKING:
    from application.datasets.listing import Listing
    from application.downloads.downloads import Downloads
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

    def __init__(self, downloads: Downloads, listing: Listing, labels: Labels, name_seconds: float) -> None:
        self._downloads = downloads
        self._listing = listing
        self._labels = labels
        self._name_seconds = name_seconds

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
        few = [item.name for item in there[:MOST_LISTS] if (item.rows or 0) <= MOST_LISTED]
        found = dict(zip(few, await asyncio.gather(*map(self._known_soon, few)), strict=True))
        return tuple(
            Region(item.name, item.words.title or item.name, found.get(item.name) or None) for item in there
        )

    async def name(self, dataset: str, reference: str) -> str:
        """What the area of a reference is called; empty where nobody says, or not soon."""
        return (await self._known_soon(dataset)).get(reference, "")

    async def reference(self, dataset: str, text: str) -> str:
        """The reference of the area that a text means, by its name or by its reference.

        Raises ValueError with what would be right, and what finding the dataset raises.
        """
        try:
            names = await self._names(dataset, self._name_seconds)
        except DatasetNotFound:
            names = {}
        except TimeoutError:
            raise StorageStalled("Finding the area by its name takes too long; try again.") from None
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

    async def _known_soon(self, dataset: str) -> Names:
        with suppress(DownloadError, TimeoutError):
            async with asyncio.timeout(SOON_SECONDS):
                return await self._names(dataset, SOON_SECONDS)
        return {}

    async def _names(self, name: str, seconds: float) -> Names:
        # Neither holds a thread of those that pages and plans share.
        dataset = await self._downloads.find(name)
        key = key_of(dataset)
        return await self._labels.soon(dataset, Label(name, key, NAME_COLUMN), seconds) if key else {}


def _near(wanted: str, names: Names) -> str:
    by_name = {name.casefold(): name for name in names.values()}
    near = [name for name in by_name if wanted in name][:MOST_NEAR]
    near += get_close_matches(wanted, by_name, MOST_NEAR, NEAR)
    told = list(dict.fromkeys(by_name[name] for name in near))[:MOST_NEAR]
    return f"; near it are {', '.join(told)}" if told else ""
