"""One query of one dataset, as addresses and words of its page."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from application.formats import FORMATS, Format
from application.models import Dataset, Query
from application.pages.addresses import Addresses
from application.pages.snippets import Snippet, snippets
from application.pages.words import Labels
from application.query.operators import OPERATORS
from application.query.parameters import PARAMETERS
from application.query.spelling import Pairs, spelled

# Of a name that says what is in the file.
LONGEST_FILENAME = 80
NO_PLACES: Mapping[str, str] = {}


class Result:
    """One query of one dataset, as addresses and words; ``sent`` are the parameters that asked for it.

    ``places`` are the names of areas that it has from other datasets, by their text.
    """

    def __init__(
        self,
        dataset: Dataset,
        query: Query,
        sent: Pairs,
        *,
        addresses: Addresses,
        labels: Labels,
        base: Format,
        places: Mapping[str, str] = NO_PLACES,
    ) -> None:
        self.dataset, self.query, self.addresses, self.labels = dataset, query, addresses, labels
        self.base, self.places = base, places
        self.pairs = self._spelled(query, sent)
        self._sent = sent

    def _spelled(self, query: Query, sent: Pairs) -> Pairs:
        return spelled(query, self.dataset.columns, self.base.dialect, sent)

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
        if chosen and chosen.dialect == self.base.dialect:
            return self.pairs
        # Another delimited text has a delimiter of its own.
        kept = (pair for pair in self.pairs if pair[0] != "delimiter")
        return tuple(pair for pair in kept if (chosen and chosen.dialect) or not is_of_text(pair[0]))

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
        parts += [_slug(self.places.get(area.text, area.relation)) for area in self.query.areas]
        name = "-".join(part for part in parts if part)
        return name if len(name) <= LONGEST_FILENAME else self.dataset.name

    def without(self, **changes: Any) -> str:
        """The path of the page with some of the query changed."""
        pairs = self._spelled(replace(self.query, **changes), self._sent)
        return self.addresses.page(self.dataset.name, pairs)

    def snippets(self, possible: Iterable[str]) -> tuple[Snippet, ...]:
        """What to paste into tools."""
        return snippets(self.address, possible, self.filename)


def is_of_text(name: str) -> bool:
    """True for a parameter that says how delimited text is written."""
    return name in PARAMETERS and PARAMETERS[name].is_of_text


def _slug(text: str) -> str:
    """A text as it may stand in a file's name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")
