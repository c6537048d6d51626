"""The page of one dataset and one query, as a frozen value that its template shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.datasets.description import Description
from application.formats import FORMATS
from application.models import Dataset
from application.pages import figures
from application.pages.chips import Chip
from application.pages.columns import ColumnRow
from application.pages.controls import Form
from application.pages.downloads import Download, Estimate
from application.pages.geography import extent_words, kinds_words, system_words
from application.pages.map import Map
from application.pages.preview import Preview
from application.pages.result import Result
from application.pages.snippets import Snippet


@dataclass(frozen=True, slots=True)
class Check:
    """How to see that a file is whole."""

    manifest: str
    command: str


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """Everything that the page shows, in its order."""

    name: str
    title: str
    description: str
    facts: tuple[str, ...]
    attribution: str
    sentence: str
    left_out: str
    is_pending: bool
    columns_sentence: str
    is_filtered: bool
    chips: tuple[Chip, ...]
    all: str
    downloads: tuple[Download, ...]
    form: Form
    preview: Preview
    geometry: str
    map: Map | None
    columns: tuple[ColumnRow, ...]
    more_columns: int
    has_profile: bool
    snippets: tuple[Snippet, ...]
    check: Check
    canonical: str
    json: str
    json_ld: str


def check_of(result: Result, possible: Sequence[str]) -> Check:
    """How to see that a file of the first possible format is whole."""
    extension = next(iter(possible), result.base.extension)
    pairs = result.plain_pairs(FORMATS[extension])
    manifest = result.addresses.beside(result.dataset.name, "manifest", (("format", extension), *pairs))
    name = f"{result.filename}.{extension}"
    return Check(manifest, f"download-lambda verify {name} '{result.address(extension)}'")


def sentence(dataset: Dataset, estimate: Estimate) -> str:
    """How many rows a download has."""
    total, rows = dataset.rows, estimate.rows
    if rows is None and estimate.rows_at_most is not None:
        return f"At most {estimate.rows_at_most:,} of {figures.count(total, 'row')}"
    if rows is None:
        return f"Some of {figures.count(total, 'row')}"
    if rows == total:
        return f"All {figures.count(total, 'row')}" if total != 1 else "The one row"
    return f"{rows:,} of {figures.count(total, 'row')}"


def left_out_sentence(estimate: Estimate) -> str:
    """How many rows no area can have; empty where there are none, or no area is asked for."""
    without = estimate.without_geometry
    if not without:
        return ""
    have, are = ("has", "it is") if without == 1 else ("have", "they are")
    return f"{figures.count(without, 'row')} {have} no geometry that can be read, so {are} in no area"


def geometry_sentence(description: Description) -> str:
    """What the geometry is, in which reference system, and where; empty where there is none."""
    geometry, stored = description.geometry, description.dataset.geometry
    if geometry is None or stored is None:
        return ""
    told = [kinds_words(geometry.types), system_words(stored.crs)]
    if geometry.extent:
        told.append(extent_words(geometry.extent))
    return f"{', '.join(filter(None, told))}, in column “{geometry.column}”.{_unreadable(description)}"


def _unreadable(description: Description) -> str:
    profile, stored = description.profile, description.dataset.geometry
    seen = profile.columns.get(stored.column) if profile and stored else None
    if profile is None or seen is None or seen.geometry is None or not seen.geometry.unreadable:
        return ""
    looked = f" of {profile.rows:,} that were looked at" if profile.is_sample else ""
    count = seen.geometry.unreadable
    return (
        f" {figures.count(count, 'row')}{looked} {'has' if count == 1 else 'have'} a value there "
        "that cannot be read as a geometry."
    )
