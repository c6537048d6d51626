"""A dataset as it is offered: its description, and the formats in which it can be had."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from application.datasets.catalogue import Catalogue
from application.datasets.description import Description
from application.datasets.geometry import surveyed
from application.datasets.profiles import Profiles
from application.downloads.downloads import Downloads, read_lane
from application.downloads.estimate import Estimate, FormatEstimate
from application.downloads.estimates import Estimates
from application.downloads.labels import Labels, Names
from application.downloads.plan import Plan, Request
from application.downloads.ways import Way
from application.errors import DownloadError
from application.formats import FORMATS, Format
from application.models import Dataset
from application.storage.lanes import Lanes, outcome

# For which a description waits for the bytes of formats.
SOON_SECONDS = 0.5


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
class Described:
    """A dataset's description, with the ``labels``: names of values, by column, and by value as text."""

    description: Description
    labels: Mapping[str, Names]


@dataclass(frozen=True, slots=True)
class Offer:
    """A dataset's description, and the formats in which it can be had; ``labels`` as in ``Described``."""

    description: Description
    formats: tuple[OfferedFormat, ...]
    labels: Mapping[str, Names] = field(default_factory=dict)


class Offers:
    """Puts together what is told of a dataset, with the bytes of formats where they are known soon."""

    def __init__(
        self,
        catalogue: Catalogue,
        downloads: Downloads,
        *,
        estimates: Estimates,
        labels: Labels,
        profiles: Profiles,
        lanes: Lanes,
    ) -> None:
        self._catalogue = catalogue
        self._downloads = downloads
        self._estimates = estimates
        self._labels = labels
        self._profiles = profiles
        self._lanes = lanes

    async def describe(self, dataset: Dataset) -> Described:
        """What is told of a dataset, for who finds its formats' bytes by an estimate of a query."""
        return await self._lanes.run(read_lane(dataset), partial(self._described, dataset))

    async def find(self, name: str) -> Offer:
        """The offer of the dataset of that name. Raises as ``Downloads.find``."""
        dataset = await self._downloads.find(name)
        described, estimate = await self.describe(dataset), None
        if not dataset.fault:
            # It goes on, for who asks again.
            with suppress(DownloadError, TimeoutError):
                work = self._estimates.begin(Request(name, ""), dataset)
                estimate = await outcome(work, SOON_SECONDS)
        return self._offer(described, estimate)

    def of(self, name: str) -> Offer:
        """The same for a thread that may wait for storage."""
        dataset = self._catalogue.get(name)
        described, estimate = self._described(dataset), None
        if not dataset.fault:
            with suppress(DownloadError):
                estimate = self._estimates.now(Request(name, ""))
        return self._offer(described, estimate)

    def _described(self, dataset: Dataset) -> Described:
        description = self._catalogue.describe(dataset)
        profile = self._profiles.find(description, self._catalogue.sidecar(dataset.name))
        geometry = description.geometry and surveyed(description.geometry, dataset, profile)
        told = replace(description, profile=profile, geometry=geometry)
        return Described(told, self._labels.of(dataset))

    def _offer(self, described: Described, estimate: Estimate | None) -> Offer:
        description, labels = described.description, described.labels
        rows = [row for row in FORMATS.values() if description.geometry or not row.geometry]
        if estimate:
            known = {item.format.extension: item for item in estimate.formats}
            return Offer(description, tuple(_estimated(known[row.extension]) for row in rows), labels)
        fit = self._downloads.fit
        return Offer(description, tuple(_offered(row, description.dataset, fit) for row in rows), labels)


def _estimated(item: FormatEstimate) -> OfferedFormat:
    problem = item.reason if item.way is Way.REFUSED and item.size is None else ""
    return OfferedFormat(item.format, item.size, item.is_exact, problem)


def _offered(row: Format, dataset: Dataset, fit: Callable[[Request, Dataset, Format], Plan]) -> OfferedFormat:
    """A format of a dataset, by what fits a request to it."""
    try:
        plan = fit(Request(dataset.name, row.extension), dataset, row)
    except DownloadError as error:
        return OfferedFormat(row, problem=str(error))
    return OfferedFormat(row, dataset.size if plan.is_native else None, is_exact=plan.is_native)
