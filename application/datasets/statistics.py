"""The parts and row groups that may have rows of a query, by what footers and the names of folders say."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import compress
from typing import NamedTuple

from application.datasets.bounds import group_bounds, together
from application.datasets.counts import sealed_columns
from application.datasets.footer import open_footer
from application.datasets.footers import Footers
from application.models import Column, Dataset, Filter, Part, Query
from application.query.pruning import ALL_NULL, UNKNOWN, Bounds, comparable, excludes, includes

# Bounds are kept by dataset and column, up to so many of them.
MOST_BOUNDS = 200_000
# Parts whose footers are looked into for the size of columns.
MOST_LOOKED_INTO = 200


class Group(NamedTuple):
    """A row group: the rows [start, end) of a part."""

    part: Part
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Extent:
    """What a query has to read: row groups, of so many in all, and about so many stored bytes."""

    groups: tuple[Group, ...]
    count: int
    size: int

    @property
    def rows(self) -> int:
        """How many rows these have."""
        return sum(group.end - group.start for group in self.groups)


class Statistics:
    """What footers that are kept say of the values in each part; reads nothing from storage."""

    def __init__(self, footers: Footers) -> None:
        self._footers = footers
        self._known: OrderedDict[tuple[str, str], tuple[tuple[Bounds, ...], ...]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def matching(self, dataset: Dataset, query: Query) -> tuple[Part, ...]:
        """The parts of a dataset, but for those of which it is certain that no row meets the filters.

        Each says what its row groups ``meets``, where something else than its filters chooses no rows.
        """
        if not query.filters:
            return dataset.parts
        kept = self._kept_groups(dataset, query)
        sure = self._sure_groups(dataset, query) if not (query.period or query.areas) else None
        parts = []
        for place, part in enumerate(dataset.parts):
            if not any(kept[place]) and part.groups and len(dataset.parts) > 1:
                continue
            meets = tuple(map(_met, kept[place], sure[place])) if sure and any(sure[place]) else ()
            parts.append(replace(part, meets=meets) if meets else part)
        return tuple(parts)

    def rows_at_most(self, dataset: Dataset, query: Query) -> int:
        """The rows of a dataset, but for row groups of which it is certain that no row meets the filters."""
        if not query.filters:
            return dataset.rows
        kept = self._kept_groups(dataset, query)
        pairs = zip(dataset.parts, kept, strict=True)
        return sum(sum(compress(part.groups, groups)) for part, groups in pairs)

    def extent(self, dataset: Dataset, query: Query) -> Extent:
        """The row groups that may have rows of a query, and what is to be read of them."""
        groups: list[Group] = []
        size = 0
        # Of very many parts to look into each would take long; they are small.
        is_looked_into = len(dataset.parts) <= MOST_LOOKED_INTO
        for part, kept in zip(dataset.parts, self._kept_groups(dataset, query), strict=True):
            footer = self._footers.kept(part.meta) if is_looked_into else None
            size += _stored_bytes(part, query, kept, footer.raw if footer else None)
            start = 0
            for rows, is_kept in zip(part.groups, kept, strict=True):
                if is_kept:
                    groups.append(Group(part, start, start + rows))
                start += rows
        return Extent(tuple(groups), sum(len(part.groups) for part in dataset.parts), size)

    def _kept_groups(self, dataset: Dataset, query: Query) -> list[list[bool]]:
        """Of each part, which row groups may have rows that meet the filters."""
        return self._groups(dataset, query, lambda item, bounds: not excludes(item, bounds))

    def _sure_groups(self, dataset: Dataset, query: Query) -> list[list[bool]]:
        """Of each part, the row groups whose rows all meet the filters."""
        return self._groups(dataset, query, includes)

    def _groups(
        self, dataset: Dataset, query: Query, is_so: Callable[[Filter, Bounds], bool]
    ) -> list[list[bool]]:
        """Of each part, the row groups for which something is so by each filter."""
        found = [[True] * len(part.groups) for part in dataset.parts]
        for item in query.filters:
            for place, known in enumerate(self._bounds(dataset, item.column)):
                # What is known of a part in one piece is so of all its row groups.
                each = known if len(known) == len(found[place]) else (together(known),) * len(found[place])
                found[place] = [
                    was and is_so(item, bounds) for was, bounds in zip(found[place], each, strict=True)
                ]
        return found

    def _bounds(self, dataset: Dataset, column: Column) -> tuple[tuple[Bounds, ...], ...]:
        """What is known of a column in each part, by its row groups or in one piece."""
        key = (dataset.e_tag, column.name)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        known = tuple(self.of(part, column) for part in dataset.parts)
        with self._lock:
            if key not in self._known:
                self._known[key] = known
                self._count += sum(map(len, known))
            while self._count > MOST_BOUNDS:
                _, dropped = self._known.popitem(last=False)
                self._count -= sum(map(len, dropped))
        return known

    def of(self, part: Part, column: Column) -> tuple[Bounds, ...]:
        """What is known of a column of the dataset in one part, by its row groups or in one piece."""
        if not any(own.name == column.name for own in part.columns):
            text = dict(part.folder).get(column.name)
            if text is None:
                return (ALL_NULL if part.rows else UNKNOWN,)
            value = comparable(column.field.type, text)
            return (Bounds(value, value, bool(part.rows), False),)
        footer = self._footers.kept(part.meta)
        return (UNKNOWN,) if footer is None else group_bounds(footer.raw, column.name)


def _met(may: bool, must: bool) -> bool | None:
    """What is known of a row group whose rows may meet a query, or all must."""
    return must or (None if may else False)


def _stored_bytes(part: Part, query: Query, kept: list[bool], raw: bytes | None) -> int:
    """About how many bytes of a part hold the columns that a query reads, in these row groups."""
    if not raw:
        return part.meta.size * sum(kept) // max(1, len(kept))
    metadata = open_footer(raw)
    names = {column.name for column in query.columns_read}
    places = [
        place
        for place in range(metadata.num_columns)
        if (path := metadata.schema.column(place).path) in names or path.partition(".")[0] in names
    ]
    sealed = sealed_columns(metadata, raw)
    groups = [metadata.row_group(group) for group in compress(range(len(kept)), kept)]
    return sum(
        group.column(place).total_compressed_size
        for group in groups
        for place in places
        if place not in sealed
    )
