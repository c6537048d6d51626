"""The page of one dataset and one query, as a frozen value that its template shows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from application.formats import FORMATS, Format
from application.models import Dataset, Query
from application.pages import figures
from application.pages.addresses import Addresses
from application.pages.columns import ColumnRow
from application.pages.form import Form
from application.pages.preview import Preview
from application.pages.snippets import Snippet, snippets
from application.pages.words import Labels, format_name, told
from application.query.dialect import PRESETS
from application.query.operators import OPERATORS
from application.query.parameters import PARAMETERS
from application.query.spelling import Pairs, spelled

# Of a place as a chip tells it.
LONGEST_AREA = 40
# Of a name that says what is in the file.
LONGEST_FILENAME = 80
# Of these a chip has words of its own.
SPELLED = frozenset({"field", "exclude_field", "sort", "limit", "offset", "period"})
PERIOD_WORDS = {"current": "in force today", "historical": "no longer in force"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known of a query's results: rows exactly, or at most; by extension bytes, and what keeps one.

    ``sizes`` are bytes, and whether that is exact; ``slow`` formats are waited for on a page of their own.
    ``is_pending`` where more will be known soon.
    """

    rows: int | None = None
    rows_at_most: int | None = None
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


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that was chosen, and the page without it."""

    words: str
    without: str


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
    is_pending: bool
    columns_sentence: str
    is_filtered: bool
    chips: tuple[Chip, ...]
    all: str
    downloads: tuple[Download, ...]
    form: Form
    preview: Preview
    columns: tuple[ColumnRow, ...]
    more_columns: int
    has_profile: bool
    snippets: tuple[Snippet, ...]
    check: Check
    canonical: str
    json: str
    json_ld: str


class Result:
    """One query of one dataset, as addresses and words; ``sent`` are the parameters that asked for it."""

    def __init__(
        self,
        dataset: Dataset,
        query: Query,
        sent: Pairs,
        *,
        addresses: Addresses,
        labels: Labels,
        base: Format,
    ) -> None:
        self.dataset, self.query, self.addresses, self.labels = dataset, query, addresses, labels
        self._base = base
        self.pairs = self._spelled(query, sent)
        self._sent = sent

    def _spelled(self, query: Query, sent: Pairs) -> Pairs:
        return spelled(query, self.dataset.columns, self._base.dialect, sent)

    @property
    def is_whole(self) -> bool:
        """True where nothing was chosen."""
        return not self.pairs

    @property
    def page(self) -> str:
        """The path of this very page."""
        return self.addresses.page(self.dataset.name, self.pairs)

    def pairs_for(self, chosen: Format) -> Pairs:
        """The parameters that a format takes, with a name that says what is in the file."""
        kept = self.plain_pairs(chosen)
        filename = self.filename
        return kept if filename == self.dataset.name else (*kept, ("filename", filename))

    def plain_pairs(self, chosen: Format | None = None) -> Pairs:
        """The parameters that a format takes, or that all take."""
        if chosen and chosen.dialect == self._base.dialect:
            return self.pairs
        # Another delimited text has a delimiter of its own.
        kept = (pair for pair in self.pairs if pair[0] != "delimiter")
        return tuple(pair for pair in kept if (chosen and chosen.dialect) or not _is_of_text(pair[0]))

    def address(self, extension: str) -> str:
        """The whole address of the result in a format."""
        row = FORMATS[extension]
        path = self.addresses.download(self.dataset.name, extension, self.plain_pairs(row))
        return self.addresses.absolute(path)

    @property
    def filename(self) -> str:
        """What to save it as, without an extension: the dataset and what was chosen."""
        parts = [self.dataset.name]
        for item in self.query.filters:
            known = self.labels.get(item.column.name, {})
            values = [known.get(value, value) for value in item.values[:2]] or [OPERATORS[item.operator].name]
            parts += [_slug(value) for value in values]
        if self.query.period:
            parts.append(self.query.period.only)
        name = "-".join(part for part in parts if part)
        return name if len(name) <= LONGEST_FILENAME else self.dataset.name

    def chips(self) -> tuple[Chip, ...]:
        """What was chosen, each with the page without it."""
        query, found = self.query, []

        def chip(words: str, **changes: Any) -> None:
            pairs = self._spelled(replace(query, **changes), self._sent)
            found.append(Chip(words, self.addresses.page(self.dataset.name, pairs)))

        for item in query.filters:
            rest = tuple(other for other in query.filters if other is not item)
            chip(told(item, self.labels), filters=rest)
        for area in query.areas:
            others = tuple(other for other in query.areas if other is not area)
            chip(f"{area.relation} {area.text[:LONGEST_AREA]}", areas=others)
        if query.period:
            chip(PERIOD_WORDS[query.period.only], period=None)
        if query.columns != self.dataset.columns:
            chip(self.columns_words(), columns=self.dataset.columns)
        for by in query.order:
            way = "from its end" if by.descending else "first to last"
            left = tuple(other for other in query.order if other is not by)
            chip(f"sorted by {by.column.name}, {way}", order=left)
        if query.limit is not None:
            chip(f"at most {figures.count(query.limit, 'row')}", limit=None)
        if query.offset:
            chip(f"without the first {figures.count(query.offset, 'row')}", offset=0)
        for pair in self.pairs:
            name, value = pair
            if name in PARAMETERS and name not in SPELLED and not _is_of_text(name):
                without = tuple(other for other in self.pairs if other != pair)
                found.append(Chip(f"{name} {value}", self.addresses.page(self.dataset.name, without)))
        return tuple(found)

    def columns_words(self) -> str:
        """How many columns of how many."""
        chosen, there = len(self.query.columns), len(self.dataset.columns)
        return (
            f"{chosen:,} of {figures.count(there, 'column')}"
            if chosen != there
            else "columns in another order"
        )

    def downloads(self, estimate: Estimate, *, has_geometry: bool) -> tuple[Download, ...]:
        """A row for each format, and one more for spreadsheets that need CSV marked."""
        rows = []
        for row in FORMATS.values():
            if row.geometry and not has_geometry:
                continue
            rows.append(self._download(row, estimate))
            if row.dialect == self._base.dialect and not any(_is_of_text(name) for name, _ in self.pairs):
                preset = next(iter(PRESETS))
                rows.append(self._download(row, estimate, (("preset", preset),)))
        return tuple(rows)

    def _download(self, row: Format, estimate: Estimate, more: Pairs = ()) -> Download:
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
        pairs = (*self.pairs_for(row), *more)
        if what == "download":
            path = self.addresses.beside(self.dataset.name, "download", (("format", row.extension), *pairs))
        else:
            path = self.addresses.download(self.dataset.name, row.extension, pairs)
        return Download(name, use, path, size)

    def check(self, possible: Sequence[str]) -> Check:
        """How to see that a file of the first possible format is whole."""
        extension = next(iter(possible), self._base.extension)
        pairs = self.plain_pairs(FORMATS[extension])
        manifest = self.addresses.beside(self.dataset.name, "manifest", (("format", extension), *pairs))
        name = f"{self.filename}.{extension}"
        return Check(manifest, f"download-lambda verify {name} '{self.address(extension)}'")

    def snippets(self, possible: Iterable[str]) -> tuple[Snippet, ...]:
        """What to paste into tools."""
        return snippets(self.address, possible, self.filename)


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


def _slug(text: str) -> str:
    """A text as it may stand in a file's name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")


def _is_of_text(name: str) -> bool:
    return name in PARAMETERS and PARAMETERS[name].is_of_text
