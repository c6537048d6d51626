"""The rows of batches that are in areas, by the exact test of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from application.models import Column, Query

if TYPE_CHECKING:
    from application.geometry.areas import AreaTest


def read_for(query: Query) -> tuple[tuple[Column, ...], list[int]]:
    """The columns to read for a query with areas, its own first, and the place of each area's geometry."""
    columns, places = list(query.columns), []
    for area in query.areas:
        assert area.column is not None  # noqa: S101 - a plan has put it in
        # Text that was made of it may be written, but is not what is tested.
        names = [None if column.as_wkt else column.engine_name for column in columns]
        if area.column.engine_name not in names:
            columns.append(area.column)
            names.append(area.column.engine_name)
        places.append(names.index(area.column.engine_name))
    return tuple(columns), places


def tested(
    batches: Iterable[pa.RecordBatch], tests: Sequence[AreaTest], places: Sequence[int], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows that pass every test, in the first columns of their batches, which are those of ``schema``."""
    for batch in batches:
        kept = (test.keeps(batch.column(place)) for test, place in zip(tests, places, strict=True))
        mask = reduce(pc.and_, kept)
        columns = [_kept(column, mask) for column in batch.columns[: len(schema)]]
        if len(columns[0]):
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _kept(column: pa.Array, mask: pa.Array) -> pa.Array:
    try:
        return column.filter(mask)
    except pa.ArrowNotImplementedError:
        # Of views, for one, there is no kernel.
        rows = [place for place, is_kept in enumerate(mask.to_pylist()) if is_kept]
        return pa.concat_arrays([column.slice(row, 1) for row in rows] or [column.slice(0, 0)])
