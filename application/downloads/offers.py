"""A dataset as it is offered: its description, and the formats in which it can be had."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from application.datasets.catalogue import Catalogue
from application.datasets.description import Description
from application.downloads.downloads import Downloads, read_lane
from application.downloads.plan import Plan, Request
from application.errors import DownloadError
from application.formats import FORMATS, Format
from application.models import Dataset
from application.storage.lanes import Lanes


@dataclass(frozen=True, slots=True)
class OfferedFormat:
    """A format of a whole dataset: its bytes, None where not known, and whether these are exact.

    ``problem`` says why the dataset cannot be had so as it is, if it cannot.
    """

    format: Format
    size: int | None = None
    is_exact: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A dataset's description, and the formats in which it can be had."""

    description: Description
    formats: tuple[OfferedFormat, ...]


class Offers:
    """Puts together what is told of a dataset; reads no rows."""

    def __init__(self, catalogue: Catalogue, downloads: Downloads, lanes: Lanes) -> None:
        self._catalogue = catalogue
        self._downloads = downloads
        self._lanes = lanes

    async def find(self, name: str) -> Offer:
        """The offer of the dataset of that name. Raises as ``Downloads.find``."""
        dataset = await self._downloads.find(name)
        return await self._lanes.run(read_lane(dataset), partial(self._offer, dataset))

    def of(self, name: str) -> Offer:
        """The same for a thread that may wait for storage."""
        return self._offer(self._catalogue.get(name))

    def _offer(self, dataset: Dataset) -> Offer:
        description = self._catalogue.describe(dataset)
        rows = [row for row in FORMATS.values() if description.geometry or not row.geometry]
        return Offer(description, tuple(offered(row, dataset, self._downloads.fit) for row in rows))


def offered(row: Format, dataset: Dataset, fit: Callable[[Request, Dataset, Format], Plan]) -> OfferedFormat:
    """A format of a dataset, by what fits a request to it."""
    try:
        plan = fit(Request(dataset.name, row.extension), dataset, row)
    except DownloadError as error:
        return OfferedFormat(row, problem=str(error))
    return OfferedFormat(row, dataset.size if plan.is_native else None, is_exact=plan.is_native)
