"""The page of all datasets, and of those that a search finds."""

from collections.abc import Iterable
from dataclasses import dataclass

from application.datasets.listing import Listed, Seen
from application.pages import figures
from application.pages.addresses import Addresses


@dataclass(frozen=True, slots=True)
class Row:
    """One dataset; what is not known of it is empty."""

    title: str
    path: str
    description: str
    rows: str
    size: str
    updated: str
    licence: str
    geometry: str
    problem: str


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """The datasets that have every word of ``search``, of so many in all."""

    search: str
    rows: tuple[Row, ...]
    all: int
    is_whole: bool
    json: str
    canonical: str


def catalogue_page(seen: Seen, search: str, addresses: Addresses, json: str) -> CataloguePage:
    """The page for a search, an empty one for all."""
    words = search.casefold().split()
    found = [item for item in seen.datasets if all(word in _text(item) for word in words)]
    return CataloguePage(
        search,
        tuple(_row(item, addresses) for item in found),
        len(seen.datasets),
        seen.is_whole,
        addresses.root + json,
        addresses.absolute(addresses.root + "/"),
    )


def _row(item: Listed, addresses: Addresses) -> Row:
    words = item.words
    return Row(
        words.title or item.name,
        addresses.page(item.name),
        _first_sentence(words.description),
        "" if item.rows is None else figures.number(item.rows),
        "" if item.size is None else figures.size(item.size),
        "" if item.modified is None else figures.day(item.modified),
        words.licence,
        "yes" if item.geometry else "",
        item.problem,
    )


def _text(item: Listed) -> str:
    """Everything that a search looks at."""
    words = item.words
    return _joined((item.name, words.title, words.description, words.publisher, words.licence)).casefold()


def _joined(texts: Iterable[str]) -> str:
    return "\n".join(filter(None, texts))


def _first_sentence(text: str) -> str:
    line = text.strip().partition("\n")[0]
    end = line.find(". ")
    return line if end < 0 else line[: end + 1]
