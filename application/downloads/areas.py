"""The areas of a query, fitted to its dataset: their tests, and the rows of other datasets that they name."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from application.datasets.geometry import REFERENCE_COLUMN, key_of
from application.engine.cancellation import Cancellation
from application.engine.scan import Engine
from application.errors import ParameterProblem, QueryInvalid
from application.models import Area, Column, Dataset, Query
from application.query.area import reference_of
from application.query.parsed import parse

if TYPE_CHECKING:
    from application.geometry.areas import AreaTest
    from application.geometry.places import Place

Reference = tuple[str, str]

# Of rows of one reference more are read by nobody.
MOST_ROWS = 1000
MOST_KEPT_BYTES = 64 << 20
# A corner of 32 bits may have been rounded inwards.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Row:
    """The row of another dataset that an area names.

    ``value`` is its geometry as stored. ``version`` tells which one it is; ``by_day`` that another day may
    give another.
    """

    dataset: Dataset
    value: pa.Array
    version: str
    by_day: bool = False


class Locations:
    """Finds the rows that areas name, once for each version of their datasets, and keeps their places."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._size: dict[tuple[str, ...], int] = {}

    def row(self, dataset: Dataset, reference: str, today: date) -> Row:
        """The row of a dataset that has a reference, the one in force if there are several.

        Reads the dataset. Raises ValueError with what is wrong, and what ``Engine.batches`` raises.
        """
        if dataset.geometry is None:
            raise ValueError(f"dataset {dataset.name!r} has no geometry")
        for day in ("", today.isoformat()):
            kept: Row | None = self._kept((dataset.name, dataset.e_tag, reference, day))
            if kept:
                return kept
        names = {column.name for column in dataset.columns}
        key = key_of(dataset)
        if not key:
            raise ValueError(
                f"dataset {dataset.name!r} has no column {REFERENCE_COLUMN!r}, and no key is described for it"
            )
        pairs = ((f"{key}__exact", reference), ("field", dataset.geometry.column), ("limit", str(MOST_ROWS)))
        found, day = self._read(dataset, pairs, today), ""
        if len(found) > 1 and names & {"end-date", "end_date"}:
            found, day = self._read(dataset, (*pairs, ("period", "current")), today), today.isoformat()
        if len(found) != 1:
            several = "more than one row in force" if day else "more than one row"
            count = several if len(found) else "no row in force" if day else "no row"
            raise ValueError(f"dataset {dataset.name!r} has {count} with {key} {reference[:60]!r}")
        located = Row(dataset, found, f"{dataset.e_tag} {day}".strip(), bool(day))
        self._keep((dataset.name, dataset.e_tag, reference, day), located, found.nbytes)
        return located

    def place(self, located: Row, reference: str, crs: str) -> Place:
        """The place of a row in a reference system, prepared once; raises ValueError."""
        from application.geometry.areas import place_of_row

        key = (located.dataset.name, located.version, reference, "in", crs)
        place: Place | None = self._kept(key)
        if place is None:
            assert located.dataset.geometry is not None  # noqa: S101 - it was found by it
            place = place_of_row(located.value, located.dataset.geometry, crs)
            # With its indexes it takes some times what is stored.
            self._keep(key, place, 4 * located.value.nbytes)
        return place

    def _read(self, dataset: Dataset, pairs: tuple[tuple[str, str], ...], today: date) -> pa.Array:
        try:
            query = parse(pairs, dataset.columns).query
        except QueryInvalid as error:
            raise ValueError(f"dataset {dataset.name!r}: {error}") from error
        if query.period:
            query = replace(query, period=replace(query.period, today=today.isoformat()))
        with closing(self._engine.batches(dataset, query, Cancellation())) as batches:
            found = [batch.column(0) for batch in batches]
        return pa.concat_arrays(found) if found else pa.nulls(0)

    def _kept(self, key: tuple[str, ...]) -> Any:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def _keep(self, key: tuple[str, ...], value: Any, size: int) -> None:
        with self._lock:
            self._found[key], self._size[key] = value, size + 1024
            while len(self._found) > 1 and sum(self._size.values()) > MOST_KEPT_BYTES:
                oldest, _ = self._found.popitem(last=False)
                del self._size[oldest]


@dataclass(frozen=True, slots=True)
class Located:
    """The rows that a request's areas name, found, and where their places are kept."""

    rows: Mapping[Reference, Row]
    locations: Locations | None = None

    @property
    def by_day(self) -> bool:
        """True where another day may give another row."""
        return any(row.by_day for row in self.rows.values())


NOWHERE = Located({})


def references(parameters: tuple[tuple[str, str], ...]) -> dict[Reference, str]:
    """The rows of other datasets that parameters name, each with the parameter that does."""
    return {found: name for name, text in parameters if (found := reference_of(name, text))}


def invalid(parameter: str, error: Exception) -> QueryInvalid:
    """What is wrong with an area, as a problem of its parameter."""
    return QueryInvalid([ParameterProblem(parameter, str(error))])


def with_areas(dataset: Dataset, query: Query, located: Located) -> tuple[Query, tuple[AreaTest, ...]]:
    """The query with its areas fitted to the dataset, and their tests; raises QueryInvalid."""
    if not query.areas:
        return query, ()
    if dataset.geometry is None:
        raise QueryInvalid(
            [
                ParameterProblem(area.relation, "this dataset has no geometry, so no row of it is anywhere")
                for area in query.areas
            ]
        )
    from application.geometry.areas import area_test

    areas, tests = [], []
    for area in query.areas:
        try:
            place, version = None, ""
            if (reference := reference_of(area.relation, area.text)) and located.locations:
                row = located.rows[reference]
                place = located.locations.place(row, reference[1], dataset.geometry.crs)
                version = row.version
            test = area_test(area, dataset.geometry, place)
        except ValueError as error:
            raise invalid(area.relation, error) from error
        areas.append(_fitted(replace(area, version=version), dataset, test))
        tests.append(test)
    return replace(query, areas=tuple(areas)), tuple(tests)


def _fitted(area: Area, dataset: Dataset, test: AreaTest) -> Area:
    """The area with the columns that it looks at."""
    columns = {column.name: column for column in dataset.columns}
    area = replace(area, column=columns[test.geometry.column])
    if not test.geometry.covering:
        return area
    name, *corners = test.geometry.covering
    covering = columns[name]
    return replace(
        area, covering=covering, corners=tuple(corners), bounds=_rounded(test.bounds, covering, corners)
    )


def _rounded(bounds: tuple[float, ...], covering: Column, corners: list[str]) -> tuple[float, ...]:
    kind = covering.field.type
    if all(pa.types.is_float64(kind.field(corner).type) for corner in corners):
        return bounds
    room = ROUNDING * max(map(abs, bounds))
    return bounds[0] - room, bounds[1] - room, bounds[2] + room, bounds[3] + room
