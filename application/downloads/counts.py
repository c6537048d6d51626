"""How many rows queries have: counted in bounded time, and kept."""

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pyarrow as pa

from application.datasets.catalogue import Catalogue
from application.downloads.downloads import Downloads
from application.downloads.findings import Findings
from application.downloads.plan import Plan
from application.downloads.within import within
from application.engine.cancellation import Cancellation
from application.engine.probe import Probe
from application.engine.scan import Engine
from application.errors import DownloadError
from application.models import Query

# For the rows, and for those of them that no area can have.
COUNT_SECONDS = 2.0
MOST_KEPT = 4096
# All rows of a query, whatever is written of them.
EVERY: dict[str, Any] = {"order": (), "limit": None, "offset": 0, "shape": None}


class Counts:
    """Counts the rows of plans; for many threads."""

    def __init__(self, catalogue: Catalogue, downloads: Downloads, engine: Engine, probe: Probe) -> None:
        self._catalogue = catalogue
        self._downloads = downloads
        self._engine = engine
        self._probe = probe
        self._rows: Findings[int] = Findings(MOST_KEPT)
        self._without: Findings[int] = Findings(MOST_KEPT)

    def known(self, plan: Plan) -> int | None:
        """How many rows a plan's result has, where that is known without looking."""
        if (known := plan.query.known_rows(plan.dataset)) is not None:
            return known
        counted = self._rows.get(plan.e_tag)
        return None if counted is None else cut(plan.query, counted)

    def of(self, plans: Sequence[Plan]) -> tuple[int | None, int | None]:
        """How many rows the results of plans for one query have, and how many without geometry it leaves out.

        None for what is not found out in time; the second is for a query with areas.
        """
        if not plans:
            return None, None
        plan = plans[0]
        with within(COUNT_SECONDS) as cancellation:
            rows = self._made(plans)
            if rows is None:
                counted = self._rows.find(plan.e_tag, lambda: self._count(plan, cancellation))
                rows = None if counted is None else cut(plan.query, counted)
            if not plan.query.areas:
                return rows, None
            # Equal for all areas among the same rows.
            rest = replace(plan.query, columns=(), areas=(), dialect=None, **EVERY)
            key = repr((plan.dataset.e_tag, rest.identity()))
            return rows, self._without.find(key, lambda: self._count_without(plan, rest, cancellation))

    def remembered(self, plans: Sequence[Plan]) -> tuple[int | None, int | None]:
        """The same without looking."""
        return (self.known(plans[0]), None) if plans else (None, None)

    def _made(self, plans: Sequence[Plan]) -> int | None:
        """The rows that are known by the footers, or by a result that is there."""
        if (known := plans[0].query.known_rows(plans[0].dataset)) is not None:
            return known
        for plan in plans:
            if (there := made(self._downloads, plan)) and there[1] is not None:
                return there[1]
        return None

    def _count(self, plan: Plan, cancellation: Cancellation) -> int | None:
        """How many rows meet a plan's conditions, if that is found out in time."""
        dataset, query = plan.dataset, plan.query
        parts = self._catalogue.matching(dataset, query)
        with suppress(DownloadError):
            if not parts:
                return 0
            if not query.areas:
                return self._probe.count(dataset, query, cancellation, parts)
            # Which rows are in an area only those tell that have passed its test.
            bare = replace(query, columns=query.columns[:1], **EVERY)
            with closing(self._engine.batches(dataset, bare, cancellation, parts, plan.tests)) as batches:
                return sum(batch.num_rows for batch in batches)
        return None

    def _count_without(self, plan: Plan, rest: Query, cancellation: Cancellation) -> int | None:
        """How many of the rows that all but the areas choose have no geometry that an area can have."""
        from application.geometry.reading import placeless

        geometry = plan.tests[0].geometry
        columns = tuple(column for column in plan.dataset.columns if column.name == geometry.column)
        query = replace(rest, columns=columns)
        parts = self._catalogue.matching(plan.dataset, query)
        with (
            suppress(DownloadError, pa.ArrowException),
            closing(self._engine.batches(plan.dataset, query, cancellation, parts)) as batches,
        ):
            return sum(placeless(batch.column(0), geometry.encoding) for batch in batches)
        return None


def made(downloads: Downloads, plan: Plan) -> tuple[int, int | None] | None:
    """Bytes and rows of a result that is there, or of the stored object."""
    content = downloads.kept(plan)
    if content is None:
        return None
    with content:
        return None if content.size is None else (content.size, content.rows)


def cut(query: Query, rows: int) -> int:
    """How many of so many rows offset and limit leave."""
    left = max(0, rows - query.offset)
    return left if query.limit is None else min(left, query.limit)
